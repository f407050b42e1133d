"""What ``health`` asks of the state, on every database (R4.1)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from beast_dream_snow_loader.core.observed import Console
from beast_dream_snow_loader.core.receipts import Outcome
from beast_dream_snow_loader.core.remembered import Part
from beast_dream_snow_loader.core.run import Run, RunStatus
from beast_dream_snow_loader.state.schema import EntryState
from beast_dream_snow_loader.state.store import Store
from tests.contracts.conftest import NOON, Make, Place
from tests.scenarios.in_process import InProcess


def test_a_change_waits_since_it_was_first_intended_however_often_it_was_sent(store: Store, make: Make) -> None:
    queue, change = store.journal.queue, make.change(1)
    assert queue.oldest(EntryState.LATER) is None
    store.journal.enqueue("run-1", [change], "servicenow.away", "It was away.")
    first = queue.oldest(EntryState.LATER)
    assert first is not None
    store.journal.intend("run-2", [change])
    store.journal.settle("run-2", [make.settlement(change, Outcome.LATER)])
    store.journal.enqueue("run-2", [make.change(2)], "servicenow.away", "It was away.")
    assert queue.oldest(EntryState.LATER) == first


def test_the_newest_load_of_each_target_that_went_through_is_known(store: Store) -> None:
    def run(number: int, target: str, status: RunStatus) -> None:
        began = NOON + timedelta(minutes=number)
        shape = {"id": f"run-{number}", "command": "load", "environment": "testing", "target": target}
        store.memory.finish_run(Run(**shape, started_at=began, finished_at=began, status=status))

    for number, (target, status) in enumerate(
        [("dev1", RunStatus.OK), ("dev1", RunStatus.PARTIAL), ("dev1", RunStatus.FAILED), ("dev2", RunStatus.FAILED)]
    ):
        run(number, target, status)
    through = (RunStatus.OK, RunStatus.PARTIAL)
    assert store.memory.last_of_each_target(through) == {"dev1": NOON + timedelta(minutes=1)}


def test_the_newest_snapshot_of_each_console_is_known_without_reading_any(store: Store) -> None:
    old = Part(console=Console(key="a", name="A"), taken_at=NOON)
    new = Part(console=Console(key="a", name="A"), taken_at=NOON + timedelta(hours=1), lacks=("clients",))
    store.memory.remember([old, new])
    assert store.memory.taken() == {"a": NOON + timedelta(hours=1)}


def test_what_a_look_keeps_is_there_for_the_next_one(store: Store) -> None:
    assert store.kept_checks.look("servicenow.rights dev1") is None
    for value in ("first", "second"):
        store.kept_checks.keep("servicenow.rights dev1", value)
    assert store.kept_checks.look("servicenow.rights dev1") == "second"
    assert store.bonds() == {}, "it shares a table with what the state belongs to"


def test_only_the_windows_under_way_count_as_used(store: Store, place: Place) -> None:
    pacing = store.pacing("dev1")
    pacing.portion("servicenow", "hourly", 100, 3000.0, 40)
    assert pacing.used("servicenow") == {"hourly": 41}
    assert store.pacing("dev2").used("servicenow") == {}
    place.clock.sleep(3100)
    assert pacing.used("servicenow") == {}


def test_every_check_of_the_state_is_made_on_this_database(place: Place, tmp_path: Path) -> None:
    snowload = InProcess(tmp_path)
    given = {"SNOWLOAD_STATE_URL": place.url, "SNOWLOAD_HEALTH__DATABASE_LOG_MB": "0"}
    names = (
        "lock",
        "belonging",
        "queue",
        "dead-letters",
        "snapshots",
        "classes",
        "last-load",
        "last-success",
        "overdue",
        "forecast",
        "growth",
    )
    chosen = [part for name in (*names, "audit") for part in ("--check", name)]
    ended = snowload("health", "--env", "testing", "--json", "--deep", *chosen, **given)
    assert ended.code == 0, ended.out
    assert {row["status"] for row in ended.document["checks"]} == {"healthy"}
    assert len(ended.document["checks"]) == len(names) + 2
