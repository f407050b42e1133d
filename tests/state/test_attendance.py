"""Who is missing is counted only over complete reads, so that retirement stands on firm ground (cmdb-model 6.10)."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from beast_dream_snow_loader.core.changes import ChangeType, ItemChange
from beast_dream_snow_loader.core.desired import ConfigItem
from beast_dream_snow_loader.core.identity import SourceKey, SysId
from beast_dream_snow_loader.core.ports import Settlement
from beast_dream_snow_loader.core.receipts import Operation, Outcome, Receipt
from beast_dream_snow_loader.state.store import open_store

HERE, AWAY = SourceKey("device", "0" * 12), SourceKey("device", "f" * 12)


def created(key: SourceKey) -> Settlement:
    item = ConfigItem(
        key=key,
        kind="switch",
        lane="c",
        site=None,
        class_chain=("cmdb_ci_netgear",),
        values={"name": "n"},
        name_forms=(),
    )
    change = ItemChange(type=ChangeType.CREATE, item=item, send=item.values)
    sys_id = SysId(key.mac.zfill(32))
    done = Receipt(subject=change.subject, outcome=Outcome.DONE, operation=Operation.INSERTED, sys_id=sys_id)
    return Settlement(change=change, receipt=done)


@pytest.fixture
def ledger(url, clock):
    with open_store(url, clock) as store:
        settlements = [created(HERE), created(AWAY)]
        store.journal.intend("run-1", [settlement.change for settlement in settlements])
        store.journal.settle("run-1", settlements)
        yield store.ledger


@pytest.fixture
def missing(file):
    """(reads missed, since when) of a key, as the table has it."""

    def look(key: SourceKey) -> tuple[int, str | None]:
        with closing(sqlite3.connect(file)) as connection:
            question = "SELECT missing_reads, missing_since FROM ledger_items WHERE key = ?"
            return connection.execute(question, [str(key)]).fetchone()

    return look


def test_a_complete_read_counts_those_it_did_not_find_from_the_first_time_on(ledger, missing, clock):
    for hours in range(3):
        ledger.seen([HERE], complete=True, at=clock.now() + timedelta(hours=hours))
    assert missing(AWAY) == (3, "2026-11-24T12:00:00.000000Z")
    assert missing(HERE) == (0, None)


def test_an_incomplete_read_calls_nobody_missing(ledger, missing, clock):
    ledger.seen([HERE], complete=False, at=clock.now())
    assert missing(AWAY) == (0, None)


def test_who_is_seen_again_is_no_longer_missing_even_by_an_incomplete_read(ledger, missing, clock):
    ledger.seen([HERE], complete=True, at=clock.now())
    ledger.seen([AWAY], complete=False, at=clock.now())
    assert missing(AWAY) == (0, None)


def test_who_is_written_while_missing_stays_missing(url, ledger, missing, clock):
    ledger.seen([HERE], complete=True, at=clock.now())
    with open_store(url, clock) as store:
        store.journal.intend("run-2", [created(AWAY).change])
        store.journal.settle("run-2", [created(AWAY)])
    assert missing(AWAY) == (1, "2026-11-24T12:00:00.000000Z")
