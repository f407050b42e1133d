"""What one process finds out about a dependency all of them know, and a clock that jumps changes nothing (X1, Q12)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from beast_dream_snow_loader.errors import CircuitBreakerOpen
from beast_dream_snow_loader.operations.breaker_memory import CircuitState, Remembered
from beast_dream_snow_loader.operations.circuit_breaker import BreakerPolicy, BreakerRegistry, CircuitBreaker
from beast_dream_snow_loader.operations.guarded_memory import GuardedMemory
from beast_dream_snow_loader.state.breakers import SqlBreakers
from beast_dream_snow_loader.state.engine import open_engine
from tests.operations.breaker_model import Hands

YEARS = timedelta(days=3650)
POLICY = BreakerPolicy(failure_threshold=3, recovery_timeout_seconds=60.0)


class Process:
    """The breakers of one process. The hands are its machine's; ``boot`` is what changes when that is restarted."""

    def __init__(self, engine: Engine, hands: Hands, boot: str) -> None:
        self.hands, self.memory = hands, SqlBreakers(engine, hands, boot)
        self.database = CircuitBreaker.of(POLICY, name="database", clock=hands)
        guarded = GuardedMemory(self.memory, self.database)
        self.registry = BreakerRegistry(lambda _: POLICY, memory=guarded, clock=hands)
        self.sent = 0

    def send(self, *, well: bool, name: str = "servicenow.ire") -> bool:
        """Whether the call was let through."""

        def operation() -> None:
            self.sent += 1
            if not well:
                raise OSError

        try:
            self.registry.get(name).call(operation)
        except CircuitBreakerOpen:
            return False
        except OSError:
            pass
        return True

    def fail(self, times: int = 3) -> None:
        assert all(self.send(well=False) for _ in range(times))

    def state(self, name: str = "servicenow.ire") -> str:
        return self.registry.get(name).state.value


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def engine(place, hands: Hands) -> Iterator[Engine]:
    engine = open_engine(place.url, hands)
    yield engine
    engine.dispose()


@pytest.fixture
def start(engine: Engine, hands: Hands) -> Callable[..., Process]:
    def starting(boot: str = "boot-1", hands: Hands = hands) -> Process:
        return Process(engine, hands, boot)

    return starting


@contextmanager
def statements() -> Iterator[list[str]]:
    seen: list[str] = []

    def noted(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if " breakers" in statement:
            seen.append(statement.split()[0])

    event.listen(Engine, "before_cursor_execute", noted)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", noted)


def test_the_next_process_sends_nothing_until_the_wait_is_over_and_then_one_probe(start, hands) -> None:
    start().fail()
    hands.seconds += 59
    second = start()
    assert not second.send(well=True)
    hands.seconds += 1
    assert second.send(well=True)
    assert (second.sent, second.state(), start().state()) == (1, "closed", "closed")


def test_a_running_process_learns_at_its_first_failure_what_another_found_out(start) -> None:
    first, second = start(), start()
    assert second.send(well=True)
    first.fail()
    assert second.send(well=False)
    assert not second.send(well=True)


@pytest.mark.parametrize("jump", [YEARS, -YEARS])
def test_a_clock_that_jumps_neither_prolongs_a_wait_nor_ends_it(start, hands, jump) -> None:
    start().fail()
    hands.wall += jump
    hands.seconds += 59
    assert not start().send(well=True)
    hands.seconds += 1
    assert start().send(well=True)


def test_after_a_restart_the_wall_clock_counts(start, engine) -> None:
    start().fail()
    if engine.dialect.name == "postgresql":
        with engine.begin() as connection:
            connection.execute(text("UPDATE breakers SET wall = wall - 61"))
    later = Hands(seconds=3.0, wall=Hands().wall + timedelta(seconds=61))
    assert start("boot-2", later).send(well=True)


def test_a_wall_clock_found_gone_back_after_a_restart_costs_the_wait_once_more_at_most(start, engine) -> None:
    start().fail()
    if engine.dialect.name == "postgresql":
        with engine.begin() as connection:
            connection.execute(text("UPDATE breakers SET wall = wall + 315360000"))
    back = Hands(seconds=3.0, wall=Hands().wall - YEARS)
    assert not start("boot-2", back).send(well=True)
    back.seconds += 60
    assert start("boot-2", back).send(well=True)


def test_what_was_learned_long_ago_is_forgotten(start, hands) -> None:
    start().fail()
    hands.seconds += 3600
    assert start().state() == "closed"


def test_one_process_alone_probes_and_the_others_wait_for_what_it_finds(start, hands) -> None:
    start().fail()
    hands.seconds += 60
    first, second = start(), start()
    probe = first.registry.get("servicenow.ire").permit()
    assert not second.send(well=True)
    probe.settle(failed=False)
    hands.seconds += 5
    assert second.send(well=True)


def test_a_prober_that_died_is_followed_by_another_when_its_time_is_over(start, hands) -> None:
    start().fail()
    hands.seconds += 60
    start().registry.get("servicenow.ire").permit()
    hands.seconds += 59
    assert not start().send(well=True)
    hands.seconds += 1
    assert start().send(well=True)


def test_a_probe_that_said_nothing_leaves_the_next_process_to_try(start, hands) -> None:
    start().fail()
    hands.seconds += 60
    start().registry.get("servicenow.ire").permit().settle(failed=None)
    assert start().send(well=True)


def test_the_next_process_does_not_wait_for_one_that_ended_after_a_first_good_probe(engine, hands) -> None:
    """``health`` sends one request; the load that follows finds out the rest by itself."""
    careful = BreakerPolicy(failure_threshold=3, recovery_timeout_seconds=60.0, half_open_then_calls=3)

    def breaker() -> CircuitBreaker:
        memory = GuardedMemory(SqlBreakers(engine, hands, "boot-1"), CircuitBreaker(clock=hands))
        return BreakerRegistry(lambda _: careful, memory=memory, clock=hands).get("servicenow.ire")

    failing = breaker()
    for _ in range(3):
        failing.permit().settle(failed=True)
    hands.seconds += 60
    breaker().call(lambda: None)
    following = breaker()
    assert [following.call(lambda: 1) for _ in range(4)] == [1, 1, 1, 1]
    assert following.state is CircuitState.CLOSED


def test_the_wait_goes_on_growing_from_process_to_process(place, hands, engine) -> None:
    growing = BreakerPolicy(failure_threshold=1, first_wait_seconds=5.0)
    waits = []
    for _ in range(4):
        memory = GuardedMemory(SqlBreakers(engine, hands, "boot-1"), CircuitBreaker(clock=hands))
        breaker = BreakerRegistry(lambda _: growing, memory=memory, clock=hands).get("unifi:site-manager")
        with pytest.raises(OSError):
            breaker.call(_failing)
        with pytest.raises(CircuitBreakerOpen) as refused:
            breaker.call(_failing)
        waits.append(refused.value.retry_in)
        hands.seconds += waits[-1]
    assert waits == [5, 10, 20, 40]


def _failing() -> None:
    raise OSError


def by_hand(left: float | None) -> Remembered:
    return Remembered(name="servicenow.ire", state=CircuitState.OPEN, left=left, by_hand=True, reason="upgrade")


def test_what_a_person_opened_stays_open_whatever_is_found_out_and_however_often_all_is_restarted(start, hands) -> None:
    start().memory.keep(by_hand(None))
    hands.seconds += 1e8
    assert not start().send(well=True)
    assert not start("boot-2", Hands(wall=Hands().wall + YEARS)).send(well=True)
    auto = Remembered(name="servicenow.ire", state=CircuitState.OPEN, left=1.0, openings=1)
    standing = start().memory.keep(auto)
    assert standing.by_hand
    start().memory.reset()
    assert start().send(well=True)


def test_what_a_person_opened_for_a_time_is_tried_again_after_it(start, hands) -> None:
    start().memory.keep(by_hand(7200))
    hands.seconds += 7199
    assert not start().send(well=True)
    hands.seconds += 1
    assert start().send(well=True)


def test_a_running_process_that_is_refused_notices_a_reset_within_five_seconds(start, hands) -> None:
    start().memory.keep(by_hand(None))
    running = start()
    assert not running.send(well=True)
    start().memory.reset(["servicenow.ire"])
    hands.seconds += 5
    assert running.send(well=True)


def test_a_process_that_runs_for_long_hears_now_and_then_what_a_person_decided(start) -> None:
    running = start()
    assert running.send(well=True)
    start().memory.keep(by_hand(None))
    assert running.send(well=True)
    running.registry.look_again()
    assert not running.send(well=True)
    start().memory.reset()
    running.registry.look_again()
    assert running.send(well=True)


def test_a_dependency_that_is_well_costs_one_statement_per_process_and_none_per_call(start) -> None:
    with statements() as seen:
        process = start()
        for number in range(500):
            assert process.send(well=True, name=f"servicenow.{number % 7}")
    assert seen == ["SELECT"]


def test_a_database_that_is_away_stops_no_call_and_is_soon_not_asked_any_more(start, engine) -> None:
    process = start()
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE breakers"))
    assert all(process.send(well=True) for _ in range(10))
    with statements() as seen:
        process.fail()
        assert not process.send(well=True)
        for number in range(20):
            process.send(well=False, name=f"other-{number}")
    assert process.database.state is CircuitState.OPEN
    assert len(seen) <= 3 + 3


PROGRAM = """
import sys
from beast_dream_snow_loader.clock import SystemClock
from beast_dream_snow_loader.errors import CircuitBreakerOpen
from beast_dream_snow_loader.operations.circuit_breaker import BreakerPolicy, BreakerRegistry, CircuitBreaker
from beast_dream_snow_loader.operations.guarded_memory import GuardedMemory
from beast_dream_snow_loader.state.store import open_store

url, wait = sys.argv[1], float(sys.argv[2])
clock = SystemClock()
store = open_store(url, clock)
policy = BreakerPolicy(failure_threshold=3, recovery_timeout_seconds=wait, half_open_seconds=60)
memory = GuardedMemory(store.breakers, CircuitBreaker(clock=clock))
breaker = BreakerRegistry(lambda _: policy, memory=memory, clock=clock).get("servicenow.ire")
print("ready", flush=True)
for line in sys.stdin:
    try:
        permit = breaker.permit()
        if line.strip() != "hold":
            permit.settle(failed=line.strip() == "badly")
        print("sent", flush=True)
    except CircuitBreakerOpen:
        print("refused", flush=True)
"""


class Program:
    """A process of its own that makes a call whenever it is told to."""

    def __init__(self, url: str, wait: float) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, url, str(wait)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.heard() == "ready"

    def heard(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def tell(self, how: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{how}\n")
        self._process.stdin.flush()

    def call(self, how: str) -> str:
        self.tell(how)
        return self.heard()

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def programs(place) -> Iterator[Callable[[int, float], list[Program]]]:
    running: list[Program] = []

    def started(count: int, wait: float) -> list[Program]:
        running.extend(new := [Program(place.url, wait) for _ in range(count)])
        return new

    yield started
    for one in running:
        one.end()


def test_two_processes_share_one_open_breaker(programs) -> None:
    first, second = programs(2, 60.0)
    assert [first.call("badly") for _ in range(4)] == ["sent", "sent", "sent", "refused"]
    assert [second.call("badly"), second.call("well")] == ["sent", "refused"]
    (third,) = programs(1, 60.0)
    assert third.call("well") == "refused"


def test_of_many_processes_that_come_to_the_half_open_moment_exactly_one_sends(programs) -> None:
    (first,) = programs(1, 0.2)
    assert [first.call("badly") for _ in range(3)] == ["sent"] * 3
    others = programs(4, 0.2)  # each takes longer to start than the wait is
    for one in others:
        one.tell("hold")
    assert sorted(one.heard() for one in others) == ["refused"] * 3 + ["sent"]
