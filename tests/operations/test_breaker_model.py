"""The breaker against a reference model, and under threads."""

from __future__ import annotations

import threading
import time
from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from beast_dream_snow_loader.operations.circuit_breaker import (
    CircuitBreaker,
    CircuitBreakerOpen,
    CircuitState,
    CountWindow,
    breaker_states,
    get_breaker,
)

THRESHOLD, WAIT = 2, 10.0
reached: Counter[str] = Counter()


class Ticking:
    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


class Call:
    """One call held open in a thread of its own, so that calls can end in any order."""

    def __init__(self, breaker: CircuitBreaker) -> None:
        self._go, self._decided = threading.Event(), threading.Event()
        self.admitted = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(breaker,), daemon=True)
        self._thread.start()
        assert self._decided.wait(5)

    def _run(self, breaker: CircuitBreaker) -> None:
        try:
            breaker.call(self._operation)
        except CircuitBreakerOpen:
            self._decided.set()
        except (OSError, KeyError):
            pass

    def _operation(self) -> None:
        self.admitted = True
        self._decided.set()
        assert self._go.wait(30)
        if self._error is not None:
            raise self._error

    def end(self, error: BaseException | None) -> None:
        self._error = error
        self._go.set()
        self._thread.join(5)


class Agreement(RuleBasedStateMachine):
    """Calls begin, end well, badly or by our own mistake, and time passes, in any order.

    The model is written from the definition: a list of admitted calls with the era each belongs to.
    """

    @initialize(probes=st.integers(1, 3))
    def begin(self, probes: int) -> None:
        self.clock, self.allowed = Ticking(), probes
        self.breaker = CircuitBreaker(THRESHOLD, WAIT, OSError, half_open_max_calls=probes, clock=self.clock)  # type: ignore[arg-type]
        self.state, self.era, self.in_a_row, self.since = "closed", 0, 0, 0.0
        self.probes_out: list[float] = []
        self.probes_well = 0
        self.calls: list[tuple[Call, int]] = []
        self.by_hand = False

    def teardown(self) -> None:
        for call, _ in getattr(self, "calls", []):
            call.end(None)

    def become(self, state: str) -> None:
        reached[state] += 1
        self.state, self.era = state, self.era + 1
        self.in_a_row, self.since, self.probes_out, self.probes_well = 0, self.clock.seconds, [], 0

    def catch_up(self) -> None:
        if self.state == "open" and not self.by_hand and self.clock.seconds >= self.since + WAIT:
            self.become("half_open")
        elif self.state == "half_open" and self.probes_out and self.clock.seconds >= self.probes_out[0] + WAIT:
            reached["probe lost"] += 1
            self.become("open")

    @rule(seconds=st.sampled_from([0.5, 4.0, 10.0, 11.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.seconds += seconds

    @precondition(lambda self: len(self.calls) < 6)
    @rule()
    def a_call_begins(self) -> None:
        self.catch_up()
        expected = self.state == "closed" or (self.state == "half_open" and len(self.probes_out) < self.allowed)
        if expected and self.state == "half_open":
            self.probes_out.append(self.clock.seconds)
        call = Call(self.breaker)
        assert call.admitted is expected
        if expected:
            self.calls.append((call, self.era))

    @precondition(lambda self: bool(self.calls))
    @rule(data=st.data(), how=st.sampled_from(["badly", "badly", "badly", "well", "mistake"]))
    def a_call_ends(self, data: st.DataObject, how: str) -> None:
        self.catch_up()
        call, era = self.calls.pop(data.draw(st.integers(0, len(self.calls) - 1)))
        call.end({"well": None, "badly": OSError(), "mistake": KeyError()}[how])
        if era != self.era:
            reached["stale"] += 1
        elif self.state == "closed":
            self.closed_result(how)
        else:
            self.probe_result(how)

    def closed_result(self, how: str) -> None:
        if how == "badly":
            self.in_a_row += 1
        elif how == "well":
            self.in_a_row = 0
        if self.in_a_row >= THRESHOLD:
            self.become("open")

    def probe_result(self, how: str) -> None:
        if how == "mistake":
            self.probes_out.pop()
        elif how == "badly":
            self.become("open")
        else:
            self.probes_well += 1
            if self.probes_well >= self.allowed:
                self.become("closed")

    @rule(what=st.sampled_from([*["nothing"] * 18, "open", "reset"]))
    def somebody_intervenes(self, what: str) -> None:
        if what == "nothing" and not self.by_hand:
            return
        if what == "open":
            self.breaker.open()
        else:
            self.breaker.reset()
        self.by_hand = what == "open"
        self.become("open" if self.by_hand else "closed")

    @invariant()
    def both_agree(self) -> None:
        if hasattr(self, "breaker"):
            self.catch_up()
            assert self.breaker.state.value == self.state


def test_the_breaker_agrees_with_its_definition_in_any_order_of_events() -> None:
    """X1. The walk must really have come to every state, to lost probes and to results of an earlier era."""
    reached.clear()
    run_state_machine_as_test(
        Agreement, settings=settings(max_examples=200, stateful_step_count=60, deadline=None, derandomize=True)
    )
    assert all(reached[name] > 10 for name in ("open", "half_open", "closed", "probe lost", "stale")), reached


def failing() -> None:
    raise OSError


def opened(**options: object) -> tuple[CircuitBreaker, Ticking]:
    clock = Ticking()
    breaker = CircuitBreaker(1, WAIT, clock=clock, **options)  # type: ignore[arg-type]
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


def test_eight_parallel_calls_take_the_time_of_one() -> None:
    breaker = CircuitBreaker()
    threads = [threading.Thread(target=breaker.call, args=(lambda: time.sleep(0.2),)) for _ in range(8)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert time.monotonic() - began < 0.8


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
    breaker = CircuitBreaker(5, WAIT, window=window, clock=clock)  # type: ignore[arg-type]

    def slow() -> None:
        clock.seconds += 6

    breaker.call(slow)
    assert breaker.state is CircuitState.CLOSED
    breaker.call(slow)
    assert breaker.state is CircuitState.OPEN


def test_what_is_opened_by_hand_stays_open_however_long_until_it_is_reset() -> None:
    clock = Ticking()
    breaker = CircuitBreaker(clock=clock, name="jira")  # type: ignore[arg-type]
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
