"""Circuit breakers: after repeated failures a dependency is left alone for a while, then probed.

The breaker decides under its lock and calls outside it; time is monotonic.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import Enum
from typing import TypeVar

from beast_dream_snow_loader.clock import Clock, SystemClock
from beast_dream_snow_loader.errors import CircuitBreakerOpen

T = TypeVar("T")

__all__ = ["CircuitBreaker", "CircuitBreakerOpen", "CircuitState", "get_breaker"]


class CircuitState(Enum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class CircuitBreaker:
    """Opens after ``failure_threshold`` failures in a row; ``recovery_timeout_seconds`` later lets
    ``half_open_max_calls`` probes through. A probe that fails opens it again, one that succeeds closes it."""

    def __init__(
        self,
        failure_threshold: int = 5,
        recovery_timeout_seconds: float = 60,
        expected_exception: type[BaseException] | tuple[type[BaseException], ...] = Exception,
        *,
        half_open_max_calls: int = 1,
        name: str = "unknown",
        clock: Clock | None = None,
    ) -> None:
        self.name = name
        self._threshold = failure_threshold
        self._recovery = recovery_timeout_seconds
        self._expected = expected_exception
        self._probes_allowed = half_open_max_calls
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._state = CircuitState.CLOSED
        self._failures = 0
        self._opened_at = 0.0
        self._probes = 0
        self._held_open = False

    @property
    def state(self) -> CircuitState:
        with self._lock:
            return self._state

    def call(self, operation: Callable[[], T], operation_name: str = "unknown") -> T:
        """The operation's result or exception. Raises CircuitBreakerOpen without calling it while open."""
        probe = self._admit(operation_name)
        try:
            result = operation()
        except self._expected:
            self._failed(probe=probe)
            raise
        except BaseException:
            self._withdrawn(probe=probe)
            raise
        self._succeeded(probe=probe)
        return result

    def open(self) -> None:
        """By hand: stays open until :meth:`reset`."""
        with self._lock:
            self._held_open = True
            self._to_open()

    def reset(self) -> None:
        with self._lock:
            self._held_open = False
            self._to_closed()

    def _admit(self, operation_name: str) -> bool:
        """True when the call is a probe."""
        with self._lock:
            if self._state is CircuitState.OPEN and not self._held_open and self._waited() >= self._recovery:
                self._state, self._probes = CircuitState.HALF_OPEN, 0
            if self._state is CircuitState.CLOSED:
                return False
            if self._state is CircuitState.HALF_OPEN and self._probes < self._probes_allowed:
                self._probes += 1
                return True
            left = max(0.0, self._recovery - self._waited())
        raise CircuitBreakerOpen(
            f"{self.name} failed repeatedly and is left alone for {left:.0f} s more ({operation_name} was not sent).",
            next_step="Check with: snowload health",
            retry_in=left,
        )

    def _failed(self, *, probe: bool) -> None:
        with self._lock:
            self._failures += 1
            if probe or (self._state is CircuitState.CLOSED and self._failures >= self._threshold):
                self._to_open()

    def _succeeded(self, *, probe: bool) -> None:
        with self._lock:
            if probe and not self._held_open:
                self._to_closed()
            elif self._state is CircuitState.CLOSED:
                self._failures = 0

    def _withdrawn(self, *, probe: bool) -> None:
        """The call ended by something that says nothing of the dependency."""
        with self._lock:
            self._probes -= int(probe and self._state is CircuitState.HALF_OPEN)

    def _to_open(self) -> None:
        self._state, self._opened_at = CircuitState.OPEN, self._clock.monotonic()

    def _to_closed(self) -> None:
        self._state, self._failures = CircuitState.CLOSED, 0

    def _waited(self) -> float:
        return self._clock.monotonic() - self._opened_at


_registry: dict[str, CircuitBreaker] = {}
_registry_lock = threading.Lock()


def get_breaker(
    name: str, *, failure_threshold: int = 5, recovery_timeout_seconds: float = 60, clock: Clock | None = None
) -> CircuitBreaker:
    """The one breaker of that name in this process; the options count when it is first asked for."""
    with _registry_lock:
        if name not in _registry:
            _registry[name] = CircuitBreaker(failure_threshold, recovery_timeout_seconds, name=name, clock=clock)
        return _registry[name]
