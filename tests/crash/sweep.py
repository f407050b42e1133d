"""One crash after another: kill, start again, look; and the long sweeps, one process per core.

``python -m tests.crash.sweep --devices 200`` ends a load at every input/output call, before and after it.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from beast_dream_snow_loader.sandbox.estate import Estate
from tests.crash.checker import Place, contents, faults
from tests.crash.harness import KILLED, ROOT, Action, Arm, Ended, Forge, build_shim

LOAD = ("load", "--env", "testing", "--json")


@dataclass(slots=True, kw_only=True)
class Trials:
    """What a sweep saw. ``violations`` tell the point, so that it can be repeated."""

    points: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    def add(self, other: Trials) -> Trials:
        return Trials(
            points=self.points + other.points,
            ended=self.ended + other.ended,
            violations=self.violations + other.violations,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Which estate, and which program (``package``: another copy of it, with a fault planted)."""

    seed: int = 3
    sites: int = 1
    devices: int = 12
    package: Path = ROOT

    def estate(self) -> Estate:
        return Estate.generate(seed=self.seed, sites=self.sites, devices=self.devices)

    def calls(self) -> int:
        """How many boundaries a load of this estate has."""
        with tempfile.TemporaryDirectory() as name, self._forge(Path(name)) as forge, Place(estate=self.estate()) as at:
            return forge.run(*LOAD, environment=at.sandbox.environment(), arm=Arm()).calls

    def run(self, arms: Iterable[Arm]) -> Trials:
        """Each of ``arms`` in turn, on a fresh CMDB and a fresh state."""
        with tempfile.TemporaryDirectory() as name, self._forge(Path(name)) as forge:
            expected = self._clean(forge)
            trials = Trials()
            for arm in arms:
                trials = trials.add(self._trial(forge, arm, expected))
            return trials

    def _forge(self, directory: Path) -> Forge:
        return Forge(directory=directory, library=build_shim(directory), package=self.package)

    def _clean(self, forge: Forge) -> dict[str, object]:
        with Place(estate=self.estate()) as place:
            ended = forge.run(*LOAD, environment=place.sandbox.environment())
            assert ended.code == 0, ended.err
            found = contents(place)
            forge.clear()
            return found

    def _trial(self, forge: Forge, arm: Arm, expected: dict[str, object]) -> Trials:
        forge.clear()
        trials = Trials(points=1)
        with Place(estate=self.estate()) as place:
            environment = place.sandbox.environment()
            first = forge.run(*LOAD, environment=environment, arm=arm)
            trials.ended["killed" if first.code == KILLED else str(first.code)] += 1
            if first.code == 0 and list(faults(place)):
                trials.violations.append(f"{arm}: exit 0 with {next(faults(place))}")
            again = forge.run(*LOAD, environment=environment)
            trials.violations += [f"{arm}: {one}" for one in self._wrong(place, again, expected)]
            before = place.writes()
            third = forge.run(*LOAD, environment=environment)
            if third.code != 0 or place.writes() != before:
                trials.violations.append(f"{arm}: the third run ended {third.code}, {place.writes() - before} writes")
        return trials

    @staticmethod
    def _wrong(place: Place, again: Ended, expected: dict[str, object]) -> Iterator[str]:
        if again.code != 0:
            yield f"the restart ended {again.code}: {again.err[-300:] or again.out[-300:]}"
        found = list(faults(place))
        yield from found[:3]
        if not found and contents(place) != expected:
            yield "the CMDB is not that of a load without a crash"


def every_point(calls: int) -> list[Arm]:
    """Before and after each call."""
    return [Arm(at=at, action=side) for at in range(1, calls + 1) for side in (Action.KILL_BEFORE, Action.KILL_AFTER)]


def some_points(calls: int, count: int, seed: int, **more: bool) -> list[Arm]:
    """``count`` of them, the same for the same seed."""
    chosen = random.Random(seed)
    sides = (Action.KILL_BEFORE, Action.KILL_AFTER)
    return [Arm(at=chosen.randint(1, calls), action=chosen.choice(sides), **more) for _ in range(count)]


def spread(sweep: Sweep, arms: Sequence[Arm], workers: int) -> Trials:
    """The same sweep over several processes."""
    shares = [arms[start::workers] for start in range(workers)]
    with ProcessPoolExecutor(workers) as pool:
        total = Trials()
        for trials in pool.map(sweep.run, shares):
            total = total.add(trials)
    return total


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=200)
    parser.add_argument("--sites", type=int, default=2)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--points", type=int, default=0, help="that many random ones; 0: every one, before and after")
    parser.add_argument("--power", action="store_true", help="lose what was not synced")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args(arguments)
    sweep = Sweep(seed=given.seed, sites=given.sites, devices=given.devices)
    calls = sweep.calls()
    arms = some_points(calls, given.points, given.seed) if given.points else every_point(calls)
    if given.power:
        arms = [Arm(at=arm.at, action=arm.action, power=True, tear=place + 1) for place, arm in enumerate(arms)]
    trials = spread(sweep, arms, given.workers)
    print(f"{calls} calls, {trials.points} points: {dict(trials.ended)}, {len(trials.violations)} violations")  # noqa: T201
    print("\n".join(itertools.islice(trials.violations, 20)))  # noqa: T201
    return 1 if trials.violations else 0


if __name__ == "__main__":
    sys.exit(main())
