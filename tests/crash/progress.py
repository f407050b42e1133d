"""How far a long sweep is: a line per point in a file, so that it can be stopped, taken up again and read meanwhile."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One point that was tried. ``sweep`` and ``arm`` say which, ``ended`` how the command did."""

    sweep: str
    arm: str
    ended: str
    violations: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """``file``: where points are written down, and left out when they are there already. ``until``: no point is begun
    after that, in seconds of this machine's monotonic clock."""

    file: Path | None = None
    until: float | None = None

    @property
    def over(self) -> bool:
        return self.until is not None and time.monotonic() >= self.until

    def points(self, sweep: str) -> Iterator[Point]:
        """What was tried of this sweep, now or by an earlier process."""
        if self.file is None or not self.file.exists():
            return
        for line in self.file.read_text(encoding="utf-8").splitlines():
            if (kept := json.loads(line))["sweep"] == sweep:
                yield Point(**{**kept, "violations": tuple(kept["violations"])})

    def note(self, point: Point) -> None:
        """One write at the end of the file: several processes may share it."""
        if self.file is None:
            return
        line = json.dumps({name: getattr(point, name) for name in Point.__slots__}) + "\n"
        with self.file.open("ab", buffering=0) as kept:
            kept.write(line.encode())
            os.fsync(kept.fileno())


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--progress", type=Path, help="write each point to this file; those in it are not tried again")
    parser.add_argument("--minutes", type=float, default=0, help="begin no point after so long; 0: try all")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)


def bounds(given: argparse.Namespace) -> Bounds:
    until = time.monotonic() + given.minutes * 60 if given.minutes else None
    return Bounds(file=given.progress, until=until)
