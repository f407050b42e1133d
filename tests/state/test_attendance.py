"""Who is missing is counted once per read, so that retirement stands on firm ground (cmdb-model 6.10)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from beast_dream_snow_loader.core.changes import ChangeType, ItemChange
from beast_dream_snow_loader.core.desired import ConfigItem
from beast_dream_snow_loader.core.identity import SourceKey, SysId
from beast_dream_snow_loader.core.ports import Settlement
from beast_dream_snow_loader.core.presence import Attendance, Mark, State
from beast_dream_snow_loader.core.receipts import Operation, Outcome, Receipt
from beast_dream_snow_loader.state.store import open_store

HERE, AWAY = SourceKey("device", "0" * 12), SourceKey("device", "f" * 12)


def settled(key: SourceKey, kind: ChangeType = ChangeType.CREATE, **send: str) -> Settlement:
    item = ConfigItem(
        key=key,
        kind="switch",
        lane="c",
        site=None,
        class_chain=("cmdb_ci_netgear",),
        values={"name": "n"},
        name_forms=(),
    )
    change = ItemChange(type=kind, item=item, send=send or item.values)
    sys_id = SysId(key.mac.zfill(32))
    how = Operation.INSERTED if kind is ChangeType.CREATE else Operation.UPDATED
    done = Receipt(subject=change.subject, outcome=Outcome.DONE, operation=how, sys_id=sys_id)
    return Settlement(change=change, receipt=done)


def write(store, *settlements: Settlement) -> None:
    store.journal.intend("run-1", [settlement.change for settlement in settlements])
    store.journal.settle("run-1", settlements)


@pytest.fixture
def store(url, clock):
    with open_store(url, clock) as opened:
        write(opened, settled(HERE), settled(AWAY))
        yield opened


@pytest.fixture
def attend(store, clock):
    """Takes over a read made ``hours`` from now: AWAY missed for the ``missed``-th time, HERE seen."""

    def take(hours: int, missed: int, **place: object) -> None:
        at = clock.now() + timedelta(hours=hours)
        since = clock.now() if missed else None
        here = Mark(key=HERE, state=State.PRESENT, lane="c", site="", kind="switch", read_at=at)
        away = replace(here, key=AWAY, state=State.MISSING if missed else State.PRESENT, since=since, reads=missed)
        marks = {HERE: replace(here, **place), AWAY: away}
        store.ledger.attend(Attendance(taken_at=at, marks=marks))

    return take


def missing(store, key):
    item = store.ledger.known().items[key]
    return item.missing_reads, item.missing_since


def test_the_counters_of_a_read_are_kept(store, attend, clock):
    attend(0, missed=1)
    attend(1, missed=2)
    assert missing(store, AWAY) == (2, clock.now())
    assert missing(store, HERE) == (0, None)


def test_a_read_that_was_counted_already_or_is_older_changes_nothing(store, attend, clock):
    attend(2, missed=1)
    attend(2, missed=2)
    attend(1, missed=0)
    assert missing(store, AWAY) == (1, clock.now())


def test_who_is_seen_again_is_no_longer_missing(store, attend):
    attend(0, missed=1)
    attend(1, missed=0)
    assert missing(store, AWAY) == (0, None)


def test_who_is_written_while_missing_stays_missing(store, attend, clock):
    attend(0, missed=1)
    write(store, settled(AWAY, ChangeType.UPDATE, name="m"))
    assert missing(store, AWAY) == (1, clock.now())


def test_a_new_place_is_kept_even_though_nothing_was_written(store, attend):
    attend(0, missed=0, lane="d", site="s", cloud_only=True, new_place=True)
    item = store.ledger.known().items[HERE]
    assert (item.lane, item.site, item.cloud_only, item.kind) == ("d", "s", True, "switch")


def test_a_retired_ci_stays_retired_until_its_status_is_set_back(store, clock):
    write(store, settled(AWAY, ChangeType.RETIRE, install_status="7", operational_status="6"))
    before = store.ledger.known().items[AWAY]
    assert before.retired_at == clock.now()
    write(store, settled(AWAY, ChangeType.UPDATE, ip_address="192.0.2.1"))
    assert store.ledger.known().items[AWAY].retired_at == clock.now()
    write(store, settled(AWAY, ChangeType.UPDATE, install_status="1", operational_status="1"))
    assert store.ledger.known().items[AWAY].retired_at is None


def test_a_retirement_leaves_what_is_known_of_the_fields_as_it_was(store):
    before = store.ledger.known().items[AWAY].fingerprint
    retired = settled(AWAY, ChangeType.RETIRE, install_status="7", operational_status="6")
    write(store, replace(retired, change=replace(retired.change, item=replace(retired.change.item, values={}))))
    assert store.ledger.known().items[AWAY].fingerprint == before


def test_what_others_did_to_a_status_is_remembered(store, clock):
    store.ledger.settled_without_us([AWAY], clock.now())
    assert store.ledger.known().items[AWAY].retired_at == clock.now()
    store.ledger.settled_without_us([AWAY], None)
    assert store.ledger.known().items[AWAY].retired_at is None
