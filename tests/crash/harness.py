"""Ends snowload at a chosen input/output call and looks at what is left, in the state and in the sandbox's tables."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.crash.states import FileState, State

ROOT = Path(__file__).parents[2]
KILLED = -9
NEEDS_COMPILER = pytest.mark.skipif(
    shutil.which("cc") is None and not os.environ.get("CI"), reason="the shim needs a C compiler"
)
"""Where everything is to be proven, a missing compiler fails."""
_SAID = ("out", "err", "told")


class Action(IntEnum):
    """As in shim.c."""

    KILL_BEFORE = 0
    KILL_AFTER = 1
    FAIL_ONCE = 2
    FAIL_FOREVER = 3
    SHORT_ONCE = 4


class Kinds(IntEnum):
    FILES = 1
    SOCKETS = 2
    BOTH = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """What happens at which call of these kinds. ``at`` 0: nothing, the calls are only counted. ``failing``: the kinds
    that fail, where any does. ``power``: what was not synced is
    lost with the kill; ``tear`` > 0 seeds which sectors of it reached the disk all the same. ``tell``: each call is
    written down."""

    at: int = 0
    action: Action = Action.KILL_BEFORE
    kinds: Kinds = Kinds.BOTH
    failing: Kinds = Kinds.BOTH
    number: int = 0
    power: bool = False
    tear: int = 0
    tell: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """``told``: a line per call, its number, name, and what was sent or which file was synced."""

    code: int
    calls: int
    out: str
    err: str
    told: tuple[str, ...] = ()

    @property
    def document(self) -> dict[str, Any]:
        return json.loads(self.out)


def build_shim(directory: Path) -> Path:
    """The shim, compiled once per process. CalledProcessError when there is no C compiler."""
    library = directory / "shim.so"
    library.write_bytes(_compiled())
    return library


@cache
def _compiled() -> bytes:
    source = Path(__file__).with_name("shim.c")
    with tempfile.TemporaryDirectory() as name:
        library = Path(name) / "shim.so"
        command = ["cc", "-O1", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl", "-lpthread"]
        subprocess.run(command, check=True, capture_output=True)
        return library.read_bytes()


@dataclass(slots=True, kw_only=True)
class Forge:
    """A running fork server. ``package``: the directory whose ``beast_dream_snow_loader`` runs; ``state``: a database
    file below ``directory``, if nothing else is said. ``rehearsed``: what is known of stories lived through in it."""

    directory: Path
    library: Path
    package: Path = ROOT
    state: State | None = None
    rehearsed: dict[str, Any] = field(default_factory=dict)
    _process: subprocess.Popen[str] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.state = self.state or FileState(self.directory / "state")

    def __enter__(self) -> Forge:
        paths = os.pathsep.join((str(self.package), str(ROOT)))
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("forge.py"))],
            env={**os.environ, "PYTHONPATH": paths, "LD_PRELOAD": str(self.library)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)

    def run(
        self, *arguments: str, environment: Mapping[str, str], arm: Arm | None = None, warm_up: bool = False
    ) -> Ended:
        """One command to its end, whichever that is; after a loss of power its state is what the disk had.

        ``warm_up``: in the fork server itself, once, so that all that follow start with everything imported.
        """
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        state, shadow = self.state.directory, self.directory / "shadow"
        state.mkdir(exist_ok=True, mode=0o700)
        powered = arm is not None and arm.power
        if powered:
            _remember(state, shadow)
        order = {
            "arguments": arguments,
            "environment": {"PATH": os.environ["PATH"], "HOME": str(self.directory), **environment}
            | self.state.variables(),
            "directory": str(self.directory),
            **{name: str(self.directory / name) for name in _SAID},
            "arm": self._arm(arm, state, shadow) if arm is not None else None,
            "here": warm_up,
        }
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if powered and answer["code"] == KILLED:
            _forget(state, shadow)
        out, err, told = ((self.directory / name).read_text(encoding="utf-8", errors="replace") for name in _SAID)
        return Ended(code=answer["code"], calls=answer["calls"], out=out, err=err, told=tuple(told.splitlines()))

    def clear(self) -> None:
        self.state.clear()

    def _arm(self, arm: Arm, state: Path, shadow: Path) -> dict[str, object]:
        return {
            "library": str(self.library),
            "at": arm.at,
            "action": int(arm.action),
            "kinds": int(arm.kinds),
            "failing": int(arm.failing),
            "number": arm.number,
            "below": str(state),
            "shadow": str(shadow) if arm.power else "",
            "tear": arm.tear,
            "tell": arm.tell,
        }


def _flat(state: Path, file: Path) -> str:
    return str(file.relative_to(state)).replace("/", "%")


def _remember(state: Path, shadow: Path) -> None:
    """What is there now was synced long ago."""
    shutil.rmtree(shadow, ignore_errors=True)
    shadow.mkdir(mode=0o700)
    for file in state.rglob("*"):
        if file.is_file():
            shutil.copy(file, shadow / _flat(state, file))


def _forget(state: Path, shadow: Path) -> None:
    """The power was gone: each file is what was last synced of it, and a file never synced was never there."""
    for file in [file for file in state.rglob("*") if file.is_file()]:
        kept = shadow / _flat(state, file)
        if file.name.endswith("-shm") or not kept.exists():
            file.unlink()
        else:
            shutil.copy(kept, file)
