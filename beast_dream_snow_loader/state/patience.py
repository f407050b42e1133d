"""How long a run waits for its target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self, TypeVar

from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.errors import StateLocked

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """One time for the lock of this host and the lease among hosts together. ``ends`` is of ``clock.monotonic``."""

    clock: Clock
    ends: float

    @classmethod
    def of(cls, clock: Clock, seconds: float = 0.0) -> Self:
        """It begins now."""
        return cls(clock=clock, ends=clock.monotonic() + seconds)

    def until(self, attempt: Callable[[], T | None], pause: float, locked: Callable[[], StateLocked]) -> T:
        """What ``attempt`` gets, tried once at least and then every ``pause`` seconds; ``locked`` is raised at the end
        of the time."""
        while not (got := attempt()):
            if self.clock.monotonic() >= self.ends:
                raise locked()
            self.clock.sleep(pause)
        return got
