"""The breaker: opens, waits, probes, closes."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest

from beast_dream_snow_loader.operations.circuit_breaker import CircuitBreaker, CircuitBreakerOpen, CircuitState


class HandClock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def gate(self) -> threading.Event:
        return threading.Event()


def failing() -> None:
    raise OSError


def opened(clock: HandClock) -> CircuitBreaker:
    breaker = CircuitBreaker(3, 60, clock=clock)
    for _ in range(3):
        with pytest.raises(OSError):
            breaker.call(failing)
    return breaker


def test_it_opens_after_the_threshold_and_lets_nothing_through_until_the_wait_is_over() -> None:
    """R2, X1."""
    clock = HandClock()
    breaker = opened(clock)
    assert breaker.state is CircuitState.OPEN
    clock.seconds = 59
    with pytest.raises(CircuitBreakerOpen) as refused:
        breaker.call(lambda: 1)
    assert refused.value.retry_in == pytest.approx(1)


def test_a_probe_that_succeeds_closes_it_and_one_that_fails_opens_it_again() -> None:
    clock = HandClock()
    breaker = opened(clock)
    clock.seconds = 60
    with pytest.raises(OSError):
        breaker.call(failing)
    assert breaker.state is CircuitState.OPEN
    clock.seconds = 120
    assert breaker.call(lambda: "ok") == "ok"
    assert breaker.state is CircuitState.CLOSED


def test_eight_threads_at_half_open_let_exactly_one_probe_through() -> None:
    clock = HandClock()
    breaker = opened(clock)
    clock.seconds = 60
    inside, go = threading.Semaphore(0), threading.Event()
    let_through: list[int] = []

    def probe() -> None:
        let_through.append(1)
        inside.release()
        go.wait(5)

    def attempt() -> None:
        try:
            breaker.call(probe)
        except CircuitBreakerOpen:
            inside.release()

    threads = [threading.Thread(target=attempt) for _ in range(8)]
    for thread in threads:
        thread.start()
    for _ in threads:
        inside.acquire()
    go.set()
    for thread in threads:
        thread.join()
    assert len(let_through) == 1
