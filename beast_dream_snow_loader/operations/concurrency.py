"""How many requests at once a service bears, found out while working (additive increase, multiplicative decrease).

Starts low, grows by one after a round of good answers, and halves when the service says that it is too much: 429, 503,
no answer in time, or answers that take far longer than they used to. A width that was too much is tried again only
after a while, which doubles each time: to knock at a known limit costs a refused request.

A service that refuses narrower and narrower widths is not too narrow but in trouble: once it answers again, the width
is soon what it was before.
"""

from __future__ import annotations

import threading

from beast_dream_snow_loader.clock import Clock

START = 2
_ROUND = 5
"""Good answers per place before one place more is tried."""
_SLOW_FACTOR = 4.0
_SLOW_SECONDS = 2.0
"""Quicker than this is never slow."""
_FORGET = 0.02
"""How much a slower answer lifts what counts as usual: a service may have become slower for good."""
_SHY_SECONDS = 30.0
_SHYEST_SECONDS = 600.0


class AdaptiveLimit:
    """Between 1 and ``most``. Thread-safe."""

    def __init__(self, most: int, clock: Clock, start: int = START) -> None:
        self.most = most
        self._clock = clock
        self._now = min(start, most)
        self._lock = threading.Lock()
        self._good = 0
        self._proven = True
        self._before = self._back_to = self._now
        self._halved_at = float("-inf")
        self._ceiling = most
        self._ceiling_until = float("-inf")
        self._shy = _SHY_SECONDS
        self._usual: dict[str, float] = {}

    @property
    def now(self) -> int:
        """How many may be under way."""
        return self._now

    def good(self, operation: str, seconds: float, sent_at: float, *, full: bool) -> None:
        """An answer that is no complaint. ``full``: as many were under way as may be; else nothing is learned."""
        with self._lock:
            if self._slow(operation, seconds):
                self._halve(sent_at)
            elif full and sent_at >= self._halved_at:
                self._good += 1
                self._grow()

    def too_much(self, sent_at: float) -> None:
        """429, 503 or no answer. What was sent before the last halving says nothing new."""
        with self._lock:
            self._halve(sent_at)

    def _grow(self) -> None:
        returning = self._now < self._back_to
        if not returning and self._good < _ROUND * self._now:
            return
        self._good = 0
        self._proven = self._proven or not returning
        if self._now < self._reachable():
            self._now += 1

    def _halve(self, sent_at: float) -> None:
        if sent_at < self._halved_at:
            return
        now = self._clock.monotonic()
        if self._proven:
            self._too_wide(now)
        else:
            self._in_trouble()
        self._now = max(1, self._now // 2)
        self._halved_at, self._good, self._proven = now, 0, False

    def _too_wide(self, now: float) -> None:
        """It worked until now: one place less may be what it bears."""
        self._before = self._now
        self._ceiling = self._back_to = max(1, self._now - 1)
        self._ceiling_until = now + self._shy
        self._shy = min(2 * self._shy, _SHYEST_SECONDS)

    def _in_trouble(self) -> None:
        """Refused again before a narrower width had worked."""
        self._ceiling, self._back_to = self.most, self._before
        self._ceiling_until, self._shy = float("-inf"), _SHY_SECONDS

    def _reachable(self) -> int:
        return self.most if self._clock.monotonic() >= self._ceiling_until else self._ceiling

    def _slow(self, operation: str, seconds: float) -> bool:
        """Against the quickest of the same operation, which is forgotten slowly."""
        usual = self._usual.get(operation, seconds)
        self._usual[operation] = min(seconds, usual + _FORGET * (seconds - usual))
        return seconds > _SLOW_SECONDS and seconds > _SLOW_FACTOR * usual
