"""What a report says is what happened: held against the CMDB and against what the commands ended with (R8)."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from beast_dream_snow_loader.clock import SystemClock
from beast_dream_snow_loader.core.run import RunStatus
from beast_dream_snow_loader.sandbox.servicenow import oracle
from beast_dream_snow_loader.state.store import open_store
from tests.conftest import Snowload
from tests.scenarios.conftest import Town
from tests.scenarios.desk import (
    LOAD,
    REPLAY,
    OpenTown,
    away,
    by_hand,
    keeps,
    keys,
    one_switch,
    refuse,
    small,
    unifi_away,
    uplinks,
)
from tests.scenarios.in_process import InProcess

REPORT = ("report", "--env", "testing", "--json")


@pytest.fixture
def snowload(tmp_path: Path) -> Snowload:
    return InProcess(tmp_path)


def reported(here: Town) -> dict[str, Any]:
    document = here.run(*REPORT).document
    keeps(document)
    return document


def told_as_ended(told: dict[str, Any], codes: list[int]) -> None:
    """No success that was none, no failure left out."""
    assert [run["exit_code"] for run in reversed(told["runs"])] == codes
    assert told["summary"]["ok"] == codes.count(0)
    assert told["summary"]["success_rate_percent"] == round(100 * codes.count(0) / len(codes), 1)
    assert sum(told["summary"]["by_status"].values()) == told["summary"]["runs"] == len(codes)


def told_as_stored(told: dict[str, Any], here: Town) -> None:
    """CIs made, edges drawn, classes and uplinks are those of the CMDB."""
    ours = oracle.by_native_key(here.app.instance, "UniFi")
    assert told["summary"]["created"] == len(ours)
    assert told["inventory"]["classes"] == Counter(item.class_name for item in ours.values())
    assert sum(told["inventory"]["sites"].values()) == len(ours)
    assert told["summary"]["linked"] == len(oracle.edges(here.app.instance))
    above = {node["key"]: node["above"] for node in told["inventory"]["tree"]}
    wanted = uplinks(here.estate)
    assert above == {key: wanted[key] if wanted[key] in above else "" for key in above}


def test_a_refused_device_is_told_with_all_that_hangs_on_it(town: OpenTown) -> None:
    here = town(small())
    refuse(here, switch := one_switch(here.estate))
    load = here.run(*LOAD)
    told = reported(here)
    told_as_ended(told, [3])
    told_as_stored(told, here)
    assert switch not in keys(here)
    records = {one["record"] for one in told["quality"]["failed"]}
    assert records == {one["key"] for one in load.document["failed"]}
    assert switch in records
    assert sum(mode["count"] for mode in told["failures"]) == told["summary"]["failed"] == len(load.document["failed"])
    links = told["quality"]["links"]
    assert links["linked"] == len(oracle.edges(here.app.instance))
    assert links["wanted"] - links["linked"] == len(records) - 1
    assert told["reliability"]["failing_runs"] == 1
    assert told["next_steps"][0]["step"].startswith("See why: snowload report --run")


def test_a_bad_night_and_the_way_out_of_it(town: OpenTown) -> None:
    here = town(small())
    codes = [here.run(*LOAD).code]
    away(here)
    codes.append(here.run(*LOAD, "--full").code)
    queued = reported(here)
    told_as_ended(queued, codes)
    told_as_stored(queued, here)
    assert codes == [0, 8]
    assert queued["queue"]["waiting"] == queued["runs"][0]["queued"] > 0
    assert "Send them: snowload replay-queue" in [one["step"] for one in queued["next_steps"]]
    assert [one["code"] for one in queued["failures"]] == ["transport.server_fault"]
    here.sandbox.servicenow.faults.clear()
    codes += [here.run(*REPLAY).code, here.run(*LOAD).code]
    told = reported(here)
    told_as_ended(told, codes)
    told_as_stored(told, here)
    assert told["queue"] == {"waiting": 0, "unsettled": 0, "parked": 0}
    assert (told["reliability"]["episodes"], told["reliability"]["failing_since"]) == (1, None)
    assert told["reliability"]["mttr_seconds"] > 0


def test_a_good_night_needs_nobody(town: OpenTown) -> None:
    here = town(small())
    codes = [here.run(*LOAD).code, here.run(*LOAD).code]
    told = reported(here)
    told_as_ended(told, codes)
    told_as_stored(told, here)
    assert codes == [0, 0]
    assert told["next_steps"] == told["failures"] == told["incidents"] == told["alerts"] == []
    assert all(one["warning"] == "" and not one["enough"] for one in told["forecasts"])


def test_a_hand_edit_is_told_with_its_record(town: OpenTown) -> None:
    here = town(small())
    here.run(*LOAD)
    by_hand(here, switch := one_switch(here.estate), name="by-hand")
    here.run(*LOAD, "--full")
    told = reported(here)
    edits = [one["record"] for one in told["quality"]["hand_edits"]]
    assert edits == [switch]
    assert told["quality"]["counts"]["hand_edits"] == 1
    here.run(*LOAD, "--full")
    assert reported(here)["summary"]["hand_edits"] == 1  # the same one, seen twice


def test_a_source_that_was_away_is_a_failure_with_its_code(town: OpenTown) -> None:
    here = town(small())
    unifi_away(here)
    load = here.run(*LOAD)
    told = reported(here)
    told_as_ended(told, [load.code])
    assert load.code == 5
    assert told["summary"]["by_status"] == {"unavailable": 1}
    assert load.document["error"]["code"] in {one["code"] for one in told["failures"]}
    assert told["quality"]["run_id"] is None
    assert told["summary"]["created"] == len(keys(here)) == 0


def test_a_killed_run_is_no_success_and_is_not_left_out(town: OpenTown) -> None:
    here = town(small())
    assert here.run(*LOAD).code == 0
    (first,) = reported(here)["runs"]
    database = next(here.run.home.rglob("state.sqlite"))
    with open_store(f"sqlite:///{database}", clock := SystemClock()) as store:
        whole = store.memory.run(first["run_id"])
        killed = replace(whole, id="killed", started_at=clock.now(), finished_at=None, status=RunStatus.RUNNING)
        store.memory.start_run(replace(killed, exit_code=None, report={"asked": {}}))
    told = reported(here)
    assert told["summary"]["by_status"] == {"interrupted": 1, "ok": 1}
    assert told["summary"]["success_rate_percent"] == 50.0
    assert told["next_steps"][0]["step"] == "Finish it: snowload load --resume killed"
    assert (told["reliability"]["failing_runs"], told["reliability"]["episodes"]) == (1, 1)
    assert told["summary"]["linking_rate"] == 1.0  # of the run that knows of one
    told = here.run(*REPORT, "--run", "killed", "--postmortem").document
    assert told["run"]["status"] == "interrupted"
    assert told["impact"]["relations_missing"] is None


@pytest.mark.parametrize(("since", "until"), [("1d", "2d"), ("2026-11-02T00:00:00Z", "2026-11-01T00:00:00Z")])
def test_a_span_that_ends_before_it_begins_is_refused_with_the_right_one(
    snowload: Snowload, since: str, until: str
) -> None:
    """R8: "there was no run" would be a wrong answer."""
    ended = snowload("report", "--env", "testing", "--since", since, "--until", until)
    assert (ended.code, ended.out) == (2, "")
    assert f"snowload report --since {until} --until {since}" in ended.err


def test_what_goes_into_a_file_is_printed_only_by_json(snowload: Snowload, tmp_path: Path) -> None:
    """R8."""
    file = tmp_path / "report.json"
    command = ("report", "--env", "testing", "--format", "json", "--output", str(file))
    ended = snowload(*command)
    assert (ended.code, ended.out) == (0, f"report: {file}\n")
    keeps(json.loads(file.read_bytes()))
    assert snowload(*command, "--json").document["report_file"] == str(file)
    refused = snowload(*command[:-1], str(tmp_path))
    assert (refused.code, refused.document["error"]["code"]) == (2, "usage.bad_argument")
