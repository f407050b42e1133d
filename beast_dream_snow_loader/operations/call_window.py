"""The last so many calls, and whether too many of them failed or were slow (after resilience4j's count window)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CountWindow:
    """Rates are shares from 0 to 1, reached when equal. Nothing is judged before ``minimum_calls``.

    ``slow_call_seconds`` None: no call is slow. A batch of a thousand records may take its time and still be well.
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
        self._calls: deque[tuple[bool, bool]] = deque(maxlen=policy.size)

    def add(self, *, failed: bool, seconds: float) -> None:
        slow = self._policy.slow_call_seconds is not None and seconds > self._policy.slow_call_seconds
        self._calls.append((failed, slow))

    def clear(self) -> None:
        self._calls.clear()

    @property
    def exceeded(self) -> bool:
        count = len(self._calls)
        if count < self._policy.minimum_calls:
            return False
        failed = sum(failed for failed, _ in self._calls)
        slow = sum(slow for _, slow in self._calls)
        return failed >= self._policy.failure_rate * count or slow >= self._policy.slow_rate * count
