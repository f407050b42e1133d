"""A program asked to end does so soon, also while it waits; asked twice, at once (L7, R6.5)."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from tests.scenarios.conftest import Town
from tests.scenarios.desk import LOAD, WRITES, OpenTown

LONG = 40
"""Seconds that the instance takes, or asks to be left alone; whoever ends within half of it has not waited."""


@pytest.fixture
def here(town: OpenTown) -> Town:
    return town(Estate.generate(seed=3, sites=1, devices=4))


def begun(here: Town) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "beast_dream_snow_loader", *LOAD]
    process = subprocess.Popen(
        command, env=here.run.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    until = time.monotonic() + 60
    while not here.writes_begun():
        assert time.monotonic() < until, "no write began"
        time.sleep(0.05)
    return process


def mended(here: Town) -> bool:
    here.sandbox.servicenow.faults.clear()
    return here.run(*LOAD).code == 0


def test_a_signal_ends_a_wait_before_the_next_attempt(here: Town) -> None:
    busy = Fault(effect=Effect.STATUS, status=429, path=WRITES, headers=(("Retry-After", str(LONG)),))
    here.sandbox.servicenow.faults.add(busy)
    running = begun(here)
    time.sleep(1)
    running.send_signal(signal.SIGTERM)
    running.communicate(timeout=LONG / 2)
    assert running.returncode == 143
    assert mended(here)


def test_a_second_signal_ends_it_in_the_middle_of_a_request(here: Town) -> None:
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.LATENCY, path=WRITES, seconds=LONG))
    running = begun(here)
    for _ in range(2):
        running.send_signal(signal.SIGTERM)
        time.sleep(1)
    _, said = running.communicate(timeout=LONG / 2)
    assert running.returncode == 143
    assert "snowload load --resume" in said
    assert mended(here)


def test_a_signal_while_everything_is_read_ends_it_with_the_step_under_way(here: Town) -> None:
    assert here.run(*LOAD).code == 0
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.LATENCY, path="/api/*", seconds=1))
    here.sandbox.log.clear()
    command = [sys.executable, "-m", "beast_dream_snow_loader", *LOAD, "--full"]
    running = subprocess.Popen(
        command, env=here.run.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    until = time.monotonic() + 60
    while not here.servicenow_reads():
        assert time.monotonic() < until, "nothing was asked"
        time.sleep(0.05)
    running.send_signal(signal.SIGTERM)
    out, _ = running.communicate(timeout=60)
    assert running.returncode == 143
    assert json.loads(out)["status"] == "interrupted"
    assert "/api/now/stats/sys_object_source" not in here.servicenow_reads()
    assert mended(here)
