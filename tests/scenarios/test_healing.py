"""What is put right without a person: noticed, done, checked, written down, taken back, and not too often (X5)."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest

from beast_dream_snow_loader.clock import SystemClock
from beast_dream_snow_loader.core.run import Run, RunStatus
from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from beast_dream_snow_loader.sandbox.servicenow import oracle
from beast_dream_snow_loader.state.store import Store, open_store
from tests.conftest import Ended
from tests.scenarios.conftest import Town
from tests.scenarios.desk import LOAD, REPLAY, OpenTown, away, insert, keeps, key_of, keys, rules, switch

PATIENT = {"SNOWLOAD_RETRY__MAX_ATTEMPTS": "5", "SNOWLOAD_RETRY__BASE_DELAY_SECONDS": "0.01"}
OAUTH = {"SERVICENOW_CLIENT_ID": "snowload-demo", "SERVICENOW_CLIENT_SECRET": "snowload-demo-secret"}
ANY = "/api/now/*"


@pytest.fixture
def here(town: OpenTown) -> Town:
    return town(Estate.generate(seed=3, sites=1, devices=8))


def healings(ended: Ended, what: str) -> list[Mapping[str, Any]]:
    """Of one kind, from the document; each is in the log too."""
    keeps(ended.document)
    return [row for row in ended.document["healings"] if row["what"] == what]


def logged(here: Town) -> str:
    return "".join(file.read_text("utf-8") for file in here.run.home.rglob("*.jsonl"))


def state(here: Town) -> Store:
    return open_store(f"sqlite:///{next(here.run.home.rglob('state.sqlite'))}", SystemClock())


def believed(here: Town, key: str) -> str:
    """The CI that the ledger takes the record for."""
    with state(here) as store:
        return next(item.sys_id for one, item in store.ledger.known().items.items() if str(one) == key)


def test_a_run_in_which_nothing_breaks_heals_nothing(here: Town) -> None:
    assert here.run(*LOAD).document["healings"] == []


def test_connections_that_broke_twice_in_a_row_are_renewed_and_the_answer_proves_it(here: Town) -> None:
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.RESET_BEFORE, path=ANY, first=2))
    load = here.run(*LOAD, **PATIENT, SNOWLOAD_LOGGING__LEVEL="INFO")
    assert load.code == 0, load.err
    (row,) = healings(load, "connections.renewed")
    assert (row["subject"], row["verified"], row["undone"]) == ("servicenow", True, "")
    assert '"healing":"connections.renewed"' in logged(here)
    told = here.run("report", "--run", load.document["run_id"], "--env", "testing", "--json").document
    assert told["run"]["report"]["healings"] == load.document["healings"]


def test_a_token_that_is_refused_is_renewed_once_and_the_renewal_is_written_down(here: Town) -> None:
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.STATUS, status=401, path=ANY, nth=3))
    load = here.run(*LOAD, **OAUTH)
    assert load.code == 0, load.err
    (row,) = healings(load, "token.renewed")
    assert row["verified"]
    assert not healings(load, "login.changed")


def test_the_next_login_is_used_when_one_is_refused_and_the_first_answer_proves_it(here: Town) -> None:
    load = here.run(*LOAD, SERVICENOW_API_KEY="not-a-key-of-this-instance")
    assert load.code == 0, load.err
    (row,) = healings(load, "login.changed")
    assert row["verified"]
    assert "API key" in row["detected"]
    assert "basic" in row["done"]
    assert load.document["degradation"]["level"] == "reduced"


def test_a_ci_that_was_deleted_is_forgotten_and_made_again_and_the_repair_is_written_down(here: Town) -> None:
    assert here.run(*LOAD).code == 0
    key = key_of(switch(here.estate))
    item = oracle.by_native_key(here.app.instance, "UniFi")[key]
    with here.app.instance.lock, here.app.instance.acting_as("admin"):
        here.app.instance.delete(item.class_name, item.sys_id)
    load = here.run(*LOAD)
    (row,) = healings(load, "ledger.repaired")
    assert row["verified"]
    assert "ledger.gone 1" in row["detected"]
    assert key in keys(here)
    assert here.run(*LOAD).document["healings"] == []


def test_a_repair_that_a_second_look_does_not_bear_out_leaves_the_ledger_as_it_was(here: Town) -> None:
    assert here.run(*LOAD).code == 0
    key = key_of(switch(here.estate))
    merged = oracle.by_native_key(here.app.instance, "UniFi")[key].sys_id
    survivor = insert(here, name="the-survivor", serial_number="BOX-1")
    with here.app.instance.lock, here.app.instance.acting_as("admin"):
        here.app.instance.update("cmdb_ci", merged, {"duplicate_of": survivor})
    second_look = {"path": "/api/now/table/cmdb_ci", "method": "GET", "nth": 2}
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.STATUS, status=200, body='{"result": []}', **second_look))
    (row,) = healings(here.run(*LOAD), "ledger.repaired")
    assert (row["verified"], key in row["undone"]) == (False, True)
    assert believed(here, key) == merged
    (row,) = healings(here.run(*LOAD), "ledger.repaired")
    assert (row["verified"], believed(here, key)) == (True, survivor)


def left_running(here: Town) -> None:
    """A run that was killed."""
    with state(here) as store:
        now = SystemClock().now() - timedelta(minutes=1)
        target = here.sandbox.servicenow.url
        run = Run(id="20260101T000000Z-killed", command="load", environment="testing", target=target, started_at=now)
        store.memory.start_run(run)


def test_damage_after_a_killed_run_stops_every_load_until_it_is_mended(here: Town) -> None:
    assert here.run(*LOAD).code == 0
    left_running(here)
    file = next(here.run.home.rglob("state.sqlite"))
    with closing(sqlite3.connect(file)) as reading:
        (page,) = reading.execute("SELECT rootpage FROM sqlite_master WHERE name = 'console_snapshots'").fetchone()
    with file.open("r+b") as opened:
        opened.seek((page - 1) * 4096)
        opened.write(b"\xa5" * 4096)
    for _ in range(2):
        refused = here.run(*LOAD)
        assert (refused.code, refused.document["error"]["code"]) == (12, "state.damaged")
        assert f"mv {file} " in refused.document["error"]["next_step"]
        with closing(sqlite3.connect(file)) as reading:
            (status,) = reading.execute("SELECT status FROM runs WHERE id LIKE '%-killed'").fetchone()
        assert status == "running"


def test_after_a_killed_run_the_state_is_checked_once_before_anything_is_written(here: Town) -> None:
    assert here.run(*LOAD).code == 0
    left_running(here)
    load = here.run(*LOAD)
    (row,) = healings(load, "database.checked")
    assert row["verified"]
    assert "20260101T000000Z-killed" in row["detected"]
    assert not healings(here.run(*LOAD), "database.checked")


def test_a_queue_that_is_drained_after_an_outage_is_written_down(here: Town) -> None:
    assert here.run(*LOAD).code == 0
    here.estate.rename_device(switch(here.estate).mac, "renamed-while-away")
    away(here)
    assert here.run(*LOAD).code == 8
    here.sandbox.servicenow.faults.clear()
    replay = here.run(*REPLAY)
    assert (replay.code, replay.document["left"]) == (0, 0), replay.err
    (row,) = healings(replay, "queue.drained")
    assert row["verified"]
    assert row["detected"].startswith("1 writes waited")


def test_what_the_last_hour_healed_too_often_is_left_to_a_person(here: Town) -> None:
    assert here.run(*LOAD).code == 0
    with state(here) as store:
        now = SystemClock().now() - timedelta(minutes=5)
        rows = [{"what": "connections.renewed"}] * 20
        store.memory.finish_run(
            Run(
                id="20260101T000000Z-busy1",
                command="load",
                environment="testing",
                target=here.sandbox.servicenow.url,
                started_at=now,
                finished_at=now,
                status=RunStatus.OK,
                exit_code=0,
                report={"healings": rows},
            )
        )
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.RESET_BEFORE, path=ANY, first=2))
    load = here.run(*LOAD, **PATIENT)
    assert load.code == 0, load.err
    assert not healings(load, "connections.renewed")
    assert "healing.limited" in rules(load)
