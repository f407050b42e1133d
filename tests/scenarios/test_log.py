"""The log of a run as its reader finds it (R1.2, X4)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from beast_dream_snow_loader.operations.log_events import ENVELOPE, EVENTS
from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from tests.scenarios.conftest import Town
from tests.scenarios.desk import LOAD, OpenTown, refuse

WORDY = ("load", "--env", "development", "--json")


@pytest.fixture
def here(town: OpenTown) -> Town:
    return town(Estate.generate(seed=3, sites=1, devices=5))


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_run_says_only_events_and_values_of_the_documented_list(here: Town, tmp_path: Path) -> None:
    log = tmp_path / "run.jsonl"
    refuse(here, "nobody")
    here.run(*WORDY, "-vv", "--log-file", str(log))
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.STATUS, status=503, path="/api/*"))
    here.run(*WORDY, "-vv", "--log-file", str(log))
    told = lines(log.read_text())
    assert {"run.started", "run.finished", "request.finished", "library.spoke", "credential.accessed"} <= {
        line["event"] for line in told
    }
    for line in told:
        assert set(line) - set(ENVELOPE) <= set(EVENTS[line["event"]].values), line
        assert "[hidden]" not in line.values(), line
    numbers = {line["metric"]: line["value"] for line in told if line["event"] == "metric.recorded"}
    assert numbers["errors.servicenow_api"] >= 1
    assert numbers["requests.servicenow"] >= 1


def test_the_first_line_names_the_run_and_the_last_how_it_ended(here: Town, tmp_path: Path) -> None:
    log = tmp_path / "run.jsonl"
    ended = here.run("load", "--env", "staging", "--json", "--log-file", str(log))
    first, *_, last = lines(log.read_text())
    assert (first["event"], first["command"], first["run_id"]) == ("run.started", "load", ended.document["run_id"])
    assert (last["event"], last["status"], last["exit_code"]) == ("run.finished", "ok", 0)


def test_retries_wait_as_the_settings_say_and_every_operation_is_measured(here: Town, tmp_path: Path) -> None:
    """R2, R6: without jitter each wait is the base's power."""
    log = tmp_path / "run.jsonl"
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.STATUS, status=503, path="/api/now/cmdb/meta/*", first=2))
    waits = {"BASE_DELAY_SECONDS": "0.05", "EXPONENTIAL_BASE": "3", "JITTER": "false", "MAX_ATTEMPTS": "3"}
    ended = here.run(
        *WORDY, "--log-file", str(log), **{f"SNOWLOAD_RETRY__{name}": told for name, told in waits.items()}
    )
    told = lines(log.read_text())
    assert (ended.code, [line["seconds"] for line in told if line["event"] == "retry.planned"]) == (0, [0.05, 0.15])
    measured = {
        (line["metric"], line.get("name")): line["value"] for line in told if line["event"] == "metric.recorded"
    }
    assert measured["request.failed", "GET meta.read"] > 0
    assert measured["request.p95", "GET meta.read"] > 0


def test_a_failing_run_is_a_warning_with_its_exit_code(here: Town, tmp_path: Path) -> None:
    log = tmp_path / "run.jsonl"
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.STATUS, status=503, path="/api/*"))
    ended = here.run(*LOAD, "--log-file", str(log))
    (last,) = (line for line in lines(log.read_text()) if line["event"] == "run.finished")
    assert (last["level"], last["exit_code"]) == ("warning", ended.code)
    assert ended.code != 0


def test_one_id_is_in_every_request_in_every_line_and_in_the_report(here: Town, tmp_path: Path) -> None:
    """X4: the run's id as ``X-Correlation-ID``, its trace as ``traceparent``, from every thread and to either end."""
    log = tmp_path / "run.jsonl"
    run_id = here.run(*WORDY, "--log-file", str(log)).document["run_id"]
    told = lines(log.read_text())
    assert {line["correlation_id"] for line in told} == {run_id}
    requests = here.sandbox.log.lines()
    assert {line.service for line in requests} >= {"servicenow", "site-manager"}
    assert {line.correlation_id for line in requests} == {run_id}
    forms = [re.fullmatch(r"00-([0-9a-f]{32})-([0-9a-f]{16})-01", line.traceparent) for line in requests]
    assert {form and form[1] for form in forms} == {told[0]["trace_id"]}
    assert len({form and form[2] for form in forms}) == len(requests)


@pytest.mark.parametrize(
    ("flags", "levels"),
    [
        ((), set()),
        (("--quiet", "-v"), set()),
        (("-v", "--log-format", "json"), {"info"}),
        (("--log-format", "json"), set()),
        (("-vv", "--log-format", "json"), {"info", "debug"}),
    ],
    ids=lambda value: " ".join(sorted(value)),
)
def test_stderr_shows_as_much_as_was_asked_for(here: Town, flags: tuple[str, ...], levels: set[str]) -> None:
    """In the environment ``testing`` only warnings are usual."""
    ended = here.run(*LOAD, *flags)
    assert ended.code == 0, ended.err
    assert {line["level"] for line in lines(ended.err)} == levels


def test_a_log_for_people_is_made_when_it_is_asked_for(here: Town) -> None:
    ended = here.run("load", "--env", "staging", "--json", "--log-format", "console")
    assert re.search(r"Z \[info +\] run\.started", ended.err)


def test_a_log_on_a_full_device_costs_the_lines_and_not_the_run(here: Town) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no device that is always full")
    ended = here.run(*WORDY, "--log-file", "/dev/full")
    assert ended.code == 0
    assert ended.err.count("/dev/full cannot be written") == 1


def test_settings_rotate_the_log(here: Town, tmp_path: Path) -> None:
    log = tmp_path / "logs" / "run.jsonl"
    few = {"SNOWLOAD_LOGGING__MAX_BYTES": "3000", "SNOWLOAD_LOGGING__BACKUPS": "2"}
    assert here.run(*WORDY, "--log-file", str(log), **few).code == 0
    kept = sorted(log.parent.glob("run.jsonl*"))
    assert [one.name for one in kept] == ["run.jsonl", "run.jsonl.1", "run.jsonl.2"]
    assert all(one.stat().st_size <= 3000 and one.stat().st_mode & 0o777 == 0o600 for one in kept)
    assert [line for one in kept for line in lines(one.read_text())]
