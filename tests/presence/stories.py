"""Reads of a town one after another, taken in by the real rules and the real ledger; retirements judged by the town.

``python -m tests.presence.stories`` is what ``make presence`` runs: 10,000 towns drawn by Hypothesis.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from beast_dream_snow_loader.core.changes import ChangeType, ItemChange
from beast_dream_snow_loader.core.desired import ConfigItem, DesiredState
from beast_dream_snow_loader.core.guards import excess
from beast_dream_snow_loader.core.identity import SourceKey, SysId
from beast_dream_snow_loader.core.ports import Settlement
from beast_dream_snow_loader.core.presence import Attendance, RetirePolicy, State, take_attendance
from beast_dream_snow_loader.core.receipts import Operation, Outcome, Receipt
from beast_dream_snow_loader.core.retirement import farewell
from beast_dream_snow_loader.core.scope import EVERYTHING, Scope, resolved
from beast_dream_snow_loader.core.status import Statuses
from beast_dream_snow_loader.state.store import Store, open_store
from tests.presence.towns import Asked, Fault, Town
from tests.state.conftest import StillClock

POLICY = RetirePolicy(enabled=True)
READS = 12
IN_SERVICE = {"install_status": "1", "operational_status": "1"}
FAULTS = (*(Fault.NONE,) * len(Fault), *Fault, *(Fault.REPEATED,) * 2)
REACHED = (State.PRESENT, State.MOVED, State.RETURNED, State.MISSING, State.GONE, State.RETIRED, State.UNREAD)


class Book:
    """The ledger, written as a load writes it: through the journal. It begins with the town as it was founded."""

    def __init__(self, store: Store, town: Town) -> None:
        self.store = store
        store.ledger.forget(store.ledger.known().items)
        items = [_item(town, mac) for mac in town.there]
        self._settle([ItemChange(type=ChangeType.CREATE, item=i, send=i.values) for i in items], Operation.INSERTED)

    def attended(self, town: Town) -> Attendance:
        """The last read counted by the rule, and what it says written down."""
        snapshot = town.snapshot
        scope = EVERYTHING if town.asked is None else resolved(_scope(town.asked), snapshot)
        known, nothing = self.store.ledger.known(), DesiredState(items={})
        attendance = take_attendance(snapshot, nothing, known, POLICY, scope=scope, clients=False)
        self.store.ledger.attend(attendance)
        return attendance

    def retire(self, changes: Iterable[ItemChange]) -> None:
        self._settle(list(changes), Operation.UPDATED)

    def _settle(self, changes: list[ItemChange], how: Operation) -> None:
        self.store.journal.intend("run", changes)
        self.store.journal.settle("run", [Settlement(change=one, receipt=_done(one, how)) for one in changes])


def _done(change: ItemChange, how: Operation) -> Receipt:
    sys_id = SysId(change.item.key.mac.zfill(32))
    return Receipt(subject=change.subject, outcome=Outcome.DONE, operation=how, sys_id=sys_id)


def _item(town: Town, mac: str) -> ConfigItem:
    place = town.there[mac]
    return ConfigItem(
        key=SourceKey("device", mac),
        kind="switch",
        lane=place.console,
        site=place.site or None,
        class_chain=("cmdb_ci_ip_switch",),
        class_name="cmdb_ci_ip_switch",
        values=IN_SERVICE,
        name_forms=(),
        cloud_only=not place.site,
    )


def _scope(asked: Asked) -> Scope:
    return Scope(**{name: frozenset({word}) for name, word in asked.words.items()})


def story(chance: Random, store: Store, met: Counter[str]) -> None:
    """Reads one after another, each with a fault or none; every retirement is judged by what is honestly known."""
    town = Town.founded(chance)
    book = Book(store, town)
    for _ in range(READS):
        fault = chance.choice(FAULTS)
        town.live(fault)
        town.read(fault)
        attendance = book.attended(town)
        if fault is Fault.REPEATED:
            attendance = book.attended(town)
        met.update(mark.state.value for mark in attendance.marks.values())
        if gone := attendance.of(State.GONE):
            _retire(town, book, gone, fault, met)
    met.update(town.met)


def _retire(town: Town, book: Book, gone: Iterable[SourceKey], fault: Fault, met: Counter[str]) -> None:
    items = book.store.ledger.known().items
    changes = farewell([replace(items[key], stored=items[key].written) for key in gone], Statuses(), present=()).changes
    leaving = [change.known for change in changes if change.known is not None]
    if excess(leaving, items.values(), POLICY):
        met["refused"] += 1
        return
    for change in changes:
        _judge(town, change.item.key.mac, fault)
    book.retire(changes)
    met["retirement"] += len(changes)


def _judge(town: Town, mac: str, fault: Fault) -> None:
    looks = town.looks.get(mac, [])
    assert mac not in town.there, f"{mac} is there and was retired by a read that was {fault}"
    assert len(looks) >= POLICY.missing_reads, f"{mac} was looked for {len(looks)} times"
    assert town.now - looks[0] >= timedelta(days=14), f"{mac} is missing since {looks[0]}"


def bad_reads(met: Counter[str]) -> int:
    return sum(met[fault] for fault in Fault if fault is not Fault.NONE)


def never(met: Counter[str], least: int) -> list[str]:
    """What was not reached often enough for the stories to mean anything."""
    return [name for name in (*Fault, *REACHED, "retirement") if met[name] < least]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--examples", type=int, default=10_000)
    asked = parser.parse_args()
    met: Counter[str] = Counter()
    started = time.monotonic()

    with tempfile.TemporaryDirectory() as home:
        store = open_store(f"sqlite:///{Path(home) / 'state' / 'state.sqlite'}", StillClock())

        @seed(asked.seed)
        @settings(
            max_examples=asked.examples,
            deadline=None,
            database=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )
        @given(st.randoms(use_true_random=False))
        def told(chance: Random) -> None:
            met["inventory"] += 1
            story(chance, store, met)

        with store:
            told()
    print(f"{met['inventory']} inventories, {bad_reads(met)} bad reads, {time.monotonic() - started:.0f} seconds")  # noqa: T201
    print(", ".join(f"{name} {count}" for name, count in sorted(met.items())))  # noqa: T201
    missed = never(met, least=300)
    print("\n".join(f"hardly ever: {name}" for name in missed))  # noqa: T201
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
