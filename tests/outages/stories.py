"""Outages one after another, fetched, mapped, planned and counted by the real rules over the real memory and ledger;
whatever is decided is judged by what was read in that very run (Q18).

``python -m tests.outages.stories`` is what ``make outages`` runs: 10,000 outages.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import cast

from beast_dream_snow_loader.core.changes import Change, ItemChange, LinkChange, Plan
from beast_dream_snow_loader.core.desired import DesiredState
from beast_dream_snow_loader.core.events import ignore
from beast_dream_snow_loader.core.identity import SysId
from beast_dream_snow_loader.core.mapping import map_snapshot
from beast_dream_snow_loader.core.mapping_rules import MappingRules
from beast_dream_snow_loader.core.normalize import cmdb_time
from beast_dream_snow_loader.core.planner import make_plan
from beast_dream_snow_loader.core.ports import Cmdb, Settlement
from beast_dream_snow_loader.core.presence import RetirePolicy, State, take_attendance
from beast_dream_snow_loader.core.receipts import Operation, Outcome, Receipt
from beast_dream_snow_loader.core.scope import EVERYTHING, decidable
from beast_dream_snow_loader.dispatch.inline import spread
from beast_dream_snow_loader.errors import SourceUnavailable
from beast_dream_snow_loader.operations.healing import Healings
from beast_dream_snow_loader.pipeline.steps.fetch import Fetched, fetch
from beast_dream_snow_loader.pipeline.world import Order, World
from beast_dream_snow_loader.state.store import Store, open_store
from tests.outages.estates import Estate, Outage, StoryClock

RULES = MappingRules()
POLICY = RetirePolicy(enabled=True, grace=timedelta(days=2), missing_reads=2)
READS = 12
REACHED = (
    *Outage,
    "stale console",
    "all stale",
    "nothing usable",
    "tempted",
    "moved",
    "missing",
    "gone",
    "unlink",
    "roamed",
)


@dataclass(slots=True, kw_only=True)
class Story:
    """``lax``: the rule that nothing is decided from memory is left out, to see that the judge would notice."""

    chance: Random
    store: Store
    clock: StoryClock
    met: Counter[str]
    lax: bool = False
    number: int = 0
    estate: Estate = field(init=False)

    def tell(self) -> int:
        """How many runs there were with it. It begins long after the last one."""
        self.clock.sleep(30 * 86400)
        self.estate = Estate.founded(self.chance, self.clock)
        self.store.ledger.forget(self.store.ledger.known().items)
        for read in range(READS):
            outage = Outage.NONE if read == 0 else self.chance.choice((*Outage, Outage.NONE))
            self.estate.live()
            self.estate.suffer(outage)
            self.met[outage] += 1
            self._run()
        return self.number

    def _run(self) -> None:
        self.number += 1
        order = Order(run_id=f"run-{self.number}", target="t", rules=RULES, stale_max_age=3 * 86400.0)
        try:
            fetched = fetch(self._world(), order)
        except SourceUnavailable:
            self.met["nothing usable"] += 1
            assert self.estate.outage is Outage.ALL
            return
        desired = map_snapshot(fetched.snapshot, RULES)
        self._count(fetched, desired)
        known = self.store.ledger.known()
        plan = make_plan(desired, known, now=self.clock.now(), rules=RULES)
        kept = plan if self.lax else decidable(plan, desired, EVERYTHING)
        self.met["tempted"] += len({c.subject for c in _all(plan)} - {c.subject for c in _all(kept)})
        self._judge(kept)
        self.store.ledger.watch(kept.watched)
        if fetched.live:
            attendance = take_attendance(fetched.snapshot, desired, known, POLICY, scope=EVERYTHING, clients=False)
            told = self.estate.listed.keys() | self.estate.seen.keys()
            for key, mark in attendance.marks.items():
                self.met[mark.state] += 1
                looked = self.estate.really_looked(key.mac, mark.lane)
                assert mark.state not in (State.MISSING, State.GONE) or looked, f"{key} is missed, nobody looked"
                assert not mark.here or key.mac in told, f"{key} is called seen, nobody saw it"
            self.store.ledger.attend(attendance)
        self._carry_out(order.run_id, _all(kept))

    def _world(self) -> World:
        return World(
            source=self.estate,
            cmdb=cast(Cmdb, None),
            journal=self.store.journal,
            ledger=self.store.ledger,
            memory=self.store.memory,
            clock=self.clock,
            listener=ignore,
            spread=spread,
            healings=Healings(self.clock),
            audit=self.store.audit.trail(None, "story"),
        )

    def _count(self, fetched: Fetched, desired: DesiredState) -> None:
        stale = {item.key.mac for item in desired.items.values() if item.stale}
        self.met["stale console"] += len(fetched.snapshot.aged)
        self.met["all stale"] += not fetched.live
        self.met["roamed"] += sum(mac in self.estate.seen for mac in self.estate.once_elsewhere)
        assert not stale & self.estate.seen.keys(), "what was read now is shown from memory"
        assert all(one.seconds >= 0 for one in fetched.snapshot.aged)
        macs = [device.mac for device in fetched.snapshot.devices]
        assert len(macs) == len(set(macs)), "a device is shown twice"

    def _judge(self, plan: Plan) -> None:
        """Every change is about a device that was read in this run, and says what was read."""
        now = cmdb_time(self.clock.now())
        for change in plan.items:
            mac = change.item.key.mac
            seen = self.estate.seen.get(mac) or self.estate.listed.get(mac)
            assert seen is not None, f"{change.type} of {change.subject} is decided from memory"
            if "firmware_version" in change.send:
                assert change.send["firmware_version"] == seen.firmware, f"{change.subject} is written from memory"
            called_seen = change.send.get("last_discovered") == now
            assert called_seen == (mac in self.estate.seen), f"{change.subject} is called seen: {called_seen}"
        for edge in (*(link.relation for link in plan.links), *(unlink.known for unlink in plan.unlinks)):
            self.met["unlink"] += bool(plan.unlinks)
            assert edge.lower.mac in self.estate.seen, f"the edge of {edge.lower} is decided from memory"
        for link in plan.links:
            assert self.estate.seen[link.relation.lower.mac].uplink_mac in (link.relation.upper.mac, None)
        for carrier in plan.carriers.values():
            if carrier.item.key.mac not in self.estate.seen:
                assert carrier.send.get("last_discovered") != now, f"{carrier.subject} is called seen when named"

    def _carry_out(self, run_id: str, changes: list[Change]) -> None:
        """Now and then a write is refused: what it was for stays to be done, by whoever reads the device."""
        done = [change for change in changes if self.chance.random() > 0.1]
        if done:
            self.store.journal.intend(run_id, done)
            self.store.journal.settle(run_id, [Settlement(change=one, receipt=_receipt(one)) for one in done])


def _all(plan: Plan) -> list[Change]:
    return [*plan.items, *plan.links, *plan.unlinks]


def _receipt(change: Change) -> Receipt:
    if isinstance(change, ItemChange):
        how = Operation.UPDATED if change.known is not None else Operation.INSERTED
        sys_id = SysId(change.item.key.mac.zfill(32))
        return Receipt(subject=change.subject, outcome=Outcome.DONE, operation=how, sys_id=sys_id)
    how = Operation.INSERTED if isinstance(change, LinkChange) else Operation.UNLINKED
    return Receipt(subject=change.subject, outcome=Outcome.DONE, operation=how)


def outages(met: Counter[str]) -> int:
    return sum(met[outage] for outage in Outage if outage is not Outage.NONE)


def never(met: Counter[str], least: int) -> Iterator[str]:
    """What was not reached often enough for the stories to mean anything."""
    return (str(name) for name in REACHED if met[name] < least)


def tell(seeds: Iterable[int], met: Counter[str], *, enough: int = 0) -> None:
    """A story for each seed, until there were ``enough`` outages."""
    clock, told = StoryClock(), 0
    with tempfile.TemporaryDirectory() as home, opened(Path(home), clock) as store:
        for seed in seeds:
            told = Story(chance=Random(seed), store=store, clock=clock, met=met, number=told).tell()
            if enough and outages(met) >= enough:
                return


def opened(home: Path, clock: StoryClock) -> Store:
    return open_store(f"sqlite:///{home / 'state' / 'state.sqlite'}", clock)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--outages", type=int, default=10_000)
    asked = parser.parse_args()
    met: Counter[str] = Counter()
    started = time.monotonic()
    tell(range(asked.seed, asked.seed + asked.outages), met, enough=asked.outages)
    print(f"{outages(met)} outages, {time.monotonic() - started:.0f} seconds")  # noqa: T201
    print(", ".join(f"{name} {count}" for name, count in sorted(met.items())))  # noqa: T201
    missed = list(never(met, least=100))
    print("\n".join(f"hardly ever: {name}" for name in missed))  # noqa: T201
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
