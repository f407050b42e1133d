"""Circuit breakers: after repeated failures a dependency is left alone for a while, then probed.

The breaker decides under its lock and calls outside it; time is monotonic. The result of a call that was admitted in
an earlier state says nothing of the present one and is not counted.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from enum import Enum
from typing import TypeVar

from beast_dream_snow_loader.clock import Clock, SystemClock
from beast_dream_snow_loader.errors import CircuitBreakerOpen
from beast_dream_snow_loader.operations.call_window import CallWindow, CountWindow

T = TypeVar("T")
Failures = type[BaseException] | tuple[type[BaseException], ...]

__all__ = ["CircuitBreaker", "CircuitBreakerOpen", "CircuitState", "CountWindow", "breaker_states", "get_breaker"]


class CircuitState(Enum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class CircuitBreaker:
    """Opens after ``failure_threshold`` failures in a row, or when ``window`` (off unless given) shows too many.

    ``recovery_timeout_seconds`` later it lets ``half_open_max_calls`` probes through: when all succeed it closes, when
    one fails, or the probes have not come back within another ``recovery_timeout_seconds``, it opens again. Only
    ``expected_exception`` counts as failure; a call that ends by any other exception counts as nothing at all.
    """

    def __init__(
        self,
        failure_threshold: int = 5,
        recovery_timeout_seconds: float = 60,
        expected_exception: Failures = Exception,
        *,
        half_open_max_calls: int = 1,
        window: CountWindow | None = None,
        name: str = "unknown",
        clock: Clock | None = None,
    ) -> None:
        self.name = name
        self._threshold = failure_threshold
        self._recovery = recovery_timeout_seconds
        self._expected = expected_exception
        self._probes_allowed = half_open_max_calls
        self._window = CallWindow(window) if window else None
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._state = CircuitState.CLOSED
        self._round = 0
        self._failures = 0
        self._probes = 0
        self._passed = 0
        self._ends = 0.0
        self._held_open = False

    @property
    def state(self) -> CircuitState:
        with self._lock:
            self._pass_time()
            return self._state

    def call(
        self, operation: Callable[[], T], operation_name: str = "unknown", *, failures: Failures | None = None
    ) -> T:
        """The operation's result or exception. Raises CircuitBreakerOpen without calling it while open.

        ``failures`` stands in for ``expected_exception`` in this call.
        """
        admitted = self._admit(operation_name)
        started = self._clock.monotonic()
        try:
            result = operation()
        except BaseException as error:
            counts = isinstance(error, self._expected if failures is None else failures)
            self._settle(admitted, failed=True if counts else None, started=started)
            raise
        self._settle(admitted, failed=False, started=started)
        return result

    def open(self) -> None:
        """By hand: stays open until :meth:`reset`."""
        with self._lock:
            self._held_open = True
            self._to_open()

    def reset(self) -> None:
        """Closed, as if nothing had happened; also ends an opening by hand."""
        with self._lock:
            self._held_open = False
            self._to_closed()

    def _admit(self, operation_name: str) -> int:
        """The round the call belongs to."""
        with self._lock:
            self._pass_time()
            if self._state is CircuitState.CLOSED:
                return self._round
            if self._state is CircuitState.HALF_OPEN and self._probes < self._probes_allowed:
                if self._probes == 0:
                    self._ends = self._clock.monotonic() + self._recovery
                self._probes += 1
                return self._round
            raise self._refusal(operation_name)

    def _refusal(self, operation_name: str) -> CircuitBreakerOpen:
        left = max(0.0, self._ends - self._clock.monotonic())
        why = (
            "was set aside by hand" if self._held_open else f"failed repeatedly and is left alone for {left:.0f} s more"
        )
        if self._state is CircuitState.HALF_OPEN:
            why = "failed repeatedly and is being tried with another request"
        return CircuitBreakerOpen(
            f"{self.name} {why} ({operation_name} was not sent).",
            next_step="Check with: snowload health",
            retry_in=left,
        )

    def _settle(self, admitted: int, *, failed: bool | None, started: float) -> None:
        """``failed`` None: the call says nothing of the dependency, and a probe's place is free again."""
        with self._lock:
            self._pass_time()
            if admitted != self._round:
                return
            if self._state is CircuitState.HALF_OPEN:
                self._judge_probe(failed)
            elif failed is not None:
                self._count(failed=failed, seconds=self._clock.monotonic() - started)

    def _judge_probe(self, failed: bool | None) -> None:
        if failed is None:
            self._probes -= 1
        elif failed:
            self._to_open()
        else:
            self._passed += 1
            if self._passed >= self._probes_allowed:
                self._to_closed()

    def _count(self, *, failed: bool, seconds: float) -> None:
        self._failures = self._failures + 1 if failed else 0
        if self._window:
            self._window.add(failed=failed, seconds=seconds)
        if self._failures >= self._threshold or (self._window and self._window.exceeded):
            self._to_open()

    def _pass_time(self) -> None:
        over = self._clock.monotonic() >= self._ends
        if self._state is CircuitState.OPEN and over and not self._held_open:
            self._enter(CircuitState.HALF_OPEN)
        elif self._state is CircuitState.HALF_OPEN and over and self._probes:
            self._to_open()

    def _to_open(self) -> None:
        self._enter(CircuitState.OPEN)
        self._ends = self._clock.monotonic() + self._recovery

    def _to_closed(self) -> None:
        self._enter(CircuitState.CLOSED)
        if self._window:
            self._window.clear()

    def _enter(self, state: CircuitState) -> None:
        self._state = state
        self._round += 1
        self._failures = self._probes = self._passed = 0


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


def breaker_states() -> Mapping[str, str]:
    """Every breaker of the registry by name: ``closed``, ``open`` or ``half_open``."""
    with _registry_lock:
        known = dict(_registry)
    return {name: breaker.state.value for name, breaker in sorted(known.items())}
