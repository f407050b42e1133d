"""Rate limits as the cloud has them: so many requests per minute, counted per name."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from dataclasses import dataclass, field

from beast_dream_snow_loader.clock import Clock

_MINUTE = 60.0


@dataclass(slots=True)
class Pace:
    """``limits`` per minute by name; ``others`` for every name not in it (0: no limit)."""

    clock: Clock
    limits: dict[str, int] = field(default_factory=dict)
    others: int = 0
    _past: defaultdict[str, deque[float]] = field(default_factory=lambda: defaultdict(deque))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self, name: str) -> float:
        """Seconds until the next request is welcome: 0.0 lets this one pass and counts it."""
        limit = self.limits.get(name, self.others)
        if not limit:
            return 0.0
        with self._lock:
            now, past = self.clock.monotonic(), self._past[name]
            while past and past[0] <= now - _MINUTE:
                past.popleft()
            if len(past) >= limit:
                return past[0] + _MINUTE - now
            past.append(now)
            return 0.0
