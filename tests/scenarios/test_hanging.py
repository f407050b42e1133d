"""A console that takes requests and says nothing costs the time that the settings allow, and no more (X1, X6)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from tests.scenarios.conftest import Town
from tests.scenarios.desk import LOAD, OpenTown

READ_SECONDS = 0.4
ATTEMPTS = 2
HANGS = 300.0


@pytest.fixture
def here(town: OpenTown) -> Town:
    """Two consoles, the first of which hangs, and whom Site Manager does not reach either."""
    opened = town(Estate.generate(seed=5, sites=2, devices=12, consoles=2))
    opened.sandbox.consoles[0].server.faults.add(Fault(effect=Effect.HANG, seconds=HANGS))
    opened.estate.set_reachable(opened.estate.consoles()[0].host_id, False)
    return opened


def test_a_console_that_hangs_holds_a_load_for_the_read_timeout_of_each_attempt_and_the_log_says_so(
    here: Town, tmp_path: Path
) -> None:
    log = tmp_path / "run.jsonl"
    times = {
        "SNOWLOAD_UNIFI__READ_TIMEOUT_SECONDS": str(READ_SECONDS),
        "SNOWLOAD_RETRY__MAX_ATTEMPTS": str(ATTEMPTS),
        "SNOWLOAD_RETRY__BASE_DELAY_SECONDS": "0.01",
        "SNOWLOAD_LOGGING__LEVEL": "DEBUG",
    }
    ended = here.run(*LOAD, "--log-file", str(log), **times)
    assert ended.code == 3, ended.err
    hung = [one for one in _requests(log) if one["error"] == "transport.outcome_unknown"]
    assert {one["attempt"] for one in hung} == set(range(1, ATTEMPTS + 1))
    for one in hung:
        allowed = READ_SECONDS * 1000 * (1 + 0.5 * (one["attempt"] - 1))
        assert allowed * 0.9 <= one["milliseconds"] < HANGS * 1000 / 10, one


def _requests(log: Path) -> list[dict[str, Any]]:
    """What was told of each request to a console."""
    told = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return [one for one in told if one.get("event") == "request.finished" and one["service"].startswith("unifi:")]
