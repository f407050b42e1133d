"""Time that moves by hand."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest


class HandClock:
    """Starts at a fixed instant; sleeping passes the time at once. ``stopped`` cuts every sleep short."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.slept: list[float] = []
        self.stopped = False

    def now(self) -> datetime:
        return datetime(2026, 11, 24, 12, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if not self.stopped:
            self.seconds += seconds

    def gate(self) -> threading.Event:
        return threading.Event()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()
