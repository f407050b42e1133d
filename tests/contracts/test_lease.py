"""The lease on a target: one holder at a time, and one that has lost it writes nothing more (L7, Q13)."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import ExitStack
from datetime import timedelta

import pytest
from sqlalchemy import create_engine, text

from beast_dream_snow_loader.clock import SystemClock, rfc3339
from beast_dream_snow_loader.errors import StateLocked
from beast_dream_snow_loader.state.engine import open_engine, writing
from beast_dream_snow_loader.state.store import open_store

PROGRAM = """
import sys, time
from beast_dream_snow_loader.clock import SystemClock
from beast_dream_snow_loader.state.store import open_store
store = open_store(sys.argv[1], SystemClock())
with store.lease("dev1", "run-1"):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def holder(place):
    """Another process that holds ``dev1``."""
    with place.open():
        pass
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, place.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def elsewhere(place, silent_for: timedelta) -> None:
    """The holder as a host would see it that is not the holder's own."""
    since = rfc3339(SystemClock().now() - silent_for)
    engine = create_engine(place.url.replace("postgres://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(text("UPDATE leases SET host = 'another', heartbeat_at = :since"), {"since": since})
    engine.dispose()


def test_the_second_holder_is_refused_at_once_and_told_who_is_first(place, holder):
    with (
        open_store(place.url, SystemClock(), signing=place.signing) as store,
        pytest.raises(StateLocked, match=rf"run run-1 \(process {holder.pid}"),
        store.lease("dev1", "run-2"),
    ):
        pass


def test_other_targets_are_free(place, holder):
    with open_store(place.url, SystemClock(), signing=place.signing) as store, store.lease("dev2", "run-2") as fence:
        assert fence.token == 1


def test_a_holder_that_was_killed_on_this_host_is_taken_over_at_once(place, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with open_store(place.url, SystemClock(), signing=place.signing) as store, store.lease("dev1", "run-2") as fence:
        assert fence.token == 2


def test_a_holder_on_another_host_is_taken_over_only_when_it_was_silent_for_the_lease(place, holder):
    holder.send_signal(signal.SIGSTOP)
    with open_store(place.url, SystemClock(), signing=place.signing) as store:
        elsewhere(place, timedelta(seconds=20))
        with pytest.raises(StateLocked), store.lease("dev1", "run-2"):
            pass
        elsewhere(place, timedelta(seconds=40))
        with store.lease("dev1", "run-2") as fence:
            assert fence.token == 2


def test_one_that_has_lost_the_target_can_write_nothing_down(place, make):
    with open_store(place.url, SystemClock(), signing=place.signing) as store:
        with store.lease("dev1", "run-1") as lost:
            elsewhere(place, timedelta(minutes=1))
            with store.lease("dev1", "run-2") as fence:
                journal = store.journal.fenced(lost)
                for writing in (
                    lambda: journal.intend("run-1", [make.change()]),
                    lambda: journal.settle("run-1", [make.inserted()]),
                    lambda: journal.supersede(["device/000000000001"]),
                ):
                    with pytest.raises(StateLocked, match=r"run-1 has lost target dev1 to run run-2"):
                        writing()
                ledger = store.ledger.fenced(lost)
                for seeing in (
                    lambda: ledger.forget([make.change().item.key]),
                    lambda: ledger.checked({make.change().item.key: 1}, SystemClock().now()),
                ):
                    with pytest.raises(StateLocked, match=r"run-1 has lost target dev1 to run run-2"):
                        seeing()
                store.journal.fenced(fence).intend("run-2", [make.change()])
                assert [entry.run_id for entry in store.journal.unknown()] == ["run-2"]
        assert store.ledger.known().items == {}


def test_a_holder_that_is_ended_at_once_waits_for_no_writer_and_holds_until_its_process_is_gone(place):
    """Its lanes may still be sending."""
    engine = open_engine(place.url, SystemClock())

    def end_at_once(another: ExitStack) -> None:
        with store.lease("dev1", "run-1"):
            another.enter_context(writing(engine))
            raise SystemExit

    with open_store(place.url, SystemClock(), signing=place.signing, busy_seconds=0.5) as store:
        with ExitStack() as another, pytest.raises(SystemExit):
            end_at_once(another)
        with pytest.raises(StateLocked, match="run-1"), store.lease("dev1", "run-2"):
            pass
    engine.dispose()


def test_a_lease_given_back_is_free_and_its_token_never_comes_again(place):
    with open_store(place.url, SystemClock(), signing=place.signing) as store:
        tokens = []
        for number in range(3):
            with store.lease("dev1", f"run-{number}") as fence:
                tokens.append(fence.token)
    assert tokens == [1, 2, 3]


def test_only_the_lease_of_a_dead_holder_is_given_back_for_it(place, holder):
    with open_store(place.url, SystemClock(), signing=place.signing) as store:
        assert store.release_dead("dev2") is None
        assert store.release_dead("dev1") is None
        assert store.at_work("dev1") == "run-1"
        holder.kill()
        holder.wait()
        assert "run run-1" in store.release_dead("dev1")
        assert store.holder("dev1") is None
        with store.lease("dev1", "run-2") as fence:
            assert fence.token == 2
