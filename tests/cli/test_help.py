"""Help: everywhere, quick, with examples."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

import pytest

from tests.commands import every_command
from tests.conftest import Snowload

HEAVY = (
    "prometheus_client",
    "requests",
    "pydantic",
    "sqlalchemy",
    "structlog",
    "tenacity",
    "psutil",
    "alembic",
    "cryptography",
    "rich",
)


@pytest.mark.parametrize("command", every_command(), ids=" ".join)
def test_every_command_has_help_with_examples(snowload: Snowload, command: tuple[str, ...]) -> None:
    ended = snowload(*command, "--help")
    assert ended.code == 0
    assert ended.out.count("snowload ") >= 3 or "|" in ended.out
    assert "Example" in ended.out


def test_the_version_is_one_line(snowload: Snowload) -> None:
    ended = snowload("--version")
    assert (ended.code, ended.out.count("\n")) == (0, 1)
    assert ended.out.startswith("snowload ")


def test_help_imports_nothing_heavy() -> None:
    """P7: the start-up budget is kept by not importing what help does not need."""
    code = (
        "import sys\nfrom beast_dream_snow_loader.cli.main import app\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_bad_arguments_exit_with_2(snowload: Snowload) -> None:
    assert snowload("load", "--no-such-option").code == 2


@pytest.mark.bench
def test_help_takes_at_most_150_ms_in_the_median_of_15_runs() -> None:
    """P7."""
    command = [sys.executable, "-m", "beast_dream_snow_loader", "--help"]
    spent = []
    for _ in range(15):
        started = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        spent.append(time.perf_counter() - started)
    assert statistics.median(spent) <= 0.150
