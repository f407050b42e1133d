"""Requests that the instance carries out when nobody waits any more, lost answers, requests that come twice (Q3).

A minute of the instance is a second here: it carries out a request up to a minute after its sender has died, and the
program is told to reckon with that. ``python -m tests.crash.late --trials 1000`` is part of `make crash`.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property

from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from tests.crash.books import astray
from tests.crash.checker import Place, doubled, faults
from tests.crash.harness import Action, Arm, Ended, Forge
from tests.crash.moments import waited_for, writes
from tests.crash.stories import BASE_CLASS, FIRST, LOAD, Stage
from tests.crash.sweep import Sweep

MINUTE = 1.0
"""Seconds that stand for the minute in which the instance may still be at a request."""
LATEST_SEED = 55
"""Draws a request that is carried out nearly at the end of that time."""
_LATEST = 0.85
"""Of it, so that the machine's own delays do not count."""
_PATHS = {"engine": "/api/now/identifyreconcile/enhanced", "table": "/api/now/table/cmdb*"}


class Mishap(StrEnum):
    DIED = "its sender died, it was carried out later"
    LATE = "its answer was lost, it was carried out later"
    LOST = "it was carried out, its answer was lost"
    TWICE = "it came twice"


@dataclass(slots=True, kw_only=True)
class Late:
    """What the trials saw, by path and mishap. ``told``: trials of the Table path with double CIs, which the program
    told of; ``double_edges``: with double edges, told of too. ``unclaimed``: trials in which a single request
    came twice, of which it cannot know, so that it does not count what that made as its own."""

    trials: Counter[str] = field(default_factory=Counter)
    told: int = 0
    double_edges: int = 0
    unclaimed: int = 0
    violations: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """One path to ServiceNow, with what a load of it looks like call by call. ``minute``: as :data:`MINUTE`."""

    sweep: Sweep
    forge: Forge
    path: str
    minute: float = MINUTE

    @cached_property
    def told(self) -> Sequence[str]:
        return self.sweep.told(self.forge)

    @cached_property
    def sent(self) -> Sequence[int]:
        """The calls in which requests of this path begin."""
        return [at for at in writes(self.told) if f" POST {_PATHS[self.path].rstrip('*')}" in self.told[at - 1]]

    def trial(self, seed: int, into: Late, mishap: Mishap | None = None) -> None:
        chosen = random.Random(seed)
        drawn, seconds = chosen.choice(list(Mishap)), chosen.uniform(0.0, self.minute * _LATEST)
        mishap, nth = mishap or drawn, chosen.randrange(len(self.sent)) + 1
        into.trials[f"{self.path}: {mishap}"] += 1
        with Place(estate=self.sweep.estate()) as place:
            self.forge.state.clear()
            stage = Stage(forge=self.forge, place=place, variables=self.sweep.story.variables)
            self.sweep.story.before(stage)
            wrong = list(self._met(stage, mishap, nth, seconds, into))
            into.violations += [f"{self.path} {seed}: {mishap}, write {nth}, {seconds:.2f} s: {one}" for one in wrong]

    def _met(self, stage: Stage, mishap: Mishap, nth: int, seconds: float, into: Late) -> Iterator[str]:
        plan = stage.place.sandbox.servicenow.faults
        number = plan.add(_fault(mishap, self.path, nth, seconds))
        arm = (
            Arm(at=waited_for(self.told, self.sent[nth - 1]), action=Action.KILL_BEFORE)
            if mishap is Mishap.DIED
            else None
        )
        first, begun = stage.run(*LOAD, arm=arm), time.monotonic()
        struck = sum(one.struck for one in plan.listing() if one.number == number)
        if mishap is not Mishap.DIED and not struck:
            yield "nothing happened to it"
        second = stage.run(*LOAD)
        plan.remove(number)
        time.sleep(max(0.0, begun + self.minute - time.monotonic()))  # whatever is still under way has arrived
        third = stage.run(*LOAD)
        twice = list(doubled(stage.place))
        if mishap is Mishap.TWICE and self.path == "table":
            yield from self._told_of(twice, third, into)
            return
        yield from list(faults(stage.place))[:3]
        kept = list(astray(stage.place, stage.forge.state))
        twice_sent = mishap is Mishap.TWICE and self.path == "engine"
        unclaimed = [one for one in kept if twice_sent and one.startswith("the ledger does not say that we ")]
        into.unclaimed += bool(unclaimed)
        yield from [one for one in kept if one not in unclaimed][:3]
        before = stage.place.writes()
        ended = stage.run(*LOAD).code
        if ended != 0 or stage.place.writes() != before:
            yield f"once more ended {ended}, with {stage.place.writes() - before} writes; {first.code}, {second.code}"

    @staticmethod
    def _told_of(twice: Sequence[str], ended: Ended, into: Late) -> Iterator[str]:
        """Nothing can keep the Table API from taking a request twice: a double has to be told of."""
        cis = [one for one in twice if not one.startswith("relation")]
        into.double_edges += len(cis) < len(twice)
        into.told += bool(cis)
        told = {one["rule"] for one in ended.document["findings"]}
        if cis and "base.duplicate" not in told:
            yield f"no load tells of {cis[0]}"
        if len(cis) < len(twice) and "relation.duplicate" not in told:
            yield "no load tells of a double relation"
        if not twice:
            yield "nothing came twice"


def _fault(mishap: Mishap, path: str, nth: int, seconds: float) -> Fault:
    effect = {Mishap.LOST: Effect.RESET_AFTER, Mishap.TWICE: Effect.TWICE}.get(mishap, Effect.LATE)
    return Fault(effect=effect, seconds=seconds, method="POST", path=_PATHS[path], nth=nth)


@contextmanager
def bench(path: str, sweep: Sweep | None = None, minute: float = MINUTE) -> Iterator[Bench]:
    """A fork server for one path. ``sweep``: with another estate or another program."""
    known = {"SNOWLOAD_SERVICENOW__QUARANTINE_SECONDS": str(minute)}
    story = FIRST if path == "engine" else replace(BASE_CLASS, variables=known)
    chosen = replace(sweep or Sweep(devices=6), story=story)
    with chosen.forge() as forge:
        yield Bench(sweep=chosen, forge=forge, path=path, minute=minute)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    seen = Late()
    for path in _PATHS:
        with bench(path) as opened:
            for seed in range(given.seed, given.seed + given.trials // len(_PATHS)):
                opened.trial(seed, seen)
    doubles = (
        f"{seen.told} with double CIs, all told of, {seen.double_edges} with double edges, {seen.unclaimed} unclaimed"
    )
    print(f"{sum(seen.trials.values())} trials: {dict(sorted(seen.trials.items()))}")  # noqa: T201
    print(f"{doubles}, {len(seen.violations)} violations", *seen.violations[:20], sep="\n")  # noqa: T201
    return 1 if seen.violations else 0


if __name__ == "__main__":
    sys.exit(main())
