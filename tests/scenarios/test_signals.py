"""A program asked to end does so soon, also while it waits; asked twice, at once (L7, R6.5)."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager

import pytest

from beast_dream_snow_loader.app.signals import stop_on_signals
from beast_dream_snow_loader.clock import SystemClock
from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from beast_dream_snow_loader.state.locks import one_run_per_target
from beast_dream_snow_loader.state.store import open_store
from tests.scenarios.conftest import Town
from tests.scenarios.desk import LOAD, WRITES, OpenTown, file_of, running, switch, when, writing

LONG = 40
"""Seconds that the instance takes, or asks to be left alone; whoever ends within half of it has not waited."""


@pytest.fixture
def here(town: OpenTown) -> Town:
    return town(Estate.generate(seed=3, sites=1, devices=4))


def mended(here: Town) -> bool:
    """The next load has no time to wait for what the instance asked of this one."""
    here.sandbox.servicenow.faults.clear()
    here.run("breakers", "reset", "--env", "testing")
    return here.run(*LOAD).code == 0


def test_a_signal_ends_a_wait_before_the_next_attempt(here: Town) -> None:
    busy = Fault(effect=Effect.STATUS, status=429, path=WRITES, headers=(("Retry-After", str(LONG)),))
    here.sandbox.servicenow.faults.add(busy)
    load = writing(here)
    time.sleep(1)
    load.send_signal(signal.SIGTERM)
    load.communicate(timeout=LONG / 2)
    assert load.returncode == 143
    assert mended(here)


def asked_twice(load: subprocess.Popen[str]) -> None:
    """And it did not wait for what it had sent."""
    for _ in range(2):
        time.sleep(1)
        load.send_signal(signal.SIGTERM)
    _, said = load.communicate(timeout=LONG / 4)
    assert load.returncode == 143
    assert "snowload load --resume" in said


@pytest.mark.parametrize("consoles", [1, 4])
def test_a_second_signal_ends_it_in_the_middle_of_a_request_of_each_lane(town: OpenTown, consoles: int) -> None:
    here = town(Estate.generate(seed=3, sites=consoles, devices=4 * consoles, consoles=consoles))
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.LATENCY, path=WRITES, seconds=LONG))
    asked_twice(writing(here))
    assert mended(here)


def test_a_second_signal_ends_it_while_several_consoles_are_read(town: OpenTown) -> None:
    here = town(Estate.generate(seed=3, sites=4, devices=16, consoles=4))
    for console in here.sandbox.consoles:
        console.server.faults.add(Fault(effect=Effect.LATENCY, path="*", seconds=LONG))
    load = running(here, *LOAD)
    when(lambda: here.sandbox.log.lines("site-manager"), "nothing was read")
    asked_twice(load)


def test_a_second_signal_ends_it_while_the_database_is_kept_by_another_program(here: Town) -> None:
    """SQLite waits for it, and lets Python hear no signal meanwhile."""
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.LATENCY, path=WRITES, seconds=2))
    load = writing(here)
    with closing(sqlite3.connect(file_of(here), isolation_level=None)) as another:
        another.execute("BEGIN IMMEDIATE")
        time.sleep(4)
        asked_twice(load)


@contextmanager
def locked(here: Town) -> Iterator[None]:
    with one_run_per_target(file_of(here).parent, here.run.variables["SERVICENOW_INSTANCE"], "run-other"):
        yield


@contextmanager
def leased(here: Town) -> Iterator[None]:
    """As by a run on another host: the lock of this one is free."""
    with (
        open_store(f"sqlite:///{file_of(here)}", SystemClock()) as store,
        store.lease(here.run.variables["SERVICENOW_INSTANCE"], "run-other"),
    ):
        yield


@pytest.mark.parametrize(("held", "number", "code"), [(locked, signal.SIGTERM, 143), (leased, signal.SIGINT, 130)])
def test_a_signal_ends_a_load_that_waits_for_another_run(
    here: Town, held: Callable[[Town], AbstractContextManager[None]], number: int, code: int
) -> None:
    """Q13: and neither end was asked anything."""
    assert here.run(*LOAD).code == 0
    here.sandbox.log.clear()
    with held(here):
        load = running(here, *LOAD, "-v", "--lock-timeout", f"{LONG}s")
        while "run.started" not in load.stderr.readline():
            assert load.poll() is None
        time.sleep(1)
        load.send_signal(number)
        out, said = load.communicate(timeout=LONG / 4)
    assert load.returncode == code
    ended = json.loads(out)
    assert (ended["status"], ended["error"]["code"]) == ("interrupted", "run.stopped")
    assert said.endswith("waited for another run; nothing was written.\n  Run it again: `snowload load`.\n")
    assert not here.sandbox.log.lines()
    assert len(here.run("runs", "list", "--env", "testing", "--json").document["runs"]) == 1


def test_a_signal_ends_an_explanation_with_the_step_under_way(here: Town) -> None:
    assert here.run(*LOAD).code == 0
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.LATENCY, path="/api/*", seconds=1))
    here.sandbox.log.clear()
    explaining = running(here, "explain", switch(here.estate).mac, "--env", "testing", "--json")
    when(here.sandbox.log.lines, "nothing was asked")
    explaining.send_signal(signal.SIGTERM)
    out, _ = explaining.communicate(timeout=60)
    assert explaining.returncode == 143
    assert (json.loads(out)["status"], json.loads(out)["error"]["code"]) == ("interrupted", "run.stopped")


def test_a_signal_while_everything_is_read_ends_it_with_the_step_under_way(here: Town) -> None:
    assert here.run(*LOAD).code == 0
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.LATENCY, path="/api/*", seconds=1))
    here.sandbox.log.clear()
    load = running(here, *LOAD, "--full")
    when(here.servicenow_reads, "nothing was asked")
    load.send_signal(signal.SIGTERM)
    out, _ = load.communicate(timeout=60)
    assert load.returncode == 143
    assert json.loads(out)["status"] == "interrupted"
    assert "/api/now/stats/sys_object_source" not in here.servicenow_reads()
    assert mended(here)


def test_nobody_listens_for_signals_any_more_when_a_command_has_ended() -> None:
    """A process that forks afterwards would take the thread for one of its own (Q17)."""
    for _ in range(200):
        with stop_on_signals(SystemClock()):
            pass
        assert "signals" not in {thread.name for thread in threading.enumerate()}
