"""A queue filled and drained by programs that are killed all the time and whose disk is full now and then (Q6).

``python -m tests.crash.queue_kills --devices 3400 --kills 100`` is 10,000 writes and 100 kills.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from errno import ENOSPC
from pathlib import Path
from typing import Any

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.servicenow import oracle
from tests.contracts.conftest import LOCAL_POSTGRES, own_schema
from tests.crash.checker import SOURCE, Place, faults
from tests.crash.harness import KILLED, ROOT, Action, Arm, Ended, Forge, Kinds, build_shim
from tests.crash.order import disorder, out_of_turn, renamed
from tests.crash.states import ServerState

LOAD = ("load", "--env", "testing", "--json")
REPLAY = ("replay-queue", "--env", "testing", "--json")
HELD_BACK = {"SNOWLOAD_SERVICENOW__MODE": "read-only"}
DISKS_FULL = 4
"""Per phase, spread over its kills."""
FILLING = 0.3
"""Share of the kills that fall while the queue is filled; each of the others has a part of it to send."""


@dataclass(slots=True, kw_only=True)
class Seen:
    """What a trial saw. ``violations`` is empty when the promise was kept."""

    writes: int = 0
    renamed: int = 0
    """CIs whose writes came one after the other, so that their order shows."""
    ended: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Trial:
    """One queue, filled and drained. ``kills`` are those that really fell."""

    devices: int
    kills: int
    seed: int = 1
    server: str = ""
    """The URL of a schema on PostgreSQL, in place of a file."""
    package: Path = ROOT
    """Where the program is that is tried."""
    seen: Seen = field(default_factory=Seen)

    def run(self) -> Seen:
        started = time.monotonic()
        estate = Estate.generate(seed=self.seed, sites=max(1, self.devices // 250), devices=self.devices)
        with tempfile.TemporaryDirectory() as name, Place(estate=estate) as place, self._forge(Path(name)) as forge:
            bench = _Bench(forge=forge, place=place, trial=self, random=random.Random(self.seed))
            bench.fill()
            self.seen.seconds["fill"] = round(time.monotonic() - started, 1)
            bench.drain()
            self.seen.seconds["drain"] = round(time.monotonic() - started - self.seen.seconds["fill"], 1)
        return self.seen

    def _forge(self, directory: Path) -> Forge:
        state = ServerState(directory / "state", self.server) if self.server else None
        return Forge(directory=directory, library=build_shim(directory), package=self.package, state=state)

    @property
    def kinds(self) -> Kinds:
        """Calls at which it is ended: a database server is written to through a socket."""
        return Kinds.BOTH if self.server else Kinds.FILES


@dataclass(slots=True, kw_only=True)
class _Bench:
    forge: Forge
    place: Place
    trial: Trial
    random: random.Random
    names: dict[str, list[str]] = field(default_factory=dict)
    """What devices were called afterwards, by key."""

    def fill(self) -> None:
        """Read-only loads, killed again and again; half way some devices get another name, which supersedes."""
        calls = self._program(LOAD, HELD_BACK, Arm(kinds=self.trial.kinds)).calls
        self.forge.clear()
        held: set[str] = set()
        kills = max(2, int(self.trial.kills * FILLING))
        for number in self._killing(LOAD, HELD_BACK, calls, kills):
            if number == kills // 2:
                self._rename("renamed")
            now = self._waiting()
            if lost := held - now:
                self.trial.seen.violations.append(f"fill {number}: {len(lost)} queued writes are gone")
            held = now
        whole = self._program(LOAD, HELD_BACK)
        self.trial.seen.writes = len(self._waiting())
        self._must(whole, 8, "the last load in read-only mode")
        if whole.code == 8 and whole.document["queued"] != self.trial.seen.writes:
            self.trial.seen.violations.append(f"{whole.document['queued']} told, {self.trial.seen.writes} wait")
        if self.place.writes():
            self.trial.seen.violations.append("a write left in read-only mode")

    def drain(self) -> None:
        """Replays of a part of the queue, so that there is something left for each kill; then all the rest. Half way
        some devices get another name again: of those that are written already a second write waits."""
        kills = self.trial.kills - max(2, int(self.trial.kills * FILLING))
        at_once = max(4, self.trial.seen.writes // (kills + 2))
        part = (*REPLAY, "--limit", str(at_once))
        oldest_first = self._in_their_places()
        calls = self._program(part, {}, Arm(kinds=self.trial.kinds)).calls
        for number in self._killing(part, {}, calls, kills):
            self.trial.seen.violations += [f"drain {number}: {one}" for one in self._doubles()]
            if number == kills // 2:
                self._rename("again")
                self._must(self._program(LOAD, HELD_BACK), 8, "the load in read-only mode between replays")
        self.trial.seen.violations += out_of_turn(self.place.witness.sent, oldest_first, at_once)
        last = self._program(REPLAY, {})
        self._must(last, 0, "the last replay")
        if self._waiting():
            self.trial.seen.violations.append(f"{len(self._waiting())} writes still wait")
        self.trial.seen.violations += [*faults(self.place), *self._misnamed(), *self._repeated()]
        self.trial.seen.violations += disorder(self.place.witness.sent, self.names)
        self.trial.seen.renamed = renamed(self.place.witness.sent, self.names)
        before = self.place.writes()
        self._must(self._program(LOAD, {}), 0, "the load afterwards")
        if self.place.writes() != before:
            self.trial.seen.violations.append(f"the load afterwards sent {self.place.writes() - before} writes")

    def _killing(self, command: tuple[str, ...], variables: Mapping[str, str], calls: int, kills: int) -> Iterator[int]:
        """The number of each kill, when it has fallen: before or after a call chosen by the seed. Now and then the disk
        is full from a call on. A run that ends before its call has fewer of them than the first one had."""
        fallen, full = 0, max(1, kills // DISKS_FULL)
        while fallen < kills:
            if fallen % full == 0:
                at = self.random.randint(1, calls)
                full_disk = Arm(
                    at=at,
                    action=Action.FAIL_FOREVER,
                    kinds=self.trial.kinds,
                    failing=Kinds.FILES,
                    number=ENOSPC,
                )
                self._program(command, variables, full_disk)
            side = self.random.choice((Action.KILL_BEFORE, Action.KILL_AFTER))
            arm = Arm(at=self.random.randint(1, calls), action=side, kinds=self.trial.kinds)
            ended = self._program(command, variables, arm)
            if ended.code == KILLED:
                yield fallen
                fallen += 1
            else:
                calls = max(1, min(calls, ended.calls))

    def _program(self, command: tuple[str, ...], variables: Mapping[str, str], arm: Arm | None = None) -> Ended:
        environment = {**self.place.sandbox.environment(), **variables}
        ended = self.forge.run(*command, environment=environment, arm=arm)
        full = arm is not None and arm.action is Action.FAIL_FOREVER
        name = "killed" if ended.code == KILLED else f"disk full, exit {ended.code}" if full else f"exit {ended.code}"
        self.trial.seen.ended[name] += 1
        if ended.code not in (0, 3, 5, 8, KILLED):
            self.trial.seen.violations.append(f"{' '.join(command)} {arm} ended {ended.code}: {ended.err[-400:]}")
        if ended.code in (0, 8) and (told := _waits(ended)) != (there := len(self._waiting())):
            self.trial.seen.violations.append(f"{' '.join(command)} {arm}: {told} wait, it says, and {there} do")
        return ended

    def _must(self, ended: Ended, code: int, what: str) -> None:
        if ended.code != code:
            self.trial.seen.violations.append(f"{what} ended {ended.code}: {ended.err[-300:]}")

    def _rename(self, word: str) -> None:
        for console in self.place.estate.consoles():
            for device in self.place.estate.devices(console.host_id)[:10]:
                if device.adopted and device.name:
                    name = f"{word}-{device.mac[-4:].lower()}"
                    self.names.setdefault(f"device/{device.mac.lower()}", []).append(name)
                    self.place.estate.rename_device(device.mac, name)

    def _waiting(self) -> set[str]:
        """Subjects that are not over, read from the database itself."""
        return set(self._rows("SELECT subject FROM journal WHERE state IN ('open', 'unknown', 'later')"))

    def _in_their_places(self) -> list[str]:
        """The CIs that wait, oldest first."""
        waiting = "SELECT subject FROM journal WHERE state = 'later' ORDER BY coalesce(origin, id)"
        return [subject for subject in self._rows(waiting) if subject.startswith("device/")]

    def _repeated(self) -> Iterator[str]:
        """A write that was brought about twice."""
        done = "SELECT subject FROM journal WHERE state = 'done'"
        twice = self._rows(f"{done} GROUP BY subject, change_type, content HAVING count(*) > 1")
        yield from (f"{subject} was written twice" for subject in twice)

    def _rows(self, query: str) -> list[str]:
        return [str(row[0]) for row in self.forge.state.rows(query)]

    def _doubles(self) -> Iterator[str]:
        instance = self.place.app.instance
        doubles: Mapping[str, Any] = {**oracle.duplicate_keys(instance, SOURCE), **oracle.duplicate_edges(instance)}
        yield from (f"{value} is there {len(ids)} times" for value, ids in doubles.items())

    def _misnamed(self) -> Iterator[str]:
        """The newest of the writes that waited is the one that counts."""
        there = oracle.by_native_key(self.place.app.instance, SOURCE)
        for key, names in self.names.items():
            if key not in there or names[-1] not in there[key].name:
                yield f"{key} is not called {names[-1]}"


def _waits(ended: Ended) -> int:
    """How many writes wait by the document of a replay, or of a load that may have left none unseen."""
    document = ended.document
    return int(document.get("left", document["queued"]))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=3400)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--server", action="store_true", help="state on PostgreSQL")
    asked = parser.parse_args(arguments)
    with ExitStack() as stack:
        url = os.environ.get("SNOWLOAD_TEST_POSTGRES_URL") or LOCAL_POSTGRES
        server = stack.enter_context(own_schema(url)) if asked.server else ""
        seen = Trial(devices=asked.devices, kills=asked.kills, seed=asked.seed, server=server).run()
    told = {"writes": seen.writes, "renamed": seen.renamed, "ended": dict(seen.ended), "seconds": seen.seconds}
    sys.stdout.write(json.dumps({**told, "violations": seen.violations[:20]}, indent=2) + "\n")
    return 1 if seen.violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
