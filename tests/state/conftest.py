"""A SQLite store in a directory of its own."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest


class StillClock:
    """Always the same moment; waiting moves only the monotonic hand."""

    def __init__(self) -> None:
        self.waited = 0.0

    def now(self) -> datetime:
        return datetime(2026, 11, 24, 12, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.waited

    def sleep(self, seconds: float) -> None:
        self.waited += seconds


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the database will be; its directory is not there yet."""
    return tmp_path / "state" / "testing" / "state.sqlite"


@pytest.fixture
def url(file: Path) -> str:
    return f"sqlite:///{file}"
