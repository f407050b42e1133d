"""Circuit breakers in the hands of a person, and from one run to the next (X1, V3)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from tests.conftest import Ended, Snowload
from tests.scenarios.conftest import Town
from tests.scenarios.desk import LOAD, REPLAY, OpenTown, away, findings, keeps, rules, switch
from tests.scenarios.in_process import InProcess

PATIENT = {
    "SNOWLOAD_CIRCUIT_BREAKER__FAILURE_THRESHOLD": "1",
    "SNOWLOAD_CIRCUIT_BREAKER__FIRST_WAIT_SECONDS": "60",
    "SNOWLOAD_CIRCUIT_BREAKER__JITTER": "false",
}
"""The first failure opens, and for long enough for a test."""


@pytest.fixture
def snowload(tmp_path: Path) -> Snowload:
    return InProcess(tmp_path, far_apart=False)


@pytest.fixture
def here(town: OpenTown) -> Town:
    """A loaded CMDB and a rename to be written."""
    here = town(Estate.generate(seed=3, sites=1, devices=8))
    assert here.run(*LOAD).code == 0
    here.estate.rename_device(switch(here.estate).mac, "renamed-meanwhile")
    here.sandbox.log.clear()
    return here


def breakers(town: Town, *arguments: str) -> Ended:
    ended = town.run("breakers", *arguments, "--env", "testing", "--json")
    keeps(ended.document)
    return ended


def row(town: Town, name: str) -> dict[str, Any]:
    return next(one for one in breakers(town, "list").document["breakers"] if one["name"] == name)


def asked(town: Town) -> int:
    return len(town.sandbox.log.lines("servicenow"))


def test_a_load_while_servicenow_is_set_aside_by_hand_queues_and_sends_nothing(here: Town) -> None:
    opened = breakers(here, "open", "servicenow", "--for", "2h", "--reason", "upgrade")
    assert (opened.code, opened.document["changed"]) == (0, ["servicenow"])
    load = here.run(*LOAD)
    assert (load.code, load.document["queued"], asked(here)) == (8, 1, 0), load.err
    assert findings(load, "breaker.opened")[0]["record"] == "servicenow"
    assert load.document["breakers"]["standing"][0]["by_hand"]
    keeps(load.document)
    health = here.run("health", "--env", "testing", "--json").document["checks"]
    check = next(one for one in health if one["name"] == "breakers")
    assert (check["status"], check["details"]) == ("degraded", {"servicenow": "upgrade"})
    assert here.run(*REPLAY).code == 8
    assert breakers(here, "reset", "servicenow").document["changed"] == ["servicenow"]
    assert here.run(*REPLAY).document["sent"] == 1


@pytest.mark.parametrize("name", ["servicenow", "servicenow.batch"])
def test_the_last_words_beside_a_breaker_open_by_hand_say_first_how_to_reset_it(here: Town, name: str) -> None:
    breakers(here, "open", name)
    ended = here.run(*LOAD)
    assert ended.code == 8, ended.err
    told = re.findall(r"snowload [a-z-]+(?: reset [\w.]+)?", ended.err.split("queued, because")[-1])
    assert f"snowload breakers reset {name}" in told, ended.err
    assert "snowload replay-queue" not in told[: told.index(f"snowload breakers reset {name}")], ended.err


def test_a_breaker_that_stood_open_by_hand_is_no_change_of_the_run_and_is_not_said_to_be_tried_again(
    here: Town,
) -> None:
    breakers(here, "open", "servicenow")
    document = here.run(*LOAD).document
    told = document["breakers"]
    assert (told["opened"], told["changes"]) == (0, [])
    expected = {"name": "servicenow", "reason": "opened by hand", "seconds": None, "by_hand": True}
    assert told["standing"] == [expected]
    words = [one["message"] for one in document["errors"] if one["code"] == "transport.breaker_open"]
    assert words
    assert not [one for one in words if "by itself" in one]
    assert any("snowload breakers reset servicenow" in one for one in words)
    keeps(document)


def test_only_the_part_of_servicenow_that_is_set_aside_is_left_alone(here: Town) -> None:
    breakers(here, "open", "servicenow.ire")
    load = here.run(*LOAD)
    assert (load.code, load.document["queued"]) == (8, 1), load.err
    assert asked(here) > 0
    assert not [line for line in here.sandbox.log.lines("servicenow") if "identifyreconcile" in line.path]


def test_the_line_about_the_level_keeps_why_and_what_to_do_apart(here: Town) -> None:
    breakers(here, "open", "servicenow.ire")
    out = here.run("load", "--env", "testing").out
    (level,) = (one for one in out.splitlines() if one.startswith("degradation:"))
    assert "servicenow.ire. Send them with:" in " ".join(out[out.index(level) :].split()), out


def test_a_fault_of_one_api_leaves_the_others_alone(here: Town) -> None:
    path = "/api/now/identifyreconcile*"
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.STATUS, status=503, path=path))
    load = here.run(*LOAD, **PATIENT)
    assert load.code == 8
    assert {change["name"] for change in load.document["breakers"]["changes"]} == {"servicenow.ire"}
    assert row(here, "servicenow.table")["state"] == "closed"


def test_a_console_set_aside_by_hand_is_as_if_it_were_away(here: Town) -> None:
    names = [one["name"] for one in breakers(here, "list").document["breakers"]]
    (console,) = (name for name in names if name.startswith("unifi:127.0.0.1"))
    breakers(here, "open", console)
    load = here.run(*LOAD)
    assert (load.code, load.document["degradation"]["level"]) == (0, "reduced"), load.err
    assert here.sandbox.log.lines("console-1") == ()
    assert here.sandbox.log.lines("site-manager") != ()
    assert [finding["record"] for finding in findings(load, "breaker.opened")] == [console]


def test_the_next_run_respects_what_the_last_one_learned(here: Town) -> None:
    away(here)
    first = here.run(*LOAD, **PATIENT)
    assert (first.code, first.document["breakers"]["opened"]) == (8, 1)
    assert "transport.breaker_open" in {error["code"] for error in first.document["errors"]}
    before = asked(here)
    (name,) = {change["name"] for change in first.document["breakers"]["changes"]}
    learned = row(here, name)
    assert (learned["state"], learned["by_hand"], learned["openings"]) == ("open", False, 1)
    assert 0 < learned["seconds"] <= 60
    here.sandbox.servicenow.faults.clear()
    assert here.run(*LOAD, **PATIENT).code == 8
    assert asked(here) == before
    breakers(here, "reset")
    assert here.run(*LOAD, **PATIENT).code == 0


def test_a_decision_is_recorded_and_a_dry_run_decides_nothing(here: Town) -> None:
    dry = breakers(here, "open", "servicenow", "--dry-run")
    assert (dry.code, row(here, "servicenow")["state"]) == (0, "closed")
    breakers(here, "open", "servicenow")
    assert row(here, "servicenow") | {"since": ""} == {
        "name": "servicenow",
        "state": "open",
        "by_hand": True,
        "reason": "opened by hand",
        "seconds": None,
        "openings": 0,
        "since": "",
    }
    assert breakers(here, "reset", "--dry-run").document["changed"] == ["servicenow"]
    assert row(here, "servicenow")["state"] == "open"
    runs = here.run("runs", "list", "--env", "testing", "--json").document["runs"]
    assert [run["command"] for run in runs].count("breakers") == 1


@pytest.mark.parametrize(
    "wrong", [("open", "servicenow.iri"), ("open", "servicenow", "--for", "soon"), ("open", "database"), ("reset", "x")]
)
def test_what_is_no_breaker_or_no_time_is_a_bad_argument(snowload: Snowload, wrong: tuple[str, ...]) -> None:
    ended = snowload("breakers", *wrong, "--env", "testing", "--json")
    keeps(ended.document)
    assert (ended.code, ended.document["error"]["code"]) == (2, "usage.bad_argument")


def test_people_are_shown_a_table(snowload: Snowload) -> None:
    snowload("breakers", "open", "servicenow", "--for", "2h", "--reason", "evil\x1b[31m", "--env", "testing")
    told = snowload("breakers", "list", "--env", "testing")
    assert "open by hand" in told.out
    assert "\x1b[31m" not in told.out
    assert told.out.rstrip().endswith("breakers: 1 open")


def test_each_breaker_is_set_up_by_itself_and_shown_with_where_that_was_said(snowload: Snowload) -> None:
    file = snowload.home / "own.toml"
    file.write_text(
        "[circuit_breaker]\nfailure_threshold = 7\n[circuit_breaker.servicenow.ire]\nslow_call_seconds = 30\n"
        '[circuit_breaker."unifi:10.0.0.1"]\nfailure_threshold = 2\n',
        encoding="utf-8",
    )
    variable = {"SNOWLOAD_CIRCUIT_BREAKER__SERVICENOW__IRE__FAILURE_THRESHOLD": "3"}
    ended = snowload("config", "show", "--config", str(file), "--env", "testing", "--json", **variable)
    assert ended.code == 0, ended.err
    shown = {one["key"]: (one["value"], one["source"]) for one in ended.document["settings"]}
    assert shown["circuit_breaker.failure_threshold"] == (7, str(file))
    assert shown["circuit_breaker.servicenow.ire.slow_call_seconds"] == (30.0, str(file))
    assert shown["circuit_breaker.servicenow.ire.failure_threshold"] == (3, "environment variable")
    assert shown["circuit_breaker.unifi:10.0.0.1.failure_threshold"] == (2, str(file))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[circuit_breaker.servicenow.iri]\nslow_rate = 0.5", "did you mean servicenow.ire"),
        ("[circuit_breaker]\nfailure_treshold = 3", "did you mean circuit_breaker.failure_threshold"),
        ("[circuit_breaker.op]\nfailure_threshold = 0", "circuit_breaker.op.failure_threshold"),
    ],
)
def test_a_breaker_that_is_not_there_and_a_wrong_number_are_told(snowload: Snowload, text: str, told: str) -> None:
    file = snowload.home / "wrong.toml"
    file.write_text(text, encoding="utf-8")
    ended = snowload("config", "check", "--config", str(file), "--env", "testing", "--json")
    assert ended.code == 6
    assert told in " ".join(ended.document["error"]["problems"])


def test_a_first_load_waits_for_a_breaker_that_is_open_for_a_moment(town: OpenTown) -> None:
    """Without having seen the instance once it could queue nothing."""
    here = town(Estate.generate(seed=3, sites=1, devices=8))
    hiccup = Fault(effect=Effect.STATUS, status=503, path="/api/now/cmdb/meta/*", first=1)
    here.sandbox.servicenow.faults.add(hiccup)
    moment = {**PATIENT, "SNOWLOAD_CIRCUIT_BREAKER__FIRST_WAIT_SECONDS": "2", "SNOWLOAD_RETRY__MAX_ATTEMPTS": "2"}
    moment["SNOWLOAD_RETRY__BASE_DELAY_SECONDS"] = "0.001"
    load = here.run(*LOAD, **moment)
    assert (load.code, "breaker.waited" in rules(load)) == (0, True), load.err


def test_a_first_load_does_not_wait_for_a_breaker_longer_than_for_anything_else(town: OpenTown) -> None:
    here = town(Estate.generate(seed=3, sites=1, devices=8))
    away(here)
    long = {**PATIENT, "SNOWLOAD_CIRCUIT_BREAKER__FIRST_WAIT_SECONDS": "61", "SNOWLOAD_RETRY__MAX_ATTEMPTS": "2"}
    long["SNOWLOAD_CIRCUIT_BREAKER__RECOVERY_TIMEOUT_SECONDS"] = "61"
    load = here.run(*LOAD, **long)
    assert (load.code, "breaker.waited" in rules(load)) == (5, False), load.err
    assert "snowload breakers" in load.err


def test_a_name_that_no_breaker_has_is_answered_with_those_that_some_have(here: Town) -> None:
    refused = breakers(here, "open", "nope")
    error = refused.document["error"]
    assert (refused.code, "did you mean" in error["message"]) == (2, False)
    assert all(name in error["next_step"] for name in ("servicenow.ire", "unifi:site-manager", "op"))
    near = breakers(here, "reset", "servicenow.irre").document["error"]
    assert "did you mean servicenow.ire?" in near["message"]
