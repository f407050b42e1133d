"""Runs, snapshots and facts are remembered as they were given, on every database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from beast_dream_snow_loader.core.facts import ClassFacts, FieldFacts, InstanceFacts
from beast_dream_snow_loader.core.observed import Console, Device, Site
from beast_dream_snow_loader.core.remembered import Part
from beast_dream_snow_loader.core.run import Run, RunStatus


@pytest.fixture
def run(make):
    return Run(
        id="20261124T120000Z-000001",
        command="load",
        environment="testing",
        target="https://dev1.example",
        started_at=make.noon - timedelta(days=1),
    )


def finished(run, number, hours, status=RunStatus.OK, **more):
    started = run.started_at + timedelta(hours=hours)
    return replace(run, id=f"run-{number}", started_at=started, finished_at=started, status=status, exit_code=0, **more)


def test_a_started_run_is_running_until_it_is_finished(store, run):
    store.memory.start_run(run)
    assert store.memory.run(run.id) == run
    done = replace(
        run, finished_at=run.started_at, status=RunStatus.OK, exit_code=0, report={"written": {"created": 3}}
    )
    store.memory.finish_run(done)
    assert store.memory.run(run.id) == done


def test_an_unheard_of_run_is_none(store):
    assert store.memory.run("run-0") is None


def test_runs_come_newest_first_from_a_half_open_interval(store, run):
    runs = [finished(run, number, hours=number) for number in range(5)]
    for one in runs:
        store.memory.finish_run(one)
    assert [one.id for one in store.memory.runs()] == ["run-4", "run-3", "run-2", "run-1", "run-0"]
    between = store.memory.runs(since=runs[1].started_at, until=runs[3].started_at)
    assert [one.id for one in between] == ["run-2", "run-1"]
    assert [one.id for one in store.memory.runs(limit=1)] == ["run-4"]


def test_a_run_of_a_clock_that_ran_ahead_is_not_the_newest_one(store, run):
    for one in (finished(run, 1, hours=1), finished(run, 2, hours=2), finished(run, 9, hours=24 * 10)):
        store.memory.finish_run(one)
    memory, target = store.memory, run.target
    assert [one.id for one in memory.runs()] == ["run-2", "run-1", "run-9"]
    assert [one.id for one in memory.newest(target, 2)] == ["run-2", "run-1"]
    assert (memory.last_success(target).id, memory.last_ended(target).id) == ("run-2", "run-2")
    assert memory.ends(target)["load"] == finished(run, 2, hours=2).finished_at
    assert memory.last_of_each_target([RunStatus.OK])[target] == finished(run, 2, hours=2).started_at


def test_the_last_success_is_a_load_of_that_target_that_ended_well(store, run):
    for one in (
        finished(run, 1, hours=1),
        finished(run, 2, hours=2, status=RunStatus.PARTIAL),
        finished(run, 3, hours=3, target="https://dev2.example"),
        finished(run, 4, hours=4, command="replay-queue"),
    ):
        store.memory.finish_run(one)
    assert store.memory.last_success(run.target).id == "run-1"
    assert store.memory.last_success("https://dev3.example") is None


def test_when_each_command_ended_last_is_known_by_how_it_ended_and_a_run_under_way_has_not(store, run):
    runs = [
        finished(run, 1, hours=1),
        finished(run, 2, hours=2, status=RunStatus.FAILED),
        finished(run, 3, hours=3, target="https://dev2.example"),
        finished(run, 4, hours=4, command="replay-queue"),
    ]
    for one in runs:
        store.memory.finish_run(one)
    store.memory.start_run(replace(finished(run, 5, hours=5), finished_at=None, exit_code=None))
    ended = {"load": runs[1].finished_at, "replay-queue": runs[3].finished_at}
    assert store.memory.ends(run.target) == ended
    assert store.memory.ends(run.target, RunStatus.OK) == {**ended, "load": runs[0].finished_at}
    assert store.memory.last_ended(run.target).id == "run-4"
    assert store.memory.last_ended(run.target, "load").id == "run-2"
    assert store.memory.last_ended(run.target, "rollback") is None


def part(make, console, hours, *lacks):
    return Part(
        console=Console(key=console, name="HQ", address="192.0.2.1:443"),
        taken_at=make.noon + timedelta(hours=hours),
        sites=(Site(console=console, short_name="default", name="HQ"),),
        devices=(Device(mac="0000000000aa", console=console, features=frozenset({"switching", "ports"})),),
        lacks=lacks,
    )


def test_the_last_snapshot_of_each_console_is_kept(store, make):
    assert store.memory.remembered() == []
    store.memory.remember([part(make, "one", 0), part(make, "two", 0)])
    store.memory.remember([part(make, "one", 5)])
    assert store.memory.remembered() == [part(make, "one", 5), part(make, "two", 0)]


def test_a_partial_snapshot_is_kept_beside_the_complete_one_until_the_next_complete_one(store, make):
    store.memory.remember([part(make, "one", 0)])
    store.memory.remember([part(make, "one", 1, "clients")])
    store.memory.remember([part(make, "one", 2, "clients")])
    kept = store.memory.remembered()
    assert sorted(kept, key=lambda one: one.taken_at) == [part(make, "one", 0), part(make, "one", 2, "clients")]
    store.memory.remember([part(make, "one", 3)])
    assert store.memory.remembered() == [part(make, "one", 3)]


def test_since_when_a_console_is_worked_from_memory_is_known_until_it_is_read_whole(store, make):
    store.memory.remember([part(make, "one", 0), part(make, "two", 0)])
    since = make.noon + timedelta(hours=2)
    store.memory.stood_in(["one", "nobody"], since)
    store.memory.stood_in(["one"], since + timedelta(hours=1))
    assert store.memory.standing_in() == {"one": since}
    store.memory.remember([part(make, "one", 4, "clients")])
    assert store.memory.standing_in() == {"one": since}
    store.memory.remember([part(make, "one", 5)])
    assert store.memory.standing_in() == {}


def test_facts_are_kept_per_target_and_replaced(store, make):
    first = InstanceFacts(
        read_at=make.noon,
        classes={"cmdb_ci_ip_switch": ClassFacts(name="cmdb_ci_ip_switch", usable=True, fields={"name": FieldFacts()})},
        relation_types=frozenset({"Connects to::Connected by"}),
        references={"cmn_location?name='HQ'": None},
        choices={"install_status.Installed": "1"},
    )
    second = replace(first, read_at=make.noon + timedelta(hours=1), classes={})
    store.memory.save_facts("https://dev1.example", first)
    store.memory.save_facts("https://dev2.example", first)
    store.memory.save_facts("https://dev1.example", second)
    assert store.memory.facts("https://dev1.example") == second
    assert store.memory.facts("https://dev2.example") == first
    assert store.memory.facts("https://dev3.example") is None
