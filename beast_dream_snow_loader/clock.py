"""Time as an argument: the Clock protocol and the machine's own clock."""

from __future__ import annotations

import contextlib
import threading
import time
from datetime import UTC, datetime
from typing import Protocol


class Gate(Protocol):
    """What one thread waits at until another opens it."""

    def wait(self, seconds: float) -> bool:
        """Whether it is open; after so many seconds at the latest, sooner when the program is asked to stop."""

    def set(self) -> None:
        """Open it, for good."""


class Clock(Protocol):
    """What the rest of the program may know of time."""

    def now(self) -> datetime:
        """The instant, aware, in UTC."""

    def monotonic(self) -> float:
        """Seconds that never run backward: for durations only."""

    def sleep(self, seconds: float) -> None:
        """Wait; returns early when the program is asked to stop."""

    def gate(self) -> Gate:
        """A new one, closed."""


class SystemClock:
    """The machine's clock. ``wake()`` ends every wait, present and future (SIGTERM during a back-off)."""

    def __init__(self) -> None:
        self._woken = False
        self._waiting: dict[int, _Wait] = {}

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        self.gate().wait(seconds)

    def gate(self) -> Gate:
        return _SystemGate(self)

    def wait(self, wait: _Wait, seconds: float) -> None:
        """For gates. Listed first, so that whoever wakes everybody meanwhile does not miss it."""
        self._waiting[id(wait)] = wait
        try:
            if not self._woken:
                wait.pause(seconds)
        finally:
            del self._waiting[id(wait)]

    def wake(self) -> None:
        """May be called from a signal handler: takes no lock that the interrupted thread may hold."""
        self._woken = True
        for wait in list(self._waiting.values()):
            wait.end()


class _Wait:
    """A lock that is held while somebody should wait: safe in a signal handler, as ``threading.Event`` is not."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def pause(self, seconds: float) -> None:
        if self._lock.acquire(timeout=min(max(0.0, seconds), threading.TIMEOUT_MAX)):
            self.end()

    def end(self) -> None:
        with contextlib.suppress(RuntimeError):  # ended already
            self._lock.release()


class _SystemGate:
    def __init__(self, clock: SystemClock) -> None:
        self._clock, self._wait, self._open = clock, _Wait(), False

    def wait(self, seconds: float) -> bool:
        if not self._open:
            self._clock.wait(self._wait, seconds)
        return self._open

    def set(self) -> None:
        self._open = True
        self._wait.end()


def rfc3339(moment: datetime) -> str:
    """UTC with ``Z`` and whole seconds, the form of every time snowload prints: ``2026-11-22T04:31:23Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_rfc3339(text: str) -> datetime:
    """The inverse of :func:`rfc3339`; also takes offsets and fractions. ValueError otherwise."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} names no time zone")
    return moment.astimezone(UTC)
