"""Two loads on one target (L7, Q13)."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from beast_dream_snow_loader.clock import SystemClock
from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from beast_dream_snow_loader.state.locks import one_run_per_target
from beast_dream_snow_loader.state.store import open_store
from tests.scenarios.conftest import Town
from tests.scenarios.desk import LOAD, WRITES, OpenTown, file_of, writing


def begun(here: Town) -> subprocess.Popen[str]:
    """A load that is in the middle of reading a slow UniFi."""
    here.sandbox.site_manager.faults.add(Fault(effect=Effect.LATENCY, seconds=2.0, path="/*"))
    process = subprocess.Popen(
        [sys.executable, "-m", "beast_dream_snow_loader", *LOAD],
        env=here.run.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    while not here.sandbox.log.lines("site-manager"):
        assert process.poll() is None
    return process


def test_the_second_of_two_loads_exits_9_at_once_or_waits_as_long_as_it_is_told(town: OpenTown) -> None:
    here = town(Estate.generate(seed=3, sites=1, devices=12))
    first = begun(here)
    refused = here.run(*LOAD)
    assert refused.code == 9
    assert "is held by run" in refused.document["error"]["message"]
    assert "--lock-timeout" in refused.err
    assert first.poll() is None
    waited = here.run(*LOAD, "--lock-timeout", "1m")
    assert (waited.code, waited.document["written"]["created"]) == (0, 0)
    assert first.wait(timeout=30) == 0
    first.communicate()


@contextmanager
def locked_for(here: Town, seconds: float) -> Iterator[None]:
    """The lock of this host is held, and free again after so long."""
    held = threading.Event()

    def hold() -> None:
        with one_run_per_target(file_of(here).parent, here.run.variables["SERVICENOW_INSTANCE"], "run-lock"):
            held.set()
            time.sleep(seconds)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(5)
    yield
    holder.join()


def test_the_time_to_wait_counts_once_for_the_lock_of_the_host_and_the_lease_together(town: OpenTown) -> None:
    here = town(Estate.generate(seed=3, sites=1, devices=2))
    assert here.run(*LOAD).code == 0
    target = here.run.variables["SERVICENOW_INSTANCE"]
    with (
        open_store(f"sqlite:///{file_of(here)}", SystemClock()) as store,
        store.lease(target, "run-lease"),
        locked_for(here, 4),
    ):
        began = time.monotonic()
        ended = here.run(*LOAD, "--lock-timeout", "5s")
        waited = time.monotonic() - began
    assert ended.code == 9
    assert "run-lease" in ended.document["error"]["message"]
    assert 5 <= waited < 8, "twice would be nine"


def test_a_lock_timeout_that_is_no_duration_is_a_usage_error(town: OpenTown) -> None:
    here = town(Estate.generate(seed=3, sites=1, devices=2))
    ended = here.run(*LOAD, "--lock-timeout", "soon")
    assert (ended.code, ended.document["error"]["next_step"]) == (
        2,
        "Write --lock-timeout 5m. Then run: snowload --help",
    )


def test_a_killed_run_is_told_as_interrupted_before_another_run_has_closed_it(town: OpenTown) -> None:
    here = town(Estate.generate(seed=3, sites=1, devices=4))
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.LATENCY, path=WRITES, seconds=40))
    first = writing(here)

    def told() -> list[str]:
        listed = here.run("runs", "list", "--env", "testing", "--json").document["runs"]
        return [run["status"] for run in listed]

    assert told() == ["running"]
    first.kill()
    first.communicate()
    assert told() == ["interrupted"]
    assert here.run("report", "--env", "testing", "--json").document["runs"][0]["status"] == "interrupted"
