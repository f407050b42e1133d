"""What is remembered of runs longer than the runs themselves: nothing counted twice, nothing lost (X8), on every
database."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from beast_dream_snow_loader.core.buckets import Grain
from beast_dream_snow_loader.core.run import Run, RunStatus
from beast_dream_snow_loader.state.engine import open_engine, writing
from beast_dream_snow_loader.state.history import Ages, Compaction
from beast_dream_snow_loader.state.retention import Retention
from beast_dream_snow_loader.state.schema import history, runs

TARGET = "https://dev1.example"
REPORT = {
    "written": {"created": 2, "updated": 1},
    "steps": [
        {"name": "fetch", "duration_seconds": 3.5, "records": 10},
        {"name": "apply", "duration_seconds": 1.5, "records": 3},
    ],
    "links": {"wanted": 4, "linked": 0, "orphans": 4, "rate": 0.0},
    "failed": [{"key": "device/1", "change": "create", "code": "cmdb.refused", "message": "no"}],
    "findings": [{"record": "device/1", "rule": "name.shared", "severity": "warning", "message": "twice"}],
}


def ended(make, number, before: timedelta, **more):
    at = make.noon - before + timedelta(seconds=number)
    values = {"command": "load", "environment": "testing", "target": TARGET, "status": RunStatus.OK, "report": REPORT}
    ends = {"started_at": at, "finished_at": at + timedelta(seconds=6)}
    return Run(**{"id": f"run-{number:05}", **values, **ends, **more})


def compact(place, make, **more):
    engine = open_engine(place.url, place.clock)
    try:
        made = Compaction(engine=engine, target=TARGET, now=make.noon, **more)
        return made.compact(lambda _: True, lambda: False)
    finally:
        engine.dispose()


def everything(store, make):
    return store.memory.history(make.noon - timedelta(days=2000))


def sums(store, make):
    """Runs, created, failures of the one code and seconds of the step, however they are kept."""
    digests, buckets = everything(store, make)
    return (
        len(digests) + sum(one.runs for one in buckets),
        sum(one.counts.get("created", 0) for one in (*digests, *buckets)),
        sum(one.failures["cmdb.refused"][0] for one in digests) + sum(one.failures["cmdb.refused"] for one in buckets),
        sum(one.steps["fetch"][0] for one in digests) + sum(one.steps["fetch"].seconds for one in buckets),
    )


def test_a_run_that_ended_is_told_in_numbers(store, make):
    store.memory.finish_run(ended(make, 1, timedelta(hours=1)))
    ((told,), buckets) = everything(store, make)
    assert (told.run_id, told.status, told.seconds, told.rate) == ("run-00001", RunStatus.OK, 6.0, 0.0)
    assert list(told.steps) == ["fetch", "apply"]
    assert told.failures == {"cmdb.refused": [1, "2026-11-24T11:00:01Z"]}
    assert told.rules == {"name.shared": 1}
    assert (told.counts["created"], told.counts["orphans"], buckets) == (2, 4, [])


def test_a_run_under_way_and_one_older_than_the_history_are_told_once(store, place, make):
    store.memory.start_run(ended(make, 1, timedelta(hours=2), status=RunStatus.RUNNING, finished_at=None))
    store.memory.finish_run(ended(make, 2, timedelta(hours=1)))
    store.memory.finish_run(ended(make, 3, timedelta(minutes=1)))
    engine = open_engine(place.url, place.clock)
    with writing(engine) as connection:
        connection.execute(update(runs).where(runs.c.id == "run-00002").values(in_history=False))
        connection.execute(history.delete().where(history.c.run_id == "run-00002"))
    engine.dispose()
    digests, _ = everything(store, make)
    assert [(one.run_id, one.counts.get("created")) for one in digests] == [
        ("run-00003", 2),
        ("run-00002", 2),
        ("run-00001", 2),
    ]


def test_runs_become_hours_and_hours_days_and_days_go(place, store, make):
    for number, days in enumerate((1, 31, 31, 31.5, 89, 100, 100.4, 800)):
        store.memory.finish_run(ended(make, number, timedelta(days=days)))
    before = sums(store, make)
    compact(place, make, ages=Ages(days=timedelta(days=900)))
    digests, buckets = everything(store, make)
    assert [one.run_id for one in digests] == ["run-00000"]
    assert [(one.grain, one.runs) for one in buckets] == [
        (Grain.DAY, 1),
        (Grain.DAY, 2),
        (Grain.HOUR, 1),
        (Grain.HOUR, 1),
        (Grain.HOUR, 2),
    ]
    assert sums(store, make) == before == (8, 16, 8, 28.0)
    compact(place, make)
    assert sums(store, make)[0] == 7
    assert store.memory.run("run-00001") is not None


@pytest.mark.parametrize("portion", [1, 3, 1000])
def test_in_portions_of_any_size_the_sums_are_the_same(place, store, make, portion):
    for number in range(24):
        store.memory.finish_run(ended(make, number, timedelta(days=95, minutes=13 * number)))
    before = sums(store, make)
    compact(place, make, at_once=portion)
    assert sums(store, make) == before
    assert everything(store, make)[0] == []


def test_what_was_taken_together_stays_when_the_run_itself_is_swept(store, make):
    for number, days in enumerate((200, 40, 1)):
        store.memory.finish_run(ended(make, number, timedelta(days=days)))
    with store.lease(TARGET, "sweeper"):
        gone = store.sweep(TARGET, "sweeper", Retention(runs_days=90), lambda: False)
    assert (gone.runs, gone.compacted) == (["run-00000"], 3)
    assert sums(store, make)[0] == 3


def test_another_target_s_history_is_left_alone(place, store, make):
    store.memory.finish_run(ended(make, 1, timedelta(days=50), target="https://dev2.example"))
    assert compact(place, make) == 0
    assert len(everything(store, make)[0]) == 1
