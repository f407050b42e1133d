"""Time as an argument: the Clock protocol and the machine's own clock."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What the rest of the program may know of time."""

    def now(self) -> datetime:
        """The instant, aware, in UTC."""

    def monotonic(self) -> float:
        """Seconds that never run backward: for durations only."""

    def sleep(self, seconds: float) -> None:
        """Wait; returns early when the program is asked to stop."""


class SystemClock:
    """The machine's clock. ``wake()`` ends every sleep, present and future (SIGTERM during a back-off)."""

    def __init__(self) -> None:
        self._stop = threading.Event()

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        self._stop.wait(max(0.0, seconds))

    def wake(self) -> None:
        self._stop.set()


def rfc3339(moment: datetime) -> str:
    """UTC with ``Z`` and whole seconds, the form of every time snowload prints: ``2026-11-22T04:31:23Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_rfc3339(text: str) -> datetime:
    """The inverse of :func:`rfc3339`; also takes offsets and fractions. ValueError otherwise."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} names no time zone")
    return moment.astimezone(UTC)
