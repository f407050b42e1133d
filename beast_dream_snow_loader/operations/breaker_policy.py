"""When a breaker opens, how long it waits, and how many probes it lets through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from beast_dream_snow_loader.operations.call_window import CountWindow


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """Opens after ``failure_threshold`` failures in a row, or when ``window`` (off when None) shows too many.

    The wait is ``first_wait_seconds`` and doubles with each opening that follows without a closing between, up to
    ``recovery_timeout_seconds``; None: it is that from the start. ``jitter`` makes it any time between nothing and
    that (full jitter), so that programs do not come back together.

    Then ``half_open_max_calls`` probes go through, and when they succeed ``half_open_then_calls`` more, before it
    closes. Probes that have not come back within ``half_open_seconds`` (None: the longest wait) have failed.
    """

    failure_threshold: int = 5
    recovery_timeout_seconds: float = 60.0
    first_wait_seconds: float | None = None
    jitter: bool = False
    half_open_max_calls: int = 1
    half_open_then_calls: int = 0
    half_open_seconds: float | None = None
    window: CountWindow | None = None

    def wait(self, openings: int, random: Callable[[], float]) -> float:
        """Seconds to stay open at the so-manieth opening in succession, from 1."""
        first = self.recovery_timeout_seconds if self.first_wait_seconds is None else self.first_wait_seconds
        longest = min(self.recovery_timeout_seconds, first * 2.0 ** min(openings - 1, 30))
        return longest * random() if self.jitter else longest

    @property
    def stages(self) -> tuple[int, ...]:
        """How many probes go through at a time, stage by stage."""
        then = (self.half_open_then_calls,) if self.half_open_then_calls else ()
        return (self.half_open_max_calls, *then)

    @property
    def probe_seconds(self) -> float:
        return self.recovery_timeout_seconds if self.half_open_seconds is None else self.half_open_seconds
