"""A state belongs to one instance: sys_ids, queue and journal of another one are never met with it (Q8)."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest

from beast_dream_snow_loader.sandbox.servicenow import oracle
from tests.scenarios.conftest import Town
from tests.scenarios.desk import HELD_BACK, LOAD, PLAN, REPLAY, OpenTown, away, keys, small

ELSEWHERE = {"SERVICENOW_INSTANCE": "dev99999"}
OLD = "https://old.service-now.com"


@pytest.fixture
def here(town: OpenTown) -> Town:
    return town(small())


def had_another_address(here: Town) -> None:
    """As if the instance had been renamed since."""
    (database,) = here.run.home.rglob("state.sqlite")
    with contextlib.closing(sqlite3.connect(database)) as state, state:
        state.execute("UPDATE meta SET value = ? WHERE key = 'instance'", (OLD,))


@pytest.mark.parametrize(
    ("written", "target"),
    [
        *((one, "https://dev12345.service-now.com") for one in (
            "dev12345", "DEV12345", "Dev12345.Service-Now.com", "HTTPS://DEV12345.service-now.com/",
            "https://dev12345.service-now.com:443", "dev12345.service-now.com:443/",
            "dev12345.service-now.com.", "https://dev12345.service-now.com.:443/",
        )),
        ("https://CMDB.example:8443/Path", "https://cmdb.example:8443/Path"),
        ("http://[::1]:80", "http://[::1]"),
        ("http://LOCALHOST:8080", "http://localhost:8080"),
    ],
)  # fmt: skip
def test_an_address_is_one_target_however_it_is_written(here: Town, written: str, target: str) -> None:
    shown = here.run("config", "show", "--env", "testing", "--json", SERVICENOW_INSTANCE=written).document
    values = {one["key"]: one["value"] for one in shown["settings"]}
    assert values["servicenow.instance"] == target


@pytest.mark.parametrize(
    "written", ["https://dev12345.service-now.com:https", "https://dev12345:99999", "https://[::1", "https://."]
)
def test_an_address_that_is_none_is_refused_with_the_forms_there_are(here: Town, written: str) -> None:
    refused = here.run(*PLAN, "--json", SERVICENOW_INSTANCE=written)
    assert refused.code == 6
    assert "is no ServiceNow address" in refused.err


@pytest.mark.parametrize(
    "command",
    [
        LOAD,
        (*LOAD, "--dry-run"),
        (*LOAD, "--full"),
        (*PLAN, "--json"),
        REPLAY,
        (*REPLAY, "--dry-run"),
        ("rollback", "20261124T031502Z-3f9a1c", "--env", "testing", "--json"),
    ],
    ids=" ".join,
)
def test_another_instance_with_the_same_state_is_refused_with_both_names_and_the_ways_on(
    here: Town, command: tuple[str, ...]
) -> None:
    assert here.run(*LOAD).code == 0
    had_another_address(here)
    before = here.writes()
    refused = here.run(*command, **ELSEWHERE)
    assert (refused.code, refused.document["error"]["code"]) == (6, "config.other_instance")
    assert all(word in refused.err for word in ("https://dev99999.service-now.com", OLD, "SNOWLOAD_STATE_DIR"))
    assert "--adopt-instance" in refused.err
    assert here.writes() == before


def test_what_only_waits_in_the_queue_is_not_sent_to_another_instance(here: Town) -> None:
    assert here.run(*LOAD, **HELD_BACK).code == 8
    assert here.run(*REPLAY, **ELSEWHERE).document["error"]["code"] == "config.other_instance"
    assert here.run(*REPLAY).code == 0


def test_a_cmdb_with_a_new_address_is_adopted_and_every_ci_looked_at_once(here: Town) -> None:
    assert here.run(*LOAD).code == 0
    there = keys(here)
    had_another_address(here)
    assert here.run(*LOAD).code == 6
    dry = here.run(*LOAD, "--dry-run", "--adopt-instance")
    assert (dry.code, here.run(*LOAD).code) == (0, 6), dry.err
    lost = next(iter(here.app.instance.rows("cmdb_ci_ip_switch")))
    with here.app.instance.lock, here.app.instance.acting_as("admin"):
        here.app.instance.delete("cmdb_ci", lost["sys_id"])
    adopted = here.run(*LOAD, "--adopt-instance")
    assert (adopted.code, adopted.document["written"]["created"]) == (0, 1), adopted.err
    assert here.run(*LOAD).code == 0
    assert keys(here) == there
    assert not oracle.duplicate_keys(here.app.instance)


def test_as_long_as_nothing_was_written_and_nothing_waits_the_instance_may_change(here: Town) -> None:
    away(here)
    assert here.run(*LOAD).code == 5
    had_another_address(here)
    here.sandbox.servicenow.faults.clear()
    assert here.run(*LOAD).code == 0


def test_a_sandbox_that_starts_again_on_other_ports_is_the_same_instance(here: Town) -> None:
    assert here.run(*LOAD).code == 0
    moved = here.run.variables["SERVICENOW_INSTANCE"].replace("127.0.0.1", "localhost")
    assert here.run(*LOAD, SERVICENOW_INSTANCE=moved).code == 0


def test_doctor_warns_of_a_state_of_another_instance(here: Town) -> None:
    assert here.run(*LOAD).code == 0
    had_another_address(here)
    document = here.run("doctor", "--env", "testing", "--json", "--check", "state").document
    (line,) = [check for check in document["checks"] if check["name"] == "state.instance"]
    assert (line["status"], OLD in line["found"], "--adopt-instance" in line["fix"]) == ("warn", True, True)
