"""What every test may use: the command as a user runs it, in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from beast_dream_snow_loader.redaction import held_within

KEPT = ("PATH", "PYTHONPATH", "HOME", "LANG", "PYTHONDONTWRITEBYTECODE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")


_MEMORY = Path("/dev/shm")
if os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > 4 * 1024**3:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))
    """Every commit of a state is flushed; on a disk the suite would mostly wait for that."""

settings.register_profile("unhurried", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("looking", deadline=None, max_examples=2000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")  # a busy machine fails no test, nor does chance; `make properties` goes on looking


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended: ``code``, and what it said where."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """stdout as the one JSON document it must be."""
        return json.loads(self.out)


class Snowload:
    """Runs ``python -m beast_dream_snow_loader`` with an environment of its own and a private state directory."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.variables: dict[str, str] = {"SNOWLOAD_STATE_DIR": str(home / "state")}

    def __call__(self, *arguments: str, timeout: float = 60, **variables: str) -> Ended:
        done = subprocess.run(
            [sys.executable, "-m", "beast_dream_snow_loader", *arguments],
            env=self.environment(variables),
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Ended(code=done.returncode, out=done.stdout, err=done.stderr)

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        return {**kept, "HOME": str(self.home), **self.variables, **(more or {})}


@pytest.fixture(autouse=True)
def _secrets_of_this_test_alone() -> Iterator[None]:
    """A secret that another test has held, ``info`` say, is not masked in what this one reads."""
    with held_within():
        yield


@pytest.fixture
def snowload(tmp_path: Path) -> Snowload:
    return Snowload(tmp_path)
