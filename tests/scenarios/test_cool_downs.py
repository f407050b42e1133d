"""A service that asked to be left alone is, by every command; a person sees for how long and may end it (R2.2, X2)."""

from __future__ import annotations

import re
from typing import Any

import pytest

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from tests.scenarios.conftest import Town
from tests.scenarios.desk import LOAD, OpenTown, keeps

DOCTOR = ("doctor", "--env", "testing", "--json")
HEALTH = ("health", "--env", "testing", "--json")
DAY = 24 * 3600


@pytest.fixture
def here(town: OpenTown) -> Town:
    return town(Estate.generate(seed=3, sites=1, devices=4))


def throttled(town: Town, retry_after: str = "") -> None:
    """ServiceNow answers 429 to whatever it is asked."""
    headers = (("Retry-After", retry_after),) if retry_after else ()
    town.sandbox.servicenow.faults.add(Fault(effect=Effect.STATUS, status=429, path="*", headers=headers))


def told_to_wait(town: Town, retry_after: str) -> dict[str, Any]:
    """A load that met it, after which the instance is well again; its log is empty."""
    throttled(town, retry_after)
    load = town.run(*LOAD)
    assert load.code in (5, 8), load.err
    town.sandbox.servicenow.faults.clear()
    town.sandbox.log.clear()
    return {"err": load.err, **load.document}


def breakers(town: Town, *arguments: str) -> dict[str, Any]:
    ended = town.run("breakers", *arguments, "--env", "testing", "--json")
    keeps(ended.document)
    assert ended.code == 0, ended.err
    return dict(ended.document)


def test_the_doctor_sends_nothing_to_a_service_that_asked_another_run_to_wait(here: Town) -> None:
    told_to_wait(here, "600")
    doctor = here.run(*DOCTOR)
    keeps(doctor.document)
    assert doctor.code != 0
    assert here.sandbox.log.lines("servicenow") == ()
    (awake,) = (one for one in doctor.document["checks"] if one["name"] == "servicenow.awake")
    assert awake["status"] == "fail", awake
    assert re.search(r"left alone for (9m\d+s|10m), until", awake["found"]), awake
    assert "snowload breakers reset servicenow" in awake["fix"]
    (login,) = (one for one in doctor.document["checks"] if one["name"] == "servicenow.login")
    assert login["status"] == "skipped"


def test_what_the_doctor_is_told_holds_for_the_next_command(here: Town) -> None:
    throttled(here, "600")
    assert here.run(*DOCTOR).code != 0
    assert len(here.sandbox.log.lines("servicenow")) == 1, "one 429 is enough"
    assert here.run(*LOAD).code != 0
    assert len(here.sandbox.log.lines("servicenow")) == 1


def test_a_wait_beyond_reason_is_a_day_and_the_run_says_for_how_long_and_what_to_do(here: Town) -> None:
    told = told_to_wait(here, "1000000000")
    assert re.search(r"left alone for (23h59m\d+s|1d), until 20", told["err"]), told["err"]
    assert "snowload breakers list" in told["err"]
    (wait,) = breakers(here, "list")["cool_downs"]
    assert wait["service"] == "servicenow"
    assert DAY - 120 < wait["seconds"] <= DAY
    assert "1d is the most that is heeded" in wait["reason"]
    assert "cool-downs: 1 in force" in here.run("breakers", "list", "--env", "testing").out
    health = here.run(*HEALTH)
    assert re.search(r"left alone for (23h59m\d+s|1d)", health.err), health.err
    assert "snowload breakers reset" in health.err
    assert here.sandbox.log.lines("servicenow") == ()


@pytest.mark.parametrize("name", [["servicenow"], []], ids=["one", "all"])
def test_a_reset_ends_a_cool_down_and_the_next_load_is_well(here: Town, name: list[str]) -> None:
    told_to_wait(here, "Fri, 31 Dec 9999 23:59:59 GMT")
    assert breakers(here, "reset", *name, "--dry-run")["ended"] == ["servicenow"]
    assert len(breakers(here, "reset", "servicenow.table")["cool_downs"]) == 1, "one API is not the whole"
    done = breakers(here, "reset", *name)
    assert (done["ended"], done["cool_downs"]) == (["servicenow"], [])
    assert here.run(*LOAD).code == 0


def test_a_429_without_a_word_is_kept_by_the_doctor_too(town: OpenTown) -> None:
    here = town(Estate.generate(seed=3, consoles=2, sites=2, devices=4))
    console = here.sandbox.consoles[1].server
    console.faults.add(Fault(effect=Effect.STATUS, status=429, path="/api/auth/login"))
    assert here.run(*LOAD).code == 3
    console.faults.clear()
    (wait,) = breakers(here, "list")["cool_downs"]
    assert wait["service"].endswith(" login")
    here.sandbox.log.clear()
    doctor = here.run(*DOCTOR, "--check", "unifi")
    assert re.search(r"takes no more logins for now \((1m\d+s|2m)", doctor.out), doctor.out
    assert "/api/auth/login" not in [one.path for one in here.sandbox.log.lines("console-2")]
    name = wait["service"].removesuffix(" login")
    assert breakers(here, "reset", name)["ended"] == [wait["service"]]
    assert here.run(*LOAD).code == 0
