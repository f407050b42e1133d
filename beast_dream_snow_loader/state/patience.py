"""How long a run waits for its target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self, TypeVar

from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.errors import StateLocked, Stopped

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """One time for the lock of this host and the lease among hosts together. ``ends`` is of ``clock.monotonic``."""

    clock: Clock
    ends: float
    stopping: Callable[[], bool]

    @classmethod
    def of(cls, clock: Clock, seconds: float = 0.0, stopping: Callable[[], bool] = lambda: False) -> Self:
        """It begins now."""
        return cls(clock=clock, ends=clock.monotonic() + seconds, stopping=stopping)

    def until(self, attempt: Callable[[], T | None], pause: float, locked: Callable[[], StateLocked]) -> T:
        """What ``attempt`` gets, tried once at least and then every ``pause`` seconds; ``locked`` is raised at the end
        of the time, and Stopped as soon as the program is asked to stop: from then on the clock lets nobody sleep."""
        while not (got := attempt()):
            if self.clock.monotonic() >= self.ends:
                raise locked()
            if self.stopping():
                raise Stopped(
                    "It was asked to end while it waited for another run; nothing was written.",
                    next_step="Run it again: `snowload load`.",
                )
            self.clock.sleep(pause)
        return got
