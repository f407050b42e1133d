"""What need not be kept goes, what is needed stays, and the database grows no further (Q19), on every database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, update

from beast_dream_snow_loader.core.changes import ChangeType
from beast_dream_snow_loader.core.observed import Console
from beast_dream_snow_loader.core.receipts import Outcome
from beast_dream_snow_loader.core.remembered import Part
from beast_dream_snow_loader.core.run import Run, RunStatus
from beast_dream_snow_loader.state import retention
from beast_dream_snow_loader.state.engine import open_engine, writing
from beast_dream_snow_loader.state.retention import Retention, Sweeper
from beast_dream_snow_loader.state.schema import leases

TARGET = "https://dev1.example"
KEPT = 10


def run(make, number, days=0.0, **more):
    started = make.noon - timedelta(days=days) + timedelta(seconds=number)
    values = {"command": "load", "environment": "testing", "target": TARGET, "status": RunStatus.PARTIAL}
    return Run(**{**values, "id": f"run-{number:04}", "started_at": started, "finished_at": started, **more})


def swept(store, rule, stopping=lambda: False):
    with store.lease(TARGET, "sweeper"):
        return store.sweep(TARGET, "sweeper", rule, stopping)


def written(store, run_id, settlements):
    store.journal.intend(run_id, [one.change for one in settlements])
    store.journal.settle(run_id, settlements)


def test_old_runs_go_with_what_they_settled_and_newer_ones_stay_whole(store, make):
    for number, days in ((1, 100), (2, 91), (3, 89), (4, 1)):
        store.memory.finish_run(run(make, number, days))
        written(store, f"run-{number:04}", [make.inserted(number)])
    gone = swept(store, Retention(runs_days=90))
    assert (gone.runs, gone.entries, gone.more) == (["run-0001", "run-0002"], 2, False)
    assert [one.id for one in store.memory.runs()] == ["run-0004", "run-0003"]
    assert [len(store.journal.done(f"run-000{n}")) for n in (1, 2, 3, 4)] == [0, 0, 1, 1]
    assert len(store.ledger.known().items) == 4
    assert store.forgotten_until(TARGET) == run(make, 2, 91).started_at


def test_a_clock_that_has_jumped_makes_nothing_old_at_once(store, make, place):
    for number, days in ((1, 85), (2, 80), (3, 1)):
        store.memory.finish_run(run(make, number, days))
    place.clock.instant += timedelta(days=3650)
    assert swept(store, Retention(runs_days=90)).runs == ["run-0001"]
    assert [one.id for one in store.memory.runs()] == ["run-0003", "run-0002"]


def test_of_many_runs_the_newest_stay(store, make):
    for number in range(30):
        store.memory.finish_run(run(make, number))
    swept(store, Retention(runs=KEPT))
    assert [one.id for one in store.memory.runs()] == [f"run-{n:04}" for n in range(29, 19, -1)]


@pytest.mark.parametrize("outcome", [None, Outcome.UNKNOWN, Outcome.LATER])
def test_what_waits_is_never_removed_nor_the_run_it_belongs_to(store, make, outcome):
    store.memory.finish_run(run(make, 1, 300))
    waiting = make.change(1)
    store.journal.intend("run-0001", [waiting])
    if outcome is not None:
        store.journal.settle("run-0001", [make.settlement(waiting, outcome)])
    written(store, "run-0001", [make.inserted(2)])
    assert swept(store, Retention(runs_days=1)).runs == []
    assert sum(store.journal.pending().values()) == 1
    assert len(store.journal.done("run-0001")) == 1
    assert store.memory.run("run-0001") is not None


def test_a_dead_letter_is_never_removed(store, make):
    store.memory.finish_run(run(make, 1, 300))
    change = make.change(1, ChangeType.UPDATE)
    store.journal.enqueue("run-0001", [change], "servicenow.away", "away")
    while not store.journal.parked():
        store.journal.intend("run-0001", [change])
        store.journal.settle("run-0001", [make.settlement(change, Outcome.REFUSED, code="refused")])
    swept(store, Retention(runs_days=1))
    assert [entry.change.subject for entry in store.journal.parked()] == [change.subject]


def test_the_last_good_load_and_runs_that_have_not_ended_stay(store, make):
    store.memory.finish_run(run(make, 1, 300, status=RunStatus.OK))
    store.memory.start_run(run(make, 2, 299, status=RunStatus.RUNNING, finished_at=None))
    store.memory.finish_run(run(make, 3, 298))
    assert swept(store, Retention(runs_days=1, runs=1)).runs == ["run-0003"]
    assert store.memory.last_success(TARGET).id == "run-0001"


def test_runs_against_other_targets_are_not_touched(store, make):
    store.memory.finish_run(run(make, 1, 300, target="https://dev2.example"))
    assert swept(store, Retention(runs_days=1)).runs == []


def test_a_sweep_stops_when_it_is_told_to_and_goes_on_next_time(store, make):
    for number in range(10):
        store.memory.finish_run(run(make, number, 200))
    asked = iter([False] * 4 + [True] * 99)
    first = swept(store, Retention(runs_days=1), lambda: next(asked))
    assert (len(first.runs), first.more) == (4, True)
    assert (len(swept(store, Retention(runs_days=1)).runs), len(store.memory.runs())) == (6, 0)


def test_who_has_lost_the_target_removes_nothing_more(store, make):
    store.memory.finish_run(run(make, 1, 200))
    gone = store.sweep(TARGET, "not the holder", Retention(runs_days=1), lambda: False)
    assert (gone.runs, gone.more) == ([], True)


def test_large_runs_go_in_small_transactions(store, make):
    store.memory.finish_run(run(make, 1, 200))
    for start in range(0, 2 * retention.ROWS_AT_ONCE + 10, 500):
        written(store, "run-0001", [make.inserted(number) for number in range(start, start + 500)])
    gone = swept(store, Retention(runs_days=1))
    assert (gone.runs, gone.entries) == (["run-0001"], 2500)


def test_a_run_that_is_half_gone_is_known_as_such_until_the_rest_is_gone_too(store, place, make):
    store.memory.finish_run(run(make, 1, 200))
    store.memory.finish_run(run(make, 2, 1))
    for start in range(0, 2 * retention.ROWS_AT_ONCE, 500):
        written(store, "run-0001", [make.inserted(number) for number in range(start, start + 500)])
    assert not store.half_gone(TARGET, "run-0001")
    engine, other = open_engine(place.url, place.clock), open_engine(place.url, place.clock)
    used: list[object] = []

    @event.listens_for(engine, "checkin")
    def lose_the_target(connection, _record):
        """To another, after the first portion."""
        used.append(connection)
        if len(used) == 2:
            with writing(other) as taking:
                taking.execute(update(leases).values(run_id="another"))

    rule = Retention(runs_days=100)
    with store.lease(TARGET, "sweeper"):
        Sweeper(engine=engine, target=TARGET, holder="sweeper", now=make.noon, rule=rule).sweep()
    engine.dispose()
    other.dispose()
    assert len(store.journal.done("run-0001")) == retention.ROWS_AT_ONCE
    assert (store.half_gone(TARGET, "run-0001"), store.half_gone(TARGET, "run-0002")) == (True, False)
    assert swept(store, rule).runs == ["run-0001"]
    assert not store.half_gone(TARGET, "run-0001")


def test_snapshots_of_consoles_not_seen_for_long_go(store, make):
    def part(console, days):
        return Part(console=Console(key=console, name=console), taken_at=make.noon - timedelta(days=days))

    store.memory.remember([part("old", 31), part("new", 29)])
    assert swept(store, Retention()).snapshots == 1
    assert [one.key for one in store.memory.remembered()] == ["new"]


def test_the_size_of_the_database_follows_what_is_kept_and_not_what_has_been(place, make):
    """Hundreds of runs over the same devices: once full, it grows no more (Q19)."""
    report = {"text": "x" * 2000}
    rule = Retention(runs=KEPT)
    sizes = []
    with place.open() as store:
        for number in range(200):
            one = run(make, number)
            store.memory.start_run(one)
            written(store, one.id, [make.inserted(device) for device in range(5)])
            store.audit.seal(one.id)
            store.memory.finish_run(replace(one, report=report))
            swept(store, rule)
            store.audit.prune(place.clock.now() - timedelta(minutes=5), one.id)
            if place.url.startswith("sqlite"):
                sizes.append(store.size_bytes)
        assert len(store.memory.runs()) == KEPT
        assert sum(len(store.journal.done(one.id)) for one in store.memory.runs()) == 5 * KEPT
    if sizes:
        full = sizes[2 * KEPT :]
        assert max(full) - min(full) <= 0.05 * max(full) + 4 * 1024 * 1024, (min(full), max(full))  # and the log
        assert max(sizes) < 16 * 1024 * 1024
        file = place.url.removeprefix("sqlite:///")
        assert 0 < Path(file).stat().st_size < 2 * 1024 * 1024  # the numbers of all 200 runs are in it
