"""A run told whole: what happened, why, with what settings, and what came of it; bounded, without a secret (R8.5)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from beast_dream_snow_loader.core.postmortem import MOST, Evidence, postmortem
from beast_dream_snow_loader.core.run import Run, RunStatus
from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from tests.conftest import Snowload
from tests.scenarios.desk import LOAD, OpenTown, away, keeps, one_switch, refuse, small
from tests.scenarios.in_process import InProcess

REPORT_OF = ("report", "--env", "testing", "--json", "--run")


@pytest.fixture
def snowload(tmp_path: Path) -> Snowload:
    return InProcess(tmp_path)


def test_a_failed_night_is_told_from_its_causes_to_the_run_that_mended_it(town: OpenTown) -> None:
    here = town(small())
    refuse(here, switch := one_switch(here.estate))
    first = here.run(*LOAD).document
    away(here)
    bad = here.run(*LOAD, "--full").document
    here.sandbox.servicenow.faults.clear()
    ended = here.run(*REPORT_OF, bad["run_id"], "--postmortem")
    told = ended.document
    keeps(told)
    assert ended.code == 0
    assert (told["run"]["status"], told["run"]["exit_code"]) == ("queued", 8)
    assert told["impact"]["queued"] == bad["queued"] == sum(one["count"] for one in told["changes"])
    assert {one["state"] for one in told["changes"]} == {"later"}
    assert told["impact"]["unrecovered_causes"] == ["servicenow/transport.server_fault"]
    assert told["impact"]["next_good_run"] is None
    assert [one["correlation_id"] for one in told["errors"]] == [bad["run_id"]]
    assert [one["run_id"] for one in told["around"]["before"]] == [first["run_id"]]
    moments = [one["what"] for one in told["timeline"]]
    assert {"run", "step", "error", "incident", "changes"} == set(moments)
    assert sorted(one["at"] for one in told["timeline"]) == [one["at"] for one in told["timeline"]]
    assert "run.finished" in [line["event"] for line in told["log"]]
    assert {line["correlation_id"] for line in told["log"]} <= {bad["run_id"]}
    settings = {one["key"]: one["value"] for one in told["configuration"]}
    assert settings["servicenow.password"] == "[hidden]"
    assert "snowload-demo" not in ended.out
    assert told["versions"]["snowload"] == bad["snowload_version"]
    told = here.run(*REPORT_OF, first["run_id"], "--postmortem").document
    assert switch in {one["record"] for one in told["data"]["failed"]}


def test_a_source_that_answered_only_in_part_is_among_the_errors_with_its_words(town: OpenTown) -> None:
    """R1.1: nothing was raised, because the rest of UniFi was read."""
    here = town(small())
    here.run(*LOAD)
    here.sandbox.site_manager.faults.add(Fault(effect=Effect.STATUS, status=500))
    load = here.run(*LOAD, "--full").document
    told = here.run(*REPORT_OF, load["run_id"], "--postmortem").document
    keeps(told)
    (error,) = told["errors"]
    assert (error["record"], error["code"], error["category"]) == ("source", "transport.server_fault", "network")
    assert "site-manager" in error["message"]
    assert error["correlation_id"] == load["run_id"]
    assert error["incident"] == told["incidents"][0]["id"]
    assert "request.finished" in [line["event"] for line in told["log"] if line["level"] == "warning"]


def test_warnings_of_the_log_are_told_before_what_went_well(town: OpenTown) -> None:
    here = town(Estate.generate(seed=5, sites=3, devices=60))
    here.sandbox.site_manager.faults.add(Fault(effect=Effect.STATUS, status=500, first=1))
    load = here.run(*LOAD, SNOWLOAD_LOGGING__LEVEL="DEBUG").document
    told = here.run(*REPORT_OF, load["run_id"], "--postmortem").document
    assert load["written"]["created"] > MOST / 2
    assert len(told["log"]) <= MOST
    assert "change.settled" not in {line["event"] for line in told["log"]}
    assert "warning" in {line["level"] for line in told["log"] if line["event"] == "request.finished"}
    assert told["omitted"]["log"] > MOST / 2


def test_it_is_bounded_and_counts_what_it_leaves_out() -> None:
    at = datetime(2026, 11, 27, tzinfo=UTC)
    many = [{"code": "x", "message": "y" * 9000, "timestamp": "2026-11-27T00:00:00Z"} for _ in range(500)]
    failed = [{"key": f"device/{n}", "change": "update", "code": "x", "message": "m"} for n in range(5000)]
    report = {"errors": many, "errors_omitted": 4500, "failed": failed}
    run = Run(id="r", command="load", environment="testing", target="t", started_at=at, status=RunStatus.PARTIAL,
              report=report)  # fmt: skip
    told = postmortem(Evidence(run=run))
    assert len(told["errors"]) == len(told["timeline"]) == len(told["data"]["failed"]) == MOST
    assert told["omitted"]["errors"] == 4900
    assert told["impact"]["failed"] == told["data"]["counts"]["failed"] == 5000
    assert len(str(told)) < 1_000_000


def test_a_post_mortem_needs_a_run(snowload: Snowload) -> None:
    ended = snowload("report", "--env", "testing", "--postmortem", "--json", SERVICENOW_INSTANCE="dev1")
    assert (ended.code, ended.document["error"]["next_step"]) == (2, "Name it with --run ID; see: snowload runs list")
