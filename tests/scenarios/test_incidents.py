"""Errors with their context, and what they have in common (R1.1, R1.5, X4)."""

from __future__ import annotations

import re
from typing import Any

import pytest

from beast_dream_snow_loader.app.errors_told import MOST_ERRORS
from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from tests.scenarios.conftest import Town
from tests.scenarios.desk import LOAD, REPLAY, WRITES, OpenTown, keeps, key_of, refuse, switch


@pytest.fixture
def here(town: OpenTown) -> Town:
    return town(Estate.generate(seed=3, sites=2, devices=12))


def only(found: list[dict[str, Any]]) -> dict[str, Any]:
    assert len(found) == 1, found
    return found[0]


def test_an_outage_is_one_incident_with_its_chain_and_what_it_hit(here: Town) -> None:
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.STATUS, status=503, path=WRITES))
    ended = here.run(*LOAD)
    document = ended.document
    assert ended.code == 8, ended.err
    keeps(document)
    incident = only(document["incidents"])
    assert (incident["service"], incident["code"]) == ("servicenow", "transport.server_fault")
    assert incident["recovered"] is False
    assert incident["records"] == document["plan"]["create"]
    assert incident["records"] + incident["relations"] == document["queued"]
    assert incident["chain"][0]["step"] == "load"
    assert incident["count"] == sum(link["count"] for link in incident["chain"]) > incident["records"]


def test_the_breaker_opening_belongs_to_what_opened_it(here: Town) -> None:
    assert here.run(*LOAD).code == 0
    here.estate.rename_device(switch(here.estate).mac, "renamed-behind-the-breaker")
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.STATUS, status=503))
    document = here.run(*LOAD, SNOWLOAD_CIRCUIT_BREAKER__FAILURE_THRESHOLD="1").document
    incident = only(document["incidents"])
    assert incident["code"] == "transport.server_fault"
    assert (incident["records"], incident["relations"]) == (1, 0)


def test_a_refused_record_and_the_relations_that_waited_for_it_are_one_incident(here: Town) -> None:
    key = key_of(switch(here.estate))
    refuse(here, key)
    document = here.run(*LOAD).document
    incident = only(document["incidents"])
    assert incident["code"] == document["failed"][0]["code"]
    assert incident["records"] == 1
    assert {error["incident"] for error in document["errors"]} == {incident["id"]}


def test_a_fault_that_the_run_got_over_is_told_as_recovered(here: Town) -> None:
    assert here.run(*LOAD).code == 0
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.STATUS, status=503, path="/api/now/stats/*", first=1))
    ended = here.run(*LOAD, SNOWLOAD_RETRY__MAX_ATTEMPTS="3", SNOWLOAD_RETRY__BASE_DELAY_SECONDS="0.01")
    assert ended.code == 0, ended.err
    incident = only(ended.document["incidents"])
    assert (incident["recovered"], incident["count"], incident["records"]) == (True, 1, 0)


def test_a_login_that_is_refused_is_not_recovered_from(here: Town) -> None:
    ended = here.run(*LOAD, SERVICENOW_PASSWORD="wrong-one")
    assert ended.code == 7, ended.err
    assert [one["recovered"] for one in ended.document["incidents"]] == [False]


def test_a_load_that_a_cool_down_ended_is_not_recovered(here: Town) -> None:
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.STATUS, status=429, headers=(("Retry-After", "600"),)))
    for _ in range(2):  # the second asks nothing: it hears of the cool-down from the first
        ended = here.run(*LOAD)
        assert ended.code == 5, ended.err
        assert [one["recovered"] for one in ended.document["incidents"]] == [False]


def test_what_waits_for_a_breaker_opened_by_hand_counts_as_lost_to_it_for_a_replay_too(here: Town) -> None:
    assert here.run(*LOAD).code == 0
    here.estate.rename_device(switch(here.estate).mac, "renamed-behind-the-breaker")
    assert here.run("breakers", "open", "servicenow", "--env", "testing").code == 0
    load, replay = here.run(*LOAD), here.run(*REPLAY)
    assert (load.code, replay.code) == (8, 8), (load.err, replay.err)
    for ended in (load, replay):
        incident = only(ended.document["incidents"])
        told = (incident["code"], incident["records"], incident["recovered"])
        assert told == ("transport.breaker_open", 1, False)


def test_a_console_that_was_not_read_to_the_end_is_not_recovered(here: Town) -> None:
    console = here.sandbox.consoles[0].server
    console.faults.add(Fault(effect=Effect.STATUS, status=503))
    incidents = here.run(*LOAD, SNOWLOAD_RETRY__MAX_ATTEMPTS="1").document["incidents"]
    of_it = [one for one in incidents if one["service"].startswith("unifi:127.0.0.1")]
    assert [one["recovered"] for one in of_it] == [False], incidents


def test_every_error_has_its_whole_context(here: Town) -> None:
    """R1.1: also in ``snowload report --run ID --json``."""
    refuse(here, key_of(switch(here.estate)))
    document = here.run(*LOAD).document
    error = next(one for one in document["errors"] if one["record"] == key_of(switch(here.estate)))
    assert (error["category"], error["severity"]) == ("servicenow_api", "medium")
    assert error["operation"] == "load.create"
    assert error["correlation_id"] == document["run_id"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", error["timestamp"])
    assert "apply.py" in error["stack_trace"]
    assert set(error["environment_info"]) == {"snowload", "python", "system", "environment"}
    assert "name" in error["input"]
    report = here.run("report", "--env", "testing", "--run", document["run_id"], "--json").document
    keeps(report)
    assert (report["errors"], report["incidents"]) == (document["errors"], document["incidents"])


def test_many_failures_of_a_kind_have_one_trace_and_a_bounded_list_that_says_how_many_it_leaves_out(
    town: OpenTown,
) -> None:
    here = town(Estate.generate(seed=3, sites=2, devices=MOST_ERRORS + 20))
    refuse(here, "*")
    document = here.run(*LOAD).document
    keeps(document)
    told, failed = document["errors"], document["failed"]
    assert (len(told), len(told) + document["errors_omitted"]) == (MOST_ERRORS, len(failed))
    assert len(failed) > MOST_ERRORS
    assert sum(bool(one["stack_trace"]) for one in told) == len({(one["operation"], one["code"]) for one in told})
    report = here.run("report", "--env", "testing", "--since", "1h", "--json").document
    keeps(report)
    assert sum(mode["count"] for mode in report["failures"]) == len(failed)


def test_an_error_that_stops_the_run_is_told_once_with_its_trace(here: Town) -> None:
    here.app.backend.set_options(hibernating=True)
    document = here.run(*LOAD).document
    error = only(document["errors"])
    assert (error["code"], error["category"]) == ("cmdb.asleep", "servicenow_api")
    assert "Traceback" in error["stack_trace"]
    assert error["incident"] == only(document["incidents"])["id"]


def test_writes_that_the_operator_holds_back_are_no_incident(here: Town) -> None:
    document = here.run(*LOAD, SNOWLOAD_SERVICENOW__MODE="read-only").document
    assert (document["status"], document["errors"], document["incidents"]) == ("queued", [], [])


def test_the_report_of_a_time_puts_the_same_cause_of_several_runs_together(here: Town) -> None:
    """R1.5."""
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.STATUS, status=503, path=WRITES))
    runs = [here.run(*LOAD).document["run_id"] for _ in range(2)]
    here.sandbox.servicenow.faults.clear()
    refuse(here, key_of(switch(here.estate)))
    last = here.run(*LOAD).document
    report = here.run("report", "--env", "testing", "--since", "1h", "--json").document
    keeps(report)
    outage = next(one for one in report["incidents"] if one["code"] == "transport.server_fault")
    assert set(outage["runs"]) == set(runs)  # of one second: in any order
    modes = {one["code"]: one for one in report["failures"]}
    assert modes[last["failed"][0]["code"]]["category"] == "servicenow_api"
    assert modes[last["failed"][0]["code"]]["last_seen"] == last["errors"][0]["timestamp"]
