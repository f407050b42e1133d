"""How many changes go into one request: more while it goes quickly, fewer when it does not."""

from __future__ import annotations

import threading

QUICK_SECONDS = 2.0
SLOW_SECONDS = 5.0
"""Aim for five seconds a request: well below the instance's 60 s quota (servicenow-api 8)."""


class BatchSize:
    """Shared by all lanes of a run; thread-safe."""

    def __init__(self, start: int, most: int) -> None:
        self._lock = threading.Lock()
        self._most = max(start, most)
        self._size = start

    @property
    def now(self) -> int:
        with self._lock:
            return self._size

    def learn(self, seconds: float, *, answered: bool) -> None:
        """Grow after a quick answer, halve after a slow one or none."""
        with self._lock:
            if not answered or seconds > SLOW_SECONDS:
                self._size = max(1, self._size // 2)
            elif seconds < QUICK_SECONDS:
                self._size = min(self._most, int(self._size * 2.5))
