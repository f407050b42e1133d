"""What ``snowload health`` says of the state, of past runs and of the machine, and what it puts right on the way."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from beast_dream_snow_loader.clock import SystemClock
from beast_dream_snow_loader.core.run import Run, RunStatus
from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.state.store import Store, open_store
from tests.conftest import Snowload
from tests.scenarios.conftest import Town
from tests.scenarios.desk import LOAD, OpenTown, away, file_of, looked, row, sql, switch, unifi_away
from tests.scenarios.in_process import InProcess


@pytest.fixture
def snowload(tmp_path: Path) -> Snowload:
    return InProcess(tmp_path, far_apart=False)


@pytest.fixture
def here(town: OpenTown) -> Town:
    return town(Estate.generate(seed=3, sites=1, devices=4))


@contextmanager
def state(town: Town) -> Iterator[Store]:
    with open_store(f"sqlite:///{file_of(town)}", SystemClock()) as store:
        yield store


def loads(town: Town, *ages: timedelta, status: RunStatus = RunStatus.OK, **report: Any) -> None:
    """Loads that began so long ago, a minute each, and ended so."""
    looked(town, "--check", "database")
    target = town.run.variables["SERVICENOW_INSTANCE"]
    with state(town) as store:
        for number, age in enumerate(ages):
            began = datetime.now(UTC) - age
            ended = Run(
                id=f"run-{began.timestamp()}-{number}",
                command="load",
                environment="testing",
                target=target,
                started_at=began,
                finished_at=began + timedelta(minutes=1),
                status=status,
                exit_code=0 if status is RunStatus.OK else 1,
                report=report,
            )
            store.memory.finish_run(ended)


def healings(town: Town) -> list[tuple[str, bool]]:
    """What was put right, by the log, and whether that helped."""
    lines = [json.loads(line) for file in town.run.home.rglob("*.jsonl") for line in file.read_text().splitlines()]
    return [(line["healing"], line["verified"]) for line in lines if line["event"] == "healing.settled"]


def test_a_database_that_does_not_open_is_the_one_cause_and_both_ends_are_looked_at_all_the_same(here: Town) -> None:
    """R4.1, X7."""
    assert looked(here, "--check", "database").code == 0
    file_of(here).write_bytes(b"not a database" * 100)
    ended = looked(here)
    assert (ended.code, ended.document["causes"]) == (2, ["database"])
    found = {one["name"]: one for one in ended.document["checks"]}
    assert {name for name, one in found.items() if one["explained_by"] == "database"} == {
        *("lock", "belonging", "queue", "dead-letters", "snapshots", "breakers", "classes"),
        *("last-load", "last-success", "overdue", "forecast", "growth"),
    }
    assert found["servicenow.rights"]["status"] == found["unifi[site-manager]"]["status"] == "healthy"
    assert "damaged" in ended.err


def test_only_a_deep_look_compares_the_database_with_its_indices_and_reads_the_audit_trail(here: Town) -> None:
    assert here.run(*LOAD).code == 0
    deep = looked(here, "--deep")
    found = {one["name"]: one for one in deep.document["checks"]}
    assert found["database.pages"]["message"] == "every page and index reads"
    assert (found["audit"]["status"], found["audit"]["details"]["entries"] > 0) == ("healthy", True)
    sql(here, "UPDATE audit_log SET body = replace(body, 'create', 'update') WHERE number = 2")
    ill = row(here, "audit")
    assert ill["status"] == "unhealthy"
    assert "snowload audit verify" in ill["message"]
    assert not {"audit", "database.pages"} & {one["name"] for one in looked(here).document["checks"]}


def test_a_log_that_nobody_could_fold_is_folded_and_with_no_recover_only_told(here: Town) -> None:
    """X5."""
    limit = {"SNOWLOAD_HEALTH__DATABASE_LOG_MB": "0"}
    looked(here, "--check", "database")
    with closing(sqlite3.connect(file_of(here))) as writer:
        writer.execute("PRAGMA wal_autocheckpoint = 0")
        with writer:
            writer.execute("INSERT INTO meta VALUES ('canary', 'x')")
        told = row(here, "database", "--no-recover", **limit)
        assert (told["status"], told["recovered"]) == ("degraded", None)
        assert told["details"]["log_bytes"] > 0
        folded = row(here, "database", **limit)
    assert folded["status"] == "healthy"
    assert "folded in now" in folded["recovered"]


def test_the_lease_of_a_run_that_was_killed_is_given_back_and_that_of_a_living_one_is_left(here: Town) -> None:
    """X5."""
    looked(here, "--check", "database")
    with state(here) as store, store.lease(here.run.variables["SERVICENOW_INSTANCE"], "run-alive"):
        assert "held by run run-alive" in row(here, "lock")["message"]
        sql(here, "UPDATE leases SET process_started = 1.0")
        told = row(here, "lock", "--no-recover")
        assert (told["status"], told["recovered"]) == ("degraded", None)
        assert "run-alive" in told["message"]
        sql(here, "CREATE TRIGGER stuck BEFORE UPDATE ON leases BEGIN SELECT raise(IGNORE); END")
        assert (row(here, "lock")["status"], healings(here)) == ("degraded", [("lease.released", False)])
        sql(here, "DROP TRIGGER stuck")
        released = row(here, "lock", SNOWLOAD_LOGGING__LEVEL="INFO")
        assert (released["status"], released["recovered"]) == ("healthy", "its lease is given back")
        assert healings(here)[1:] == [("lease.released", True)], "it was read again"
    assert row(here, "lock")["message"] == "free"
    assert here.run(*LOAD).code == 0


def test_files_that_a_killed_process_left_half_written_are_removed_and_younger_ones_are_not(here: Town) -> None:
    """X5."""
    looked(here, "--check", "database")
    folder = file_of(here).parent
    old, young = folder / ".snowload-old", folder / ".snowload-young"
    for file in (old, young):
        file.write_bytes(b"half")
    os.utime(old, (0, 0))
    told = row(here, "files", "--no-recover")
    assert (told["status"], told["details"]["left_behind"], old.exists()) == ("degraded", 1, True)
    removed = row(here, "files")
    assert (removed["status"], old.exists(), young.exists()) == ("healthy", False, True)
    assert "1 files were left half-written" in removed["recovered"]


def test_what_was_put_right_is_told_though_the_log_is_a_pipe_that_nobody_reads(here: Town, tmp_path: Path) -> None:
    """X5."""
    looked(here, "--check", "database")
    left, pipe = file_of(here).parent / ".snowload-old", tmp_path / "pipe"
    left.write_bytes(b"half")
    os.utime(left, (0, 0))
    os.mkfifo(pipe)
    removed = row(here, "files", "--timeout", "5s", SNOWLOAD_LOGGING__FILE=str(pipe))
    assert (removed["status"], left.exists(), bool(removed["recovered"])) == ("healthy", False, True)


def test_a_state_of_another_instance_or_source_is_told_because_loads_are_refused(here: Town) -> None:
    assert here.run(*LOAD).code == 0
    found = row(here, "belonging", SERVICENOW_DATA_SOURCE="Other")
    assert found["status"] == "unhealthy"
    assert "SERVICENOW_DATA_SOURCE=UniFi" in found["message"]
    sql(here, "UPDATE meta SET value = 'https://other.example' WHERE key = 'instance'")
    assert "loads are refused" in row(here, "belonging")["message"]


def test_writes_that_wait_are_degraded_and_when_they_wait_for_too_long_unhealthy(here: Town) -> None:
    assert here.run(*LOAD).code == 0
    assert row(here, "queue")["message"] == "empty"
    here.estate.rename_device(switch(here.estate).mac, "renamed-while-away")
    away(here)
    assert here.run(*LOAD).code == 8
    waits = row(here, "queue")
    assert (waits["status"], waits["details"]["queued"]) == ("degraded", 1)
    assert "snowload replay-queue" in waits["message"]
    sql(here, "UPDATE journal SET intended_at = '2026-01-01T00:00:00.000000Z' WHERE state = 'later'")
    late = row(here, "queue")
    assert (late["status"], late["details"]["oldest_seconds"] > 86400) == ("unhealthy", True)
    assert row(here, "queue", SNOWLOAD_HEALTH__QUEUE_AGE_FAIL="9000w")["status"] == "degraded"
    assert row(here, "queue", SNOWLOAD_QUEUE__MAX_ENTRIES="1")["status"] == "unhealthy"
    sql(here, "UPDATE journal SET state = 'open' WHERE state = 'later'")
    assert "1 writes have no known outcome" in row(here, "queue")["message"]
    sql(here, "UPDATE journal SET state = 'dead' WHERE state = 'open'")
    assert (row(here, "dead-letters")["status"], row(here, "queue")["status"]) == ("degraded", "healthy")


def test_a_console_that_is_worked_from_memory_or_whose_snapshot_is_too_old_is_degraded(here: Town) -> None:
    assert here.run(*LOAD).code == 0
    assert row(here, "snapshots")["details"]["consoles"] == 1
    unifi_away(here)
    assert here.run(*LOAD).code == 0
    standing = row(here, "snapshots")
    assert (standing["status"], standing["details"]["standing_in"]) == ("degraded", 1)
    sql(here, "UPDATE console_snapshots SET standing_in_since = NULL, taken_at = '2026-01-01T00:00:00.000000Z'")
    old = row(here, "snapshots")
    assert old["status"] == "degraded"
    assert "can stand in no longer" in old["message"]


def test_a_breaker_whose_wait_is_over_is_closed_by_a_probe_of_the_look_unless_nothing_may_be_put_right(
    here: Town,
) -> None:
    """X1, X5."""
    looked(here, "--check", "database")
    broken = {
        "SNOWLOAD_CIRCUIT_BREAKER__FAILURE_THRESHOLD": "1",
        "SNOWLOAD_CIRCUIT_BREAKER__FIRST_WAIT_SECONDS": "0.01",
        "SNOWLOAD_CIRCUIT_BREAKER__HALF_OPEN_THEN_CALLS": "0",
    }
    away(here)
    assert looked(here, **broken).code == 2
    here.sandbox.servicenow.faults.clear()
    here.sandbox.log.clear()
    untouched = looked(here, "--no-recover", **broken)
    assert "servicenow" in untouched.document["causes"]
    assert here.sandbox.log.lines("servicenow") == ()
    probed = looked(here, **broken)
    assert probed.code == 0, probed.document["causes"]
    (found,) = [one for one in probed.document["checks"] if one["name"] == "breakers"]
    assert "servicenow.table" in found["recovered"]


@pytest.mark.parametrize(
    ("hours", "given", "status", "told"),
    [
        ((84, 72, 60, 48, 36, 24, 12), "", "healthy", "one is expected every 12.0 hours"),
        ((108, 96, 84, 72, 60, 48, 24), "", "degraded", "see whether its timer runs"),
        ((192, 180, 168, 156, 144, 132, 120), "", "unhealthy", "see whether its timer runs"),
        ((2, 1), "", "healthy", "too few loads to say"),
        ((2, 1), "30m", "degraded", "expected every 30m (health.expected_every)"),
        ((), "6h", "degraded", "no load has gone through"),
        ((), "", "healthy", "no load has gone through yet"),
    ],
)
def test_loads_that_come_later_than_they_did_or_should_are_overdue(
    here: Town, hours: tuple[int, ...], given: str, status: str, told: str
) -> None:
    loads(here, *(timedelta(hours=hour) for hour in hours))
    asked = {"SNOWLOAD_HEALTH__EXPECTED_EVERY": given} if given else {}
    found = row(here, "overdue", **asked)
    assert (found["status"], told in found["message"]) == (status, True), found["message"]


DAILY = tuple(timedelta(days=day) for day in (9, 8, 7, 6, 5, 4, 3, 2, 1))


@pytest.mark.parametrize(
    ("ages", "status", "told"),
    [
        (tuple(timedelta(minutes=20, seconds=8 * number) for number in range(6)), "healthy", "too few loads to say"),
        (tuple(timedelta(hours=40 - number) for number in range(7)), "healthy", "too few loads to say"),
        ((*DAILY, *(timedelta(hours=20, seconds=8 * number) for number in range(30))), "healthy", "every 24.0 hours"),
        ((*DAILY, timedelta(days=3, hours=5), timedelta(days=3, hours=4)), "healthy", "every 24.0 hours"),
        ((timedelta(days=3), *(timedelta(minutes=80 + 31 * number) for number in range(8))), "healthy", "60 minutes"),
    ],
)
def test_loads_by_hand_raise_no_alarm_when_they_are_over(
    here: Town, ages: tuple[timedelta, ...], status: str, told: str
) -> None:
    """A burst counts once, a working day alone says nothing, and nothing is overdue within an hour."""
    loads(here, *ages)
    found = row(here, "overdue")
    assert (found["status"], told in found["message"]) == (status, True), found["message"]


HELD_UP = (RunStatus.FAILED, RunStatus.UNAVAILABLE, RunStatus.REFUSED, RunStatus.INTERRUPTED)


@pytest.mark.parametrize(
    ("oldest_first", "status", "told"),
    [
        ((RunStatus.OK, RunStatus.OK), "healthy", "ended ok"),
        ((RunStatus.FAILED, RunStatus.FAILED, RunStatus.FAILED, RunStatus.OK), "healthy", "ended ok"),
        *(((RunStatus.OK, held_up), "degraded", f"did not come through ({held_up.value} at ") for held_up in HELD_UP),
        ((RunStatus.OK, RunStatus.PARTIAL), "degraded", "the last load was partial"),
        ((RunStatus.OK, RunStatus.QUEUED), "healthy", "ended queued"),
        ((RunStatus.QUEUED,), "degraded", "none has ever succeeded"),
        ((RunStatus.OK, RunStatus.FAILED, RunStatus.INTERRUPTED), "degraded", "the last 2 loads did not"),
        ((RunStatus.OK, *HELD_UP), "unhealthy", "the last 4 loads did not come through"),
        ((RunStatus.FAILED,) * 3, "unhealthy", "none has ever succeeded"),
        ((RunStatus.FAILED, RunStatus.FAILED, RunStatus.PARTIAL, RunStatus.FAILED), "degraded", "the last load did"),
    ],
)
def test_how_the_newest_loads_ended_is_judged_with_the_next_command(
    here: Town, oldest_first: tuple[RunStatus, ...], status: str, told: str
) -> None:
    for left, ended in enumerate(reversed(oldest_first)):
        loads(here, timedelta(hours=1 + left), status=ended)
    found = row(here, "last-load")
    assert (found["status"], told in found["message"]) == (status, True), found["message"]
    assert status == "healthy" or f"snowload runs show {found['details']['run_id']}" in found["message"]


def test_a_look_after_loads_that_could_not_log_in_is_not_healthy_though_both_ends_are(here: Town) -> None:
    """R4.1: what each load found out is told, also when it is mended meanwhile."""
    assert row(here, "last-load")["message"] == "no load has ended yet"
    for _ in range(3):
        assert here.run(*LOAD, SERVICENOW_PASSWORD="wrong").code == 7
    ended = looked(here)
    assert (ended.code, ended.document["causes"]) == (2, ["last-load"])
    assert here.run(*LOAD).code == 0
    assert row(here, "last-load")["status"] == "healthy"


def test_a_load_that_was_killed_counts_as_interrupted_before_the_next_one_closes_it(here: Town) -> None:
    loads(here, timedelta(hours=1))
    sql(here, "UPDATE runs SET status = 'running', exit_code = NULL, finished_at = NULL")
    found = row(here, "last-load")
    assert (found["status"], found["details"]["last_status"]) == ("degraded", "interrupted")


def test_what_the_report_sees_coming_is_a_check_too(here: Town) -> None:
    """X8."""
    loads(here, *(timedelta(days=day) for day in range(12)), queued=5)
    assert row(here, "forecast")["status"] == "healthy"
    assert row(here, "forecast")["as_of"], "a month of loads is read once an hour"
    assert row(here, "forecast", "--deep")["as_of"] is None
    found = row(here, "forecast", SNOWLOAD_QUEUE__MAX_ENTRIES="1")
    assert found["status"] == "degraded"
    assert "queued writes: above 1 writes" in found["message"]


@pytest.mark.parametrize(("a_day", "status"), [(0, "healthy"), (10**12, "degraded")])
def test_a_state_that_grows_until_its_disk_is_full_is_seen_coming(here: Town, a_day: int, status: str) -> None:
    assert "10 days are needed" in row(here, "growth")["message"]
    today = datetime.now(UTC).date().toordinal()
    sizes = [[today - 14 + day, 10**6 - (14 - day) * a_day] for day in range(14)]
    sql(here, "UPDATE meta SET value = ? WHERE key LIKE 'health growth %'", json.dumps(sizes))
    found = row(here, "growth")
    assert (found["status"], found["details"]["days"]) == (status, 15)


@pytest.mark.parametrize(
    ("setting", "value", "what"),
    [("DISK_FREE_MB", "1e12", "disk"), ("MEMORY_PERCENT", "0", "memory"), ("MOST_LOAD_PER_CORE", "1e-9", "processor")],
)
def test_a_machine_with_too_little_left_is_degraded(here: Town, setting: str, value: str, what: str) -> None:
    """R4.3."""
    found = row(here, "system", **{f"SNOWLOAD_HEALTH__{setting}": value})
    assert found["status"] == "degraded"
    assert found["message"].startswith(f"{what} nearly used up")


def test_settings_that_no_load_could_work_with_or_that_others_may_read_are_told(here: Town, tmp_path: Path) -> None:
    ill = row(here, "configuration", SNOWLOAD_MAPPING='{"nonsense": 1}')
    assert ill["status"] == "unhealthy"
    assert "snowload config check" in ill["message"]
    file = tmp_path / "open.toml"
    file.write_text('[servicenow]\npassword = "as it is"\n', encoding="utf-8")
    file.chmod(0o644)
    told = row(here, "configuration", SNOWLOAD_CONFIG=str(file), SERVICENOW_PASSWORD="")
    assert told["status"] == "degraded"
    assert "chmod 600" in told["message"]
