"""The last so many calls, and whether too many of them failed or were slow (after resilience4j's count window)."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

_USUAL = 200
"""So many earlier calls say what is usual."""
_ENOUGH = 20
"""With fewer of them nothing is known to be usual."""
_FAR_ABOVE = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CountWindow:
    """Rates are shares from 0 to 1, reached when equal. Nothing is judged before ``minimum_calls``.

    ``slow_call_seconds`` None: no call is slow. Otherwise a call is slow that took longer than that and longer than
    three times the 99th percentile of what went before the window: a service that always takes its time is well.
    """

    size: int = 20
    minimum_calls: int = 5
    failure_rate: float = 0.5
    slow_call_seconds: float | None = None
    slow_rate: float = 0.8


class CallWindow:
    """Not thread-safe: the breaker asks under its lock."""

    def __init__(self, policy: CountWindow) -> None:
        self._policy = policy
        self._calls: deque[tuple[bool, bool, float]] = deque()
        self._failed = self._slow = 0
        self._before: deque[float] = deque(maxlen=_USUAL)

    def add(self, *, failed: bool, seconds: float) -> None:
        slow = self._is_slow(seconds)
        self._calls.append((failed, slow, seconds))
        self._failed += failed
        self._slow += slow
        if len(self._calls) > self._policy.size:
            self._leave()

    def clear(self) -> None:
        """Begin anew; what was usual still is."""
        while self._calls:
            self._leave()

    @property
    def exceeded(self) -> str:
        """Which rate is reached, for people; empty when none is."""
        count = len(self._calls)
        if count < self._policy.minimum_calls:
            return ""
        if self._failed >= self._policy.failure_rate * count:
            return f"{self._failed} of the last {count} calls failed"
        if self._policy.slow_call_seconds is not None and self._slow >= self._policy.slow_rate * count:
            return f"{self._slow} of the last {count} calls took longer than {self._limit:.0f} s"
        return ""

    def _leave(self) -> None:
        failed, slow, seconds = self._calls.popleft()
        self._failed -= failed
        self._slow -= slow
        if not failed:
            self._before.append(seconds)

    def _is_slow(self, seconds: float) -> bool:
        start = self._policy.slow_call_seconds
        return start is not None and seconds > start and seconds > self._limit

    @property
    def _limit(self) -> float:
        start = self._policy.slow_call_seconds or 0.0
        if len(self._before) < _ENOUGH:
            return start
        ranked = sorted(self._before)
        return max(start, _FAR_ABOVE * ranked[math.ceil(0.99 * len(ranked)) - 1])
