"""One crash after another: kill, start again, look; and the long sweeps, one process per core.

``python -m tests.crash.sweep`` ends a load of 200 CIs and 197 relations (100 devices and their hardware) at every
input/output call, before and after it.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from beast_dream_snow_loader.sandbox.estate import Estate
from tests.crash.books import astray
from tests.crash.checker import Place, contents, doubled, faults, touched
from tests.crash.harness import KILLED, ROOT, Action, Arm, Ended, Forge, build_shim
from tests.crash.moments import writes
from tests.crash.progress import Bounds, Point, add_options, bounds
from tests.crash.sent import sent_again
from tests.crash.states import FileState, ServerState, State
from tests.crash.stories import FIRST, LOAD, STORIES, Stage, Story, batched

TOLD_EVERY = 100
BEFORE, AFTER = 12, 24
"""Calls around a write: the intent takes about ten, answer and receipt about twenty."""


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

    def point(self, sweep: str, arm: Arm, seconds: float) -> Point:
        """A single one of them, to be written down."""
        return Point(
            sweep=sweep,
            arm=str(arm),
            ended=next(iter(self.ended)),
            violations=tuple(self.violations),
            seconds=round(seconds, 2),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Clean:
    """What a story comes to when nothing happens: the CMDB, and the calls of the command."""

    contents: Mapping[str, object]
    told: tuple[str, ...]


class Judge(Protocol):
    """What may be expected of a command that met its fate."""

    def at_once(self, story: Story, place: Place, arm: Arm, ended: Ended) -> Iterator[str]:
        """What is wrong already, before anything is put right."""


class Killed:
    """Nothing, but that it does not say it has done what it has not."""

    def at_once(self, story: Story, place: Place, arm: Arm, ended: Ended) -> Iterator[str]:
        if ended.code == 0 and story.whole and (found := next(faults(place), None)):
            yield f"exit 0 with {found}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Which estate, what is going on, and which program (``package``: another copy of it, with a fault planted).

    ``server``: the URL of a schema on PostgreSQL in place of a file.
    """

    seed: int = 3
    sites: int = 1
    devices: int = 12
    story: Story = FIRST
    server: str = ""
    package: Path = ROOT

    def estate(self) -> Estate:
        return Estate.generate(seed=self.seed, sites=self.sites, devices=self.devices)

    def told(self, forge: Forge) -> tuple[str, ...]:
        """A line for each boundary of the command."""
        return self._clean(forge).told

    @property
    def name(self) -> str:
        """What tells its points from those of another."""
        where = "postgresql" if self.server else "sqlite"
        return f"{self.story.name}, {self.devices} devices, {self.sites} sites, seed {self.seed}, {where}"

    def run(
        self, forge: Forge, arms: Iterable[Arm], judge: Judge | None = None, limits: Bounds | None = None
    ) -> Trials:
        """Each of ``arms`` in turn, on a fresh CMDB and a fresh state, as long as there is time."""
        clean = self._clean(forge)
        trials, limits = Trials(), limits or Bounds()
        for arm in arms:
            if limits.over:
                break
            begun = time.monotonic()
            trial = self._trial(forge, arm, clean, judge or Killed())
            limits.note(trial.point(self.name, arm, time.monotonic() - begun))
            trials = trials.add(trial)
            if trials.points % TOLD_EVERY == 0:
                print(f"{trials.points} points, {len(trials.violations)} violations", file=sys.stderr)  # noqa: T201
        return trials

    @contextmanager
    def forge(self) -> Iterator[Forge]:
        """The program, ready to run; the same for every story."""
        with tempfile.TemporaryDirectory() as name, self._state(Path(name) / "state") as state:
            library = build_shim(Path(name))
            with Forge(directory=Path(name), library=library, state=state, package=self.package) as forge:
                self._warm_up(forge)
                yield forge

    @contextmanager
    def _state(self, directory: Path) -> Iterator[State]:
        if not self.server:
            yield FileState(directory)
            return
        state = ServerState(directory, self.server)
        try:
            yield state
        finally:
            state.close()

    def _warm_up(self, forge: Forge) -> None:
        """With nothing there: a trail that another process began on the server has a key of its own."""
        forge.state.clear()
        with Place(estate=self.estate()) as place:
            ended = forge.run(*LOAD, environment=place.sandbox.environment(), warm_up=True)
            assert ended.code == 0, ended.err

    def _stage(self, forge: Forge, place: Place) -> Stage:
        forge.state.clear()
        return Stage(forge=forge, place=place, variables=self.story.variables)

    def _clean(self, forge: Forge) -> Clean:
        """The story without a crash, lived through once."""
        name = f"{self.name}, {self.story.variables}"
        if name not in forge.rehearsed:
            forge.rehearsed[name] = self._rehearsed(forge)
        return forge.rehearsed[name]

    def _rehearsed(self, forge: Forge) -> Clean:
        with Place(estate=self.estate()) as place:
            stage = self._stage(forge, place)
            self.story.before(stage)
            ended = stage.run(*self.story.command(stage), arm=Arm(tell=True))
            assert ended.code == 0, ended.err
            self.story.meanwhile(stage)
            if (again := self.story.again(stage)) is not None:
                stage.prepare(*again)
            return Clean(contents=contents(place), told=ended.told)

    def _trial(self, forge: Forge, arm: Arm, clean: Clean, judge: Judge) -> Trials:
        trials = Trials(points=1)
        with Place(estate=self.estate()) as place:
            stage = self._stage(forge, place)
            self.story.before(stage)
            before = len(place.witness.sent)
            first = stage.run(*self.story.command(stage), arm=arm)
            trials.ended["killed" if first.code == KILLED else str(first.code)] += 1
            problems = [*judge.at_once(self.story, place, arm, first), *self._mended(stage, clean, before)]
            trials.violations += [f"{self.story.name}: {arm}: {one}" for one in problems]
        return trials

    def _mended(self, stage: Stage, clean: Clean, before: int) -> Iterator[str]:
        """What is wrong after what people then do, and after that once more. ``before``: requests that were sent when
        the command began."""
        place = stage.place
        strangers = self.story.meanwhile(stage)
        if (again := self.story.again(stage)) is not None:
            ended = stage.run(*again)
            if ended.code != 0:
                yield f"the restart ended {ended.code}: {ended.err[-300:] or ended.out[-300:]}"
        twice = sent_again(place.witness.sent[before:])
        if len(twice) > (lanes := len(place.estate.consoles())):
            yield f"of {len(twice)} requests something was sent again, with {lanes} lanes"
        found = [*(faults(place) if self.story.whole else doubled(place))]
        yield from found[:3]
        yield from (f"{one} of others was touched" for one in touched(place, strangers))
        if self.story.same and not found and contents(place) != clean.contents:
            yield "the CMDB is not what it would be without the crash"
        yield from itertools.islice(astray(place, stage.forge.state), 3)
        writes = place.writes()
        if (quiet := self.story.quiet(stage)) is not None:
            ended = stage.run(*quiet)
            if ended.code != 0 or place.writes() != writes:
                yield f"once more ended {ended.code}, with {place.writes() - writes} writes"


def every_point(calls: int) -> list[Arm]:
    """Before and after each call."""
    return [Arm(at=at, action=side) for at in range(1, calls + 1) for side in (Action.KILL_BEFORE, Action.KILL_AFTER)]


def shuffled(arms: Sequence[Arm], seed: int) -> list[Arm]:
    """In an order of which every beginning is a fair sample."""
    return random.Random(seed).sample(arms, len(arms))


def some_points(calls: int, count: int, seed: int, **more: bool) -> list[Arm]:
    """``count`` of them, the same for the same seed."""
    chosen = random.Random(seed)
    sides = (Action.KILL_BEFORE, Action.KILL_AFTER)
    return [Arm(at=chosen.randint(1, calls), action=chosen.choice(sides), **more) for _ in range(count)]


def near_writes(told: Sequence[str], count: int, seed: int, **more: bool) -> list[Arm]:
    """``count`` of those around the requests that change something: from the intent before to the receipt after."""
    chosen = random.Random(seed)
    around = sorted(
        {at for call in writes(told) for at in range(call - BEFORE, call + AFTER)} & set(range(1, len(told) + 1))
    )
    sides = (Action.KILL_BEFORE, Action.KILL_AFTER)
    return [Arm(at=chosen.choice(around), action=chosen.choice(sides), **more) for _ in range(count)]


def torn(arms: Iterable[Arm]) -> list[Arm]:
    """The same with the power lost: what was not synced is gone but for some sectors, other ones each time."""
    return [replace(arm, power=True, tear=number) for number, arm in enumerate(arms, 1)]


def spread(
    sweep: Sweep, arms: Sequence[Arm], workers: int, judge: Judge | None = None, limits: Bounds | None = None
) -> Trials:
    """The same sweep over several processes; with those that were tried before."""
    limits, total = limits or Bounds(), Trials()
    tried = {point.arm: point for point in limits.points(sweep.name)}
    for point in (tried[str(arm)] for arm in arms if str(arm) in tried):
        total = total.add(Trials(points=1, ended=Counter([point.ended]), violations=list(point.violations)))
    left = [arm for arm in arms if str(arm) not in tried]
    shares = [(sweep, left[start::workers], judge, limits) for start in range(workers)]
    with ProcessPoolExecutor(workers) as pool:
        for trials in pool.map(_share, shares):
            total = total.add(trials)
    return total


def _share(share: tuple[Sweep, Sequence[Arm], Judge | None, Bounds]) -> Trials:
    sweep, arms, judge, limits = share
    with sweep.forge() as forge:
        return sweep.run(forge, arms, judge, limits)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=100)
    parser.add_argument("--sites", type=int, default=2)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--points", type=int, default=0, help="that many random ones; 0: every one, before and after")
    parser.add_argument("--power", action="store_true", help="lose what was not synced")
    parser.add_argument("--batch", type=int, default=0, help="items to a request; 0: as many as by default")
    parser.add_argument("--story", choices=("every", *STORIES), default=FIRST.name)
    add_options(parser)
    given = parser.parse_args(arguments)
    stories = STORIES.values() if given.story == "every" else [STORIES[given.story]]
    return max(_swept(given, batched(story, given.batch) if given.batch else story) for story in stories)


def _swept(given: argparse.Namespace, story: Story) -> int:
    sweep = Sweep(seed=given.seed, sites=given.sites, devices=given.devices, story=story)
    with sweep.forge() as forge:
        calls = len(sweep.told(forge))
    arms = some_points(calls, given.points, given.seed) if given.points else shuffled(every_point(calls), given.seed)
    arms = torn(arms) if given.power else arms
    trials = spread(sweep, arms, given.workers, limits=bounds(given))
    seen = f"{trials.points} of {len(arms)} points: {dict(trials.ended)}, {len(trials.violations)} violations"
    print(f"{story.name}: {calls} calls, {seen}", *trials.violations[:20], sep="\n", flush=True)  # noqa: T201
    return 1 if trials.violations else 0


if __name__ == "__main__":
    sys.exit(main())
