"""The breaker against a reference model, and under threads."""

from __future__ import annotations

import threading
import time

import pytest

from beast_dream_snow_loader.core.events import BreakerChanged, Event
from beast_dream_snow_loader.operations.circuit_breaker import (
    BreakerPolicy,
    CircuitBreaker,
    CircuitBreakerOpen,
    CircuitState,
    CountWindow,
    breaker_states,
    get_breaker,
)
from tests.operations.breaker_model import Hands as Ticking
from tests.operations.breaker_model import walked

WAIT = 10.0


def test_the_breaker_agrees_with_its_definition_in_any_order_of_events() -> None:
    """X1, Q12. The walk must really have come everywhere. The long form: make breakers."""
    reached = walked(range(3000))
    everywhere = [
        "closed", "half_open", "open", "open for", "reset", "refused", "too late to count", "second stage",
        "a probe failed", "probes lost", "opened by a row", "opened by the failure rate", "opened by the slow rate",
        "judged by what is usual",
    ]  # fmt: skip
    assert all(reached[what] >= 20 for what in everywhere), reached


def failing() -> None:
    raise OSError


def opened(**options: object) -> tuple[CircuitBreaker, Ticking]:
    clock = Ticking()
    breaker = CircuitBreaker(1, WAIT, clock=clock, **options)
    with pytest.raises(OSError):
        breaker.call(failing)
    return breaker, clock


@pytest.mark.parametrize("allowed", [1, 3])
def test_eight_threads_at_half_open_let_exactly_the_allowed_probes_through(allowed: int) -> None:
    breaker, clock = opened(half_open_max_calls=allowed)
    clock.seconds = WAIT
    start, through, refused = threading.Barrier(8), [], []
    done = threading.Event()

    def attempt() -> None:
        start.wait(5)
        try:
            breaker.call(lambda: (through.append(1), done.wait(5)))
        except CircuitBreakerOpen:
            refused.append(1)

    threads = [threading.Thread(target=attempt) for _ in range(8)]
    for thread in threads:
        thread.start()
    until = time.monotonic() + 5
    while len(through) + len(refused) < 8 and time.monotonic() < until:
        time.sleep(0.001)
    assert (len(through), len(refused)) == (allowed, 8 - allowed)
    done.set()
    for thread in threads:
        thread.join(5)
    assert breaker.state is CircuitState.CLOSED


class Lanes:
    """Eight threads that can wait, at the half-open moment; the call that goes through waits to be told its end."""

    def __init__(self, *, well: bool) -> None:
        self.clock = Ticking()
        policy = BreakerPolicy(failure_threshold=1, recovery_timeout_seconds=WAIT, half_open_then_calls=3)
        self.breaker = CircuitBreaker.of(policy, clock=self.clock)
        with pytest.raises(OSError):
            self.breaker.call(failing)
        self.clock.seconds = WAIT
        self.inside, self.end, self.well = threading.Semaphore(0), threading.Event(), well
        self.through, self.refused = list[int](), list[int]()

    def run(self) -> None:
        threads = [threading.Thread(target=self._attempt) for _ in range(8)]
        for thread in threads:
            thread.start()
        assert self.inside.acquire(timeout=10)
        assert len(self.through) == 1
        self.end.set()
        for thread in threads:
            thread.join(10)

    def _attempt(self) -> None:
        try:
            self.breaker.call(self._operation, patient=True)
        except CircuitBreakerOpen:
            self.refused.append(1)
        except OSError:
            pass

    def _operation(self) -> None:
        self.through.append(1)
        self.inside.release()
        assert self.end.wait(10)
        if not self.well:
            raise OSError


def test_lanes_that_can_wait_all_go_on_when_the_probe_of_one_succeeds() -> None:
    lanes = Lanes(well=True)
    lanes.run()
    assert (len(lanes.through), len(lanes.refused), lanes.breaker.state) == (8, 0, CircuitState.CLOSED)


def test_lanes_that_waited_in_vain_send_nothing() -> None:
    lanes = Lanes(well=False)
    lanes.run()
    assert (len(lanes.through), len(lanes.refused), lanes.breaker.state) == (1, 7, CircuitState.OPEN)


class Counting(Ticking):
    """Every decision of a breaker looks at the clock."""

    looks = 0

    def monotonic(self) -> float:
        self.looks += 1
        return self.seconds


def test_lanes_that_wait_for_a_probe_sleep_until_it_is_back() -> None:
    clock = Counting()
    breaker, inside, end = CircuitBreaker(1, WAIT, clock=clock), threading.Semaphore(0), threading.Event()
    with pytest.raises(OSError):
        breaker.call(failing)
    clock.seconds = WAIT
    lanes = [
        threading.Thread(
            target=breaker.call, args=(lambda: (inside.release(), end.wait(10)),), kwargs={"patient": True}
        )
        for _ in range(4)
    ]
    for lane in lanes:
        lane.start()
    assert inside.acquire(timeout=10)
    time.sleep(0.1)  # long enough for thousands of looks, were they to wake each other
    looked = clock.looks
    end.set()
    for lane in lanes:
        lane.join(10)
    assert (looked < 100, breaker.state) == (True, CircuitState.CLOSED)


def test_probes_that_all_came_back_well_are_not_lost_because_nothing_follows_for_long() -> None:
    clock = Ticking()
    policy = BreakerPolicy(failure_threshold=1, recovery_timeout_seconds=WAIT, half_open_then_calls=3)
    breaker = CircuitBreaker.of(policy, clock=clock)
    with pytest.raises(OSError):
        breaker.call(failing)
    clock.seconds = WAIT
    for _ in range(4):
        breaker.call(lambda: None)
        clock.seconds += 10 * WAIT
    assert breaker.state is CircuitState.CLOSED


def test_eight_parallel_calls_are_all_under_way_at_once() -> None:
    """A breaker that held its lock during a call would never let the second one in."""
    breaker, inside = CircuitBreaker(), threading.Barrier(8)
    threads = [threading.Thread(target=breaker.call, args=(lambda: inside.wait(10),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert not inside.broken


def test_a_mistake_of_ours_neither_opens_it_nor_uses_up_a_probe() -> None:
    breaker = CircuitBreaker(1, WAIT, OSError)
    with pytest.raises(KeyError):
        breaker.call(lambda: {}["missing"])
    assert breaker.state is CircuitState.CLOSED


def test_half_of_the_latest_calls_failing_opens_a_breaker_with_a_window() -> None:
    """Failures that never come five in a row: what a batch loader meets."""
    breaker = CircuitBreaker(5, WAIT, window=CountWindow(size=10, minimum_calls=4, failure_rate=0.5))
    for _ in range(2):
        assert breaker.state is CircuitState.CLOSED
        breaker.call(lambda: None)
        with pytest.raises(OSError):
            breaker.call(failing)
    assert breaker.state is CircuitState.OPEN


def test_slow_calls_open_a_breaker_that_looks_at_them() -> None:
    clock = Ticking()
    window = CountWindow(size=10, minimum_calls=2, slow_call_seconds=5.0, slow_rate=0.8)
    breaker = CircuitBreaker(5, WAIT, window=window, clock=clock)

    def slow() -> None:
        clock.seconds += 6

    breaker.call(slow)
    assert breaker.state is CircuitState.CLOSED
    breaker.call(slow)
    assert breaker.state is CircuitState.OPEN


@pytest.mark.parametrize(("seconds", "state"), [(17.0, CircuitState.CLOSED), (19.0, CircuitState.OPEN)])
def test_a_service_that_always_takes_its_time_is_slow_only_when_it_takes_three_times_as_long(
    seconds: float, state: CircuitState
) -> None:
    """Six seconds a call are usual here, which is slow by the letter."""
    clock = Ticking()
    window = CountWindow(size=5, slow_call_seconds=5.0)
    breaker = CircuitBreaker.of(BreakerPolicy(window=window), clock=clock)

    def taking(time: float) -> None:
        clock.seconds += time

    for number in range(30):
        breaker.call(lambda took=1.0 if number < 5 else 4.0: taking(took))
    for _ in range(30):
        breaker.call(lambda: taking(6.0))
    for _ in range(4):
        breaker.call(lambda: taking(seconds))
    assert breaker.state is state


def test_what_is_opened_by_hand_stays_open_however_long_until_it_is_reset() -> None:
    clock = Ticking()
    breaker = CircuitBreaker(clock=clock, name="jira")
    breaker.open()
    clock.seconds = 1e6
    with pytest.raises(CircuitBreakerOpen, match="by hand"):
        breaker.call(lambda: None)
    breaker.reset()
    assert breaker.call(lambda: 7) == 7


def test_a_name_has_one_breaker_and_all_states_can_be_listed() -> None:
    breaker = get_breaker("test-registry", failure_threshold=1)
    assert get_breaker("test-registry") is breaker
    breaker.open()
    assert breaker_states()["test-registry"] == "open"


def test_the_wait_doubles_with_each_opening_and_starts_again_after_a_closing() -> None:
    clock = Ticking()
    breaker = CircuitBreaker.of(BreakerPolicy(failure_threshold=1, first_wait_seconds=5.0), clock=clock)
    waits = []
    for _ in range(6):
        with pytest.raises(OSError):
            breaker.call(failing)
        with pytest.raises(CircuitBreakerOpen) as refused:
            breaker.call(failing)
        waits.append(refused.value.retry_in)
        clock.seconds += waits[-1]
    assert waits == [5, 10, 20, 40, 60, 60]
    breaker.call(lambda: None)
    with pytest.raises(OSError):
        breaker.call(failing)
    with pytest.raises(CircuitBreakerOpen) as refused:
        breaker.call(failing)
    assert refused.value.retry_in == 5


def test_every_change_of_state_is_told_once_with_its_reason() -> None:
    clock, told = Ticking(), list[Event]()
    policy = BreakerPolicy(failure_threshold=2, recovery_timeout_seconds=WAIT)
    breaker = CircuitBreaker.of(policy, name="jira", clock=clock, listener=told.append)
    for _ in range(2):
        with pytest.raises(OSError):
            breaker.call(failing)
    clock.seconds = WAIT
    breaker.call(lambda: None)
    changes = [(one.before, one.after, one.reason, one.seconds) for one in told if isinstance(one, BreakerChanged)]
    assert changes == [
        ("closed", "open", "2 failures in a row", WAIT),
        ("open", "half_open", "the wait is over", None),
        ("half_open", "closed", "the probes succeeded", None),
    ]


def test_what_is_opened_by_hand_for_a_time_is_tried_again_after_it() -> None:
    clock = Ticking()
    breaker = CircuitBreaker(clock=clock)
    breaker.open(7200, "upgrade")
    clock.seconds = 7199
    with pytest.raises(CircuitBreakerOpen, match=r"by hand \(upgrade\) for 1 s more"):
        breaker.call(lambda: None)
    clock.seconds = 7200
    assert breaker.call(lambda: 7) == 7
    assert breaker.state is CircuitState.CLOSED
