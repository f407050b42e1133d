"""One run per target; whoever comes second learns who is first."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from beast_dream_snow_loader.clock import SystemClock
from beast_dream_snow_loader.errors import StateError, StateLocked
from beast_dream_snow_loader.state.locks import POLL_SECONDS, one_run_per_target
from beast_dream_snow_loader.state.patience import Patience

HOLD = """
import sys, time
from pathlib import Path
from beast_dream_snow_loader.state.locks import one_run_per_target
with one_run_per_target(Path(sys.argv[1]), "dev1", "run-1"):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds ``dev1``, once it does."""
    started: list[subprocess.Popen[str]] = []

    def hold(seconds: float = 60) -> subprocess.Popen[str]:
        program = [sys.executable, "-c", HOLD, str(tmp_path), str(seconds)]
        started.append(subprocess.Popen(program, stdout=subprocess.PIPE, text=True))
        assert started[-1].stdout.readline() == "held\n"
        return started[-1]

    yield hold
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_the_second_run_is_refused_at_once_and_told_who_holds_the_target(tmp_path, holder):
    process = holder()
    with pytest.raises(StateLocked) as locked, one_run_per_target(tmp_path, "dev1", "run-2"):
        pass
    assert f"dev1 is held by run run-1 (process {process.pid}, since 20" in str(locked.value)


def test_other_targets_are_free(tmp_path, holder):
    holder()
    with one_run_per_target(tmp_path, "dev2", "run-2"):
        pass


def test_a_run_that_waits_gives_up_after_its_timeout(tmp_path, clock, holder):
    holder()
    with pytest.raises(StateLocked), one_run_per_target(tmp_path, "dev1", "run-2", Patience.of(clock, 5)):
        pass
    assert clock.waited == pytest.approx(5, abs=POLL_SECONDS)


def test_a_run_that_waits_goes_on_when_the_holder_has_ended(tmp_path, holder):
    holder(0.3)
    with one_run_per_target(tmp_path, "dev1", "run-2", Patience.of(SystemClock(), 20)):
        pass


def test_a_killed_holder_is_taken_over_within_five_seconds(tmp_path, holder):
    process = holder()
    process.send_signal(signal.SIGKILL)
    process.wait()
    clock = SystemClock()
    began = clock.monotonic()
    with one_run_per_target(tmp_path, "dev1", "run-2", Patience.of(clock, 5)):
        pass
    assert clock.monotonic() - began < 5


def test_a_finished_run_leaves_the_target_free_and_no_note(tmp_path):
    for run_id in ("run-1", "run-2"):
        with one_run_per_target(tmp_path, "dev1", run_id):
            assert len(list(tmp_path.rglob("*.json"))) == 1
        assert not list(tmp_path.rglob("*.json"))


def test_a_second_run_in_the_same_process_is_refused_as_well(tmp_path):
    refused: list[StateError] = []

    def second() -> None:
        try:
            with one_run_per_target(tmp_path, "dev1", "run-2"):
                pass
        except StateError as error:
            refused.append(error)

    with one_run_per_target(tmp_path, "dev1", "run-1"):
        second()
        other = threading.Thread(target=second)
        other.start()
        other.join()
    assert [type(error) for error in refused] == [StateLocked, StateLocked]
