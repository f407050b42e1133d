"""What processes tell each other so as not to ask too much, on every database (Q10, Q11)."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import timedelta
from itertools import pairwise

import pytest

from beast_dream_snow_loader.clock import SystemClock
from beast_dream_snow_loader.errors import StateLocked
from beast_dream_snow_loader.operations.concurrency import AdaptiveLimit
from beast_dream_snow_loader.operations.governor import Governor
from beast_dream_snow_loader.operations.retry_budget import FLOOR, LEASE_SECONDS
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from beast_dream_snow_loader.sandbox.messages import HttpAnswer, HttpRequest
from beast_dream_snow_loader.sandbox.serving import Server
from beast_dream_snow_loader.state.engine import open_engine, writing
from beast_dream_snow_loader.state.store import open_store

PROGRAM = """
import sys, threading, time
from beast_dream_snow_loader.clock import SystemClock
from beast_dream_snow_loader.errors import TransportError
from beast_dream_snow_loader.operations.restraint import Restraints
from beast_dream_snow_loader.operations.retry import RetryPolicy
from beast_dream_snow_loader.state.store import open_store
from beast_dream_snow_loader.transport.http import HttpTransport, ResilientHTTPClient

state, url, requests = sys.argv[1:]
clock = SystemClock()
shared = open_store(state, clock).pacing("dev1")
restraint = Restraints(clock, tokens=shared, pace=shared).of("servicenow")
policy = RetryPolicy(max_attempts=3, base_delay_seconds=0.05)
client = ResilientHTTPClient("servicenow", policy=policy, restraint=restraint)

def lane():
    for _ in range(int(requests)):
        try:
            client.get(url)
        except TransportError:
            time.sleep(0.02)

client.get(url + "/warm")
for _ in range(2):
    print("ready", flush=True)
    sys.stdin.readline()
    lanes = [threading.Thread(target=lane) for _ in range(4)]
    [one.start() for one in lanes]
    [one.join() for one in lanes]
"""


class Timed:
    """When each request came."""

    def __init__(self) -> None:
        self.came: list[float] = []

    def answer(self, request: HttpRequest) -> HttpAnswer:
        self.came.append(time.monotonic())
        return HttpAnswer(body=b"fine")


def programs(place, server: Server, requests: int) -> list[subprocess.Popen[str]]:
    with place.open():
        pass
    given = (place.url, server.url, str(requests))
    return [subprocess.Popen([sys.executable, "-c", PROGRAM, *given], stdin=-1, stdout=-1, text=True) for _ in range(3)]


def all_ready(running: list[subprocess.Popen[str]]) -> None:
    for one in running:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"


def let_go(running: list[subprocess.Popen[str]]) -> None:
    for one in running:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()


def test_three_programs_heed_the_retry_after_of_one_and_repeat_no_more_than_one_may(place):
    """Q11 and Q10 over real HTTP: one answer names a time before which nothing comes; then half of them are faults."""
    app = Timed()
    with Server(app) as server:
        running = programs(place, server, 20)
        all_ready(running)
        wait = (("Retry-After", "2"),)
        server.faults.add(Fault(effect=Effect.STATUS, status=429, headers=wait, nth=40))
        before = len(app.came)
        let_go(running)
        all_ready(running)
        came = app.came[before:]
        server.faults.clear()
        server.faults.add(Fault(effect=Effect.STATUS, status=503, probability=0.5, seed=7))
        let_go(running)
        assert [one.wait(60) for one in running] == [0, 0, 0]
        (plan,) = server.faults.listing()
    gaps = [later - earlier for earlier, later in pairwise(came)]
    assert len(came) == 3 * 4 * 20
    assert sum(gap > 1.0 for gap in gaps) == 1
    silence = gaps.index(max(gaps))
    surely_before = came[39 - 3 * 4]  # the twelve lanes arrive in any order
    assert came[silence + 1] - surely_before >= 2.0, "the fortieth was told to wait"
    assert came[silence] - surely_before < 0.5, "what was under way when it was told"
    assert plan.struck >= 20
    assert plan.count <= 1.1 * (3 * 4 * 20) + FLOOR


def test_a_token_is_one_holders_until_its_lease_has_ended(place):
    with place.open() as store:
        pacing = store.pacing("dev1")
        assert sorted(pacing.lease("servicenow", f"run-{n}") for n in range(FLOOR)) == list(range(FLOOR))
        left = pacing.lease("servicenow", "another")
        assert isinstance(left, float)
        assert 0 < left <= LEASE_SECONDS
        assert pacing.renew("servicenow", "run-0", 0)
        assert not pacing.renew("servicenow", "another", 0)
        place.clock.instant += timedelta(seconds=LEASE_SECONDS)
        assert isinstance(pacing.lease("servicenow", "another"), int)


def test_a_cool_down_is_known_to_another_program_and_is_never_shortened(place):
    with place.open() as one, place.open() as other:
        one.pacing("dev1").cool("servicenow", 100, 3)
        one.pacing("dev1").cool("servicenow", 10, 1)
        heard = other.pacing("dev1").cool_down("servicenow")
        assert heard is not None
        assert (heard.seconds, heard.streak) == (pytest.approx(98, abs=3), 3)
        assert other.pacing("dev2").cool_down("servicenow") is None
        assert other.pacing("dev1").cool_down("unifi:gw-1") is None


def test_cool_downs_in_force_are_listed_and_one_that_a_person_ends_holds_nobody_any_more(place):
    with place.open() as one, place.open() as other:
        governor = Governor("servicenow", SystemClock(), AdaptiveLimit(4, SystemClock()), one.pacing("dev1"))
        governor.cool(100, time.monotonic())
        one.pacing("dev1").cool("unifi:gw-1 login", 50, 1)
        one.pacing("xdev1").cool("servicenow", 50, 1)
        listed = {known.service: known.whole for known in other.pacing("dev1").in_force()}
        assert listed == {"servicenow": 100, "unifi:gw-1 login": 50}
        assert governor.seconds_to_wait("table.read") > 0
        assert other.pacing("dev1").end(["servicenow", "unifi:gw-2"]) == ["servicenow"]
        time.sleep(0.1)
        assert governor.seconds_to_wait("table.read") == 0
        assert [known.service for known in other.pacing("dev1").in_force()] == ["unifi:gw-1 login"]
        assert [known.service for known in other.pacing("xdev1").in_force()] == ["servicenow"]


@pytest.mark.parametrize("days", [-400, -1, 1])
def test_a_step_of_the_clock_makes_no_wait_longer_than_was_asked(place, days: int):
    with place.open() as store:
        pacing = store.pacing("dev1")
        pacing.cool("servicenow", 100, 1)
        assert isinstance(pacing.lease("servicenow", "one"), int)
        place.clock.instant += timedelta(days=days)
        heard = pacing.cool_down("servicenow")
        assert heard is not None
        assert heard.seconds <= 101
        assert [isinstance(pacing.lease("servicenow", f"run-{n}"), int) for n in range(FLOOR)] == [True] * FLOOR


def test_an_hours_quota_is_given_out_once(place):
    with place.open() as one, place.open() as other:
        got = [store.pacing("dev1").portion("servicenow", "rule", 100, 3000, 40) for store in (one, other, one, other)]
        assert got == [40, 40, 19, 0], "one request told of the rule"
        place.clock.instant += timedelta(hours=1)
        assert other.pacing("dev1").portion("servicenow", "rule", 100, 3600, 40) == 40


def test_nobody_waits_long_to_tell_or_ask_while_another_program_writes(place):
    """Every lane of a service stands still meanwhile; the usual patience is 30 seconds."""
    with place.open() as store:
        pacing = store.pacing("dev1")
        busy = open_engine(place.url, SystemClock())
        with writing(busy):
            begun = time.monotonic()
            for asked in (
                lambda: pacing.cool("servicenow", 10, 1),
                lambda: pacing.lease("servicenow", "run-1"),
                lambda: pacing.portion("servicenow", "rule", 100, 3000, 40),
            ):
                with pytest.raises(StateLocked):
                    asked()
            assert time.monotonic() - begun < 15
        busy.dispose()
        assert pacing.lease("servicenow", "run-1") == 0


def test_what_was_said_shows_at_the_next_look(tmp_path):
    """The stamp that makes a look unnecessary changes with every commit of another program, however soon."""
    url = f"sqlite:///{tmp_path / 'state.sqlite'}"
    with open_store(url, SystemClock()) as one, open_store(url, SystemClock()) as other:
        mine, theirs = one.pacing("dev1"), other.pacing("dev1")
        theirs.cool("unifi:0", 1, 1)
        time.sleep(0.2)
        assert mine.stamp() == mine.stamp(), "at rest nobody has to look"
        for number in range(1, 50):
            before = mine.stamp()
            theirs.cool(f"unifi:{number}", 60, 1)
            assert mine.stamp() != before
