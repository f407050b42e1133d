"""How much of it could be done is told by every command that looks at the world, with what to do next (X3, R6.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from tests.conftest import Ended
from tests.scenarios.conftest import Town
from tests.scenarios.desk import HELD_BACK, LOAD, REPLAY, OpenTown, away, keeps, small, switch, unifi_away

ENDS = ("--env", "testing", "--json")
LOOKING = (
    ("load", "--dry-run"),
    ("plan",),
    ("validate",),
    ("health",),
    ("doctor",),
    ("report",),
    ("queue", "list"),
    ("replay-queue", "--dry-run"),
)


@pytest.fixture
def here(town: OpenTown) -> Town:
    return town(Estate.generate(seed=3, sites=1, devices=8))


def told(ended: Ended) -> Mapping[str, Any]:
    """The level with its reasons; each of them names a command."""
    keeps(ended.document)
    degradation: Mapping[str, Any] = ended.document["degradation"]
    assert (degradation["level"] == "full") == (not degradation["reasons"])
    assert all("snowload " in reason["next_step"] for reason in degradation["reasons"])
    return degradation


def levels(here: Town, **variables: str) -> dict[str, str]:
    """Of every command that looks at the world."""
    return {command[0]: told(here.run(*command, *ENDS, **variables))["level"] for command in LOOKING}


def codes(ended: Ended) -> set[str]:
    return {reason["code"] for reason in told(ended)["reasons"]}


def test_a_town_in_which_nothing_is_amiss_is_at_the_full_level_everywhere(here: Town) -> None:
    assert told(here.run(*LOAD))["level"] == "full"
    assert set(levels(here).values()) == {"full"}
    assert "degradation:" not in here.run("health", "--env", "testing").out


def test_a_part_switched_off_is_the_reduced_level_everywhere_and_its_setting_is_named(here: Town) -> None:
    off = {"SNOWLOAD_FEATURES__VERIFY": "false"}
    assert here.run(*LOAD).code == 0
    assert set(levels(here, **off).values()) == {"reduced"}
    (reason,) = told(here.run(*LOAD, **off))["reasons"]
    assert reason["code"] == "feature.off"
    assert "features.verify" in reason["message"]
    assert "environment variable" in reason["message"]


def test_read_only_mode_is_the_read_only_level_everywhere(here: Town) -> None:
    assert set(levels(here, **HELD_BACK).values()) == {"read-only"}
    shown = here.run("queue", "list", "--env", "testing", **HELD_BACK).out
    assert "degradation: read-only" in shown
    assert "snowload replay-queue" in shown


def test_servicenow_away_is_the_read_only_level_and_stays_on_record_until_a_run_finds_it_back(here: Town) -> None:
    assert here.run(*LOAD).code == 0
    here.estate.rename_device(switch(here.estate).mac, "renamed-while-away")
    away(here)
    load = here.run(*LOAD)
    assert (load.code, told(load)["level"]) == (8, "read-only")
    assert levels(here) == dict.fromkeys((command[0] for command in LOOKING), "read-only")
    recorded = told(here.run("report", *ENDS))
    assert (recorded["run_id"], bool(recorded["as_of"])) == (load.document["run_id"], True)
    here.sandbox.servicenow.faults.clear()
    assert told(here.run(*REPLAY))["level"] == "full"
    assert told(here.run("queue", "list", *ENDS))["level"] == "full"


def test_a_source_from_its_snapshot_is_the_stale_level(here: Town) -> None:
    assert here.run(*LOAD).code == 0
    unifi_away(here)
    assert told(here.run(*LOAD))["level"] == "stale"
    assert told(here.run("health", *ENDS))["level"] == "stale"
    assert told(here.run("doctor", *ENDS))["level"] == "stale"
    assert told(here.run("queue", "list", *ENDS))["level"] == "stale"
    assert "degradation: stale" in here.run("plan", "--env", "testing").out


def test_neither_end_is_the_offline_level(here: Town) -> None:
    unifi_away(here)
    assert told(here.run(*LOAD))["level"] == "offline"
    away(here)
    assert {told(here.run(command, *ENDS))["level"] for command in ("load", "health", "doctor")} == {"offline"}


def test_a_snapshot_while_servicenow_is_away_is_the_offline_level_with_both_reasons(here: Town) -> None:
    assert here.run(*LOAD).code == 0
    unifi_away(here)
    away(here)
    load = told(here.run(*LOAD))
    assert load["level"] == "offline"
    assert {reason["level"] for reason in load["reasons"]} == {"stale", "read-only"}
    assert told(here.run("report", *ENDS))["level"] == "offline"


def test_an_engine_that_is_closed_reduces(town: OpenTown) -> None:
    here = town(small())
    closed = Fault(effect=Effect.STATUS, status=403, path="/api/now/identifyreconcile/*")
    here.sandbox.servicenow.faults.add(closed)
    load = here.run(*LOAD)
    assert told(load)["level"] == "reduced"
    assert "class.base" in codes(load)
    assert told(here.run("health", *ENDS))["level"] == "reduced"
    assert told(here.run("doctor", *ENDS))["level"] == "reduced"


def test_one_console_of_several_unread_is_told(town: OpenTown) -> None:
    here = town(Estate.generate(seed=3, sites=2, devices=16))
    for server in (here.sandbox.consoles[0].server,):
        server.faults.add(Fault(effect=Effect.STATUS, status=503, path="*"))
    assert told(here.run(*LOAD))["level"] in ("reduced", "stale")


def test_a_class_that_the_instance_has_not_is_told_by_health_and_doctor_too(town: OpenTown) -> None:
    here = town(small(), without=("cmdb_ci_wap_network",))
    load = here.run(*LOAD)
    assert codes(load) == {"class.fallback"}
    assert codes(here.run("health", *ENDS)) == {"class.fallback"}
    assert codes(here.run("doctor", *ENDS)) == {"class.fallback"}
