"""What is remembered of a breaker outside of the process, and the port to where it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol


class CircuitState(Enum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """``left`` is in seconds from the moment of asking: what remains of the wait, or of the time that another process
    has for its probe; negative: over since; None: until a person resets it. ``since`` is for people."""

    name: str
    state: CircuitState
    left: float | None = 0.0
    by_hand: bool = False
    reason: str = ""
    openings: int = 0
    since: datetime | None = None

    @property
    def over(self) -> bool:
        """Closed, or to be tried again by the next call."""
        return self.state is CircuitState.CLOSED or (self.left is not None and self.left <= 0)


class BreakerMemory(Protocol):
    """Shared by every process that works on the same state. Any method may raise StateError."""

    def all(self) -> Mapping[str, Remembered]:
        """By name, everything known."""

    def look(self, name: str) -> Remembered | None:
        """What is known of one."""

    def keep(self, found: Remembered) -> Remembered | None:
        """Write down what this process found out; what holds now is returned, None when it could not be kept. What a
        person decided stands until a person, or its time, ends it."""

    def claim(self, name: str, seconds: float) -> Remembered | None:
        """The right to probe, for so long. None: it is ours; otherwise what stands in the way."""
