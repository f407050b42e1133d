"""No read that was partial, empty, cut, shifted, stale or counted before ever retires anything (Q9, L5)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beast_dream_snow_loader.core.changes import ChangeType, ItemChange
from beast_dream_snow_loader.core.desired import ConfigItem, DesiredState
from beast_dream_snow_loader.core.guards import excess
from beast_dream_snow_loader.core.identity import SourceKey, SysId
from beast_dream_snow_loader.core.known import KnownItem, KnownState
from beast_dream_snow_loader.core.observed import Snapshot
from beast_dream_snow_loader.core.ports import Settlement
from beast_dream_snow_loader.core.presence import Attendance, RetirePolicy, State, take_attendance
from beast_dream_snow_loader.core.receipts import Operation, Outcome, Receipt
from beast_dream_snow_loader.core.retirement import farewell
from beast_dream_snow_loader.core.scope import EVERYTHING, Scope
from beast_dream_snow_loader.core.status import Statuses
from beast_dream_snow_loader.state.store import open_store
from tests.presence.towns import Fault, Town
from tests.state.conftest import StillClock

POLICY = RetirePolicy(enabled=True)
STORIES, READS = 2_000, 12
IN_SERVICE = {"install_status": "1", "operational_status": "1"}
NOTHING_IN_SCOPE = Scope(sites=frozenset({"elsewhere"}))
FAULTS = (*(Fault.NONE,) * len(Fault), *Fault)


class Memory:
    """A ledger as small as can be: it keeps what a read says of each CI once."""

    def __init__(self, town: Town) -> None:
        self.state = KnownState(items={key_of(mac): _known(town, mac) for mac in town.there})

    def known(self) -> KnownState:
        return self.state

    def attend(self, attendance: Attendance) -> None:
        items, at = dict(self.state.items), attendance.taken_at
        for key, mark in attendance.marks.items():
            item = items[key]
            newer = mark.read_at == at and (item.read_at is None or item.read_at < at)
            if newer and (item.missing_reads or not mark.here or mark.new_place):
                changes = {"missing_reads": mark.reads, "missing_since": mark.since, "read_at": at}
                places = {"lane": mark.lane, "site": mark.site, "cloud_only": mark.cloud_only} if mark.here else {}
                items[key] = replace(item, **changes, **places)
        self.state = KnownState(items=items)

    def retire(self, change: ItemChange, town: Town) -> None:
        item = self.state.items[change.item.key]
        self.state = KnownState(items={**self.state.items, item.key: replace(item, retired_at=town.now)})


class Database(Memory):
    """The real ledger, with the journal that writes it."""

    def __init__(self, town: Town, url: str) -> None:
        self.store = open_store(url, StillClock()).__enter__()
        for mac in town.there:
            item = _item(town, mac)
            self._settle(ItemChange(type=ChangeType.CREATE, item=item, send=item.values), Operation.INSERTED)

    def known(self) -> KnownState:
        return self.store.ledger.known()

    def attend(self, attendance: Attendance) -> None:
        self.store.ledger.attend(attendance)

    def retire(self, change: ItemChange, town: Town) -> None:
        self._settle(change, Operation.UPDATED)

    def _settle(self, change: ItemChange, how: Operation) -> None:
        sys_id = SysId(change.item.key.mac.zfill(32))
        done = Receipt(subject=change.subject, outcome=Outcome.DONE, operation=how, sys_id=sys_id)
        self.store.journal.intend("run", [change])
        self.store.journal.settle("run", [Settlement(change=change, receipt=done)])


def key_of(mac: str) -> SourceKey:
    return SourceKey("device", mac)


def _known(town: Town, mac: str) -> KnownItem:
    item = _item(town, mac)
    return KnownItem(
        key=item.key,
        sys_id=SysId(mac.zfill(32)),
        class_name="cmdb_ci_ip_switch",
        created_by_us=True,
        written=item.values,
        lane=item.lane,
        site=item.site or "",
        kind=item.kind,
        cloud_only=item.cloud_only,
    )


def _item(town: Town, mac: str) -> ConfigItem:
    place = town.there[mac]
    return ConfigItem(
        key=key_of(mac),
        kind="switch",
        lane=place.console,
        site=place.site or None,
        class_chain=("cmdb_ci_ip_switch",),
        class_name="cmdb_ci_ip_switch",
        values=IN_SERVICE,
        name_forms=(),
        cloud_only=not place.site,
    )


def attended(ledger: Memory, snapshot: Snapshot, fault: Fault) -> Attendance:
    scope = NOTHING_IN_SCOPE if fault is Fault.FILTERED else EVERYTHING
    return take_attendance(snapshot, DesiredState(items={}), ledger.known(), POLICY, scope=scope, clients=False)


def story(chance: Random, town: Town, ledger: Memory, met: Counter[str]) -> None:
    """Reads one after another, each with a fault or none; every retirement is judged by what is honestly known."""
    for _ in range(READS):
        fault = chance.choice(FAULTS)
        town.live(fault)
        snapshot = town.read(fault)
        if fault is Fault.STALE:
            continue  # the pipeline takes no attendance of a snapshot from memory
        attendance = attended(ledger, snapshot, fault)
        ledger.attend(attendance)
        if fault is Fault.REPEATED:
            attendance = attended(ledger, snapshot, fault)
            ledger.attend(attendance)
        met.update(mark.state.value for mark in attendance.marks.values())
        retire(town, ledger, attendance, fault, met)
    met.update(town.met)


def retire(town: Town, ledger: Memory, attendance: Attendance, fault: Fault, met: Counter[str]) -> None:
    items = ledger.known().items
    gone = [replace(items[key], stored=items[key].written) for key in attendance.of(State.GONE)]
    changes = farewell(gone, Statuses(), present=()).changes
    leaving = [change.known for change in changes if change.known is not None]
    if leaving and excess(leaving, items.values(), POLICY):
        met["refused"] += 1
        return
    for change in changes:
        judge(town, change.item.key.mac, fault)
        ledger.retire(change, town)
        met["retirement"] += 1


def judge(town: Town, mac: str, fault: Fault) -> None:
    looks = town.looks.get(mac, [])
    assert mac not in town.there, f"{mac} is there and was retired by a read that was {fault}"
    assert len(looks) >= POLICY.missing_reads, f"{mac} was looked for {len(looks)} times"
    assert town.now - looks[0] >= timedelta(days=14), f"{mac} is missing since {looks[0]}"


@given(st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_whatever_the_reads_were_like_only_what_is_gone_is_retired(chance: Random) -> None:
    town = Town.founded(chance)
    story(chance, town, Memory(town), Counter())


def test_ten_thousand_bad_reads_lose_nothing_but_what_is_gone() -> None:
    """Q9. The counts say that every fault, every state and real retirements were reached."""
    met: Counter[str] = Counter()
    for seed in range(STORIES):
        chance = Random(seed)
        town = Town.founded(chance)
        story(chance, town, Memory(town), met)
    assert sum(met[fault] for fault in Fault if fault is not Fault.NONE) >= 10_000, met
    assert all(met[fault] > 300 for fault in Fault), met
    assert met["retirement"] > 300, met
    reached = {State.PRESENT, State.MOVED, State.RETURNED, State.MISSING, State.GONE, State.RETIRED, State.UNREAD}
    assert all(met[state] > 10 for state in reached), met


@pytest.mark.parametrize("seed", range(3))
def test_the_ledger_on_disk_tells_the_same_stories(url: str, seed: int) -> None:
    told = []
    for database in (False, True):
        chance, met = Random(seed), Counter[str]()
        town = Town.founded(chance)
        story(chance, town, Database(town, url) if database else Memory(town), met)
        told.append(met)
    assert told[0] == told[1]
