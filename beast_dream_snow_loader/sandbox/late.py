"""What a server carries out after its connection is gone: on its own time, or when a test says so."""

from __future__ import annotations

import threading
from collections.abc import Callable


class LateActs:
    """Each is carried out once. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._due: dict[threading.Timer, Callable[[], object]] = {}

    def add(self, seconds: float, act: Callable[[], object]) -> None:
        timer = threading.Timer(seconds, lambda: self._carry_out(timer))
        timer.daemon = True
        with self._lock:
            self._due[timer] = act
        timer.start()

    def act_now(self) -> int:
        """All that is still due, in the order in which it came; how many that were."""
        with self._lock:
            timers = list(self._due)
        return sum(self._carry_out(timer) for timer in timers)

    def _carry_out(self, timer: threading.Timer) -> bool:
        timer.cancel()
        with self._lock:
            act = self._due.pop(timer, None)
        if act is not None:
            act()
        return act is not None
