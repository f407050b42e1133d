"""A batch costs the same number of statements whatever its size."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine, event

from beast_dream_snow_loader.core.receipts import Operation
from beast_dream_snow_loader.core.run import Run, RunStatus

VERB_AND_TABLE = re.compile(r"(?P<verb>SELECT\b.*?\bFROM|INSERT INTO|UPDATE|DELETE FROM)\s+(?P<table>\w+)", re.DOTALL)


@contextmanager
def counted() -> Iterator[list[str]]:
    """What reaches a database driver: verb and table of each statement, a bulk statement being one, and commits."""
    seen: list[str] = []

    def statement(_connection, _cursor, text, *_more):
        if found := VERB_AND_TABLE.match(text):
            seen.append(f"{found['verb'].split()[0]} {found['table']}")

    def commit(_connection):
        seen.append("COMMIT")

    event.listen(Engine, "before_cursor_execute", statement)
    event.listen(Engine, "commit", commit)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", statement)
        event.remove(Engine, "commit", commit)


AUDIT = ["SELECT audit_log", "INSERT audit_log"]
"""The end of the chain is looked up in the transaction that goes on with it: others write to it too (R5.2)."""
INTEND = ["SELECT journal", "INSERT journal", *AUDIT, "COMMIT"]
INTEND_AGAIN = ["SELECT journal", "UPDATE journal", "INSERT journal", *AUDIT, "COMMIT"]
SETTLE = [
    "SELECT journal",
    "UPDATE journal",
    "SELECT ledger_items",
    "INSERT ledger_items",
    "SELECT ledger_items",
    "INSERT ledger_relations",
    *AUDIT,
    "COMMIT",
]


@pytest.mark.parametrize("size", [1, 250])
def test_intending_and_settling_a_batch_take_these_statements_in_one_transaction_each(store, make, size):
    links = [make.link(number, number + 1) for number in range(size)]
    changes = [*(make.change(number) for number in range(size)), *links]
    settlements = [make.inserted(number) for number in range(size)]
    settlements += [make.settlement(link, operation=Operation.LINKED) for link in links]
    store.journal.intend("run-0", [make.change(1000)])  # the chain begins, and is looked at once by each process
    with counted() as intending:
        store.journal.intend("run-1", changes)
    with counted() as again:
        store.journal.intend("run-2", changes)
    with counted() as settling:
        store.journal.settle("run-2", settlements)
    assert (intending, again, settling) == (INTEND, INTEND_AGAIN, SETTLE)


@pytest.mark.parametrize("size", [1, 250])
def test_what_is_known_is_read_with_two_statements(store, make, size):
    store.journal.intend("run-1", [make.change(number) for number in range(size)])
    store.journal.settle("run-1", [make.inserted(number) for number in range(size)])
    with counted() as reading:
        store.ledger.known()
    assert reading == ["SELECT ledger_items", "SELECT ledger_relations"]


@pytest.mark.parametrize("size", [1, 250])
def test_the_history_is_read_with_three_statements_and_the_ledger_counted_with_four(store, make, size):
    store.journal.intend("run-1", [make.change(number) for number in range(size)])
    store.journal.settle("run-1", [make.inserted(number) for number in range(size)])
    for number in range(size):
        at = make.noon - timedelta(minutes=number)
        ends = {"started_at": at, "finished_at": at, "status": RunStatus.OK}
        store.memory.finish_run(Run(id=f"run-{number}", command="load", environment="testing", target="dev1", **ends))
    with counted() as reading:
        store.memory.history(make.noon - timedelta(days=30))
    with counted() as counting:
        store.standing()
    assert reading == ["SELECT history", "SELECT runs", "SELECT history_buckets"]
    assert counting == ["SELECT ledger_items", "SELECT ledger_items", "SELECT ledger_items", "SELECT ledger_relations"]


def test_a_run_that_ends_is_written_with_its_numbers_in_one_transaction(store, make):
    one = Run(id="run-1", command="load", environment="testing", target="dev1", started_at=make.noon)
    with counted() as starting:
        store.memory.start_run(one)
    with counted() as ending:
        store.memory.finish_run(replace(one, finished_at=make.noon, status=RunStatus.OK))
    assert (starting, ending) == (["INSERT runs", "COMMIT"], ["INSERT runs", "INSERT history", "COMMIT"])
