"""The seam around one step: events, timing, and which faults mean "the far side is away"."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.core.events import Listener, StepFinished, StepStarted, TroubleMet
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.errors import (
    NOTHING_SENT,
    NotAuthorised,
    OutcomeUnknown,
    Rejected,
    ServerFault,
    SnowloadError,
)

AWAY = (*NOTHING_SENT, OutcomeUnknown, ServerFault)
"""The far side cannot be worked with now; later it may."""

UNREADABLE = (Rejected, NotAuthorised)
"""The account or the instance says no to a read: function is reduced, the run goes on."""


def reduced(rule: str, message: str) -> Finding:
    """A finding about what this run had to do without."""
    return Finding(record="instance", rule=rule, severity=Severity.WARNING, message=message)


@dataclass(slots=True)
class Counted:
    """What a step is about to report: set ``records`` before it ends."""

    records: int = 0


@dataclass(slots=True, kw_only=True)
class Steps:
    """Runs steps one after another and keeps what they took: (name, seconds, records)."""

    clock: Clock
    listener: Listener
    done: list[StepFinished] = field(default_factory=list)
    _now: str = ""

    def met(self, error: SnowloadError) -> None:
        """The step under way goes on without what ``error`` stood in the way of."""
        self.listener(TroubleMet(step=self._now, error=error))

    @contextmanager
    def step(self, name: str, total: int | None = None) -> Iterator[Counted]:
        """Announce a step, time it, and announce its end also when it fails."""
        counted, self._now = Counted(), name
        started = self.clock.monotonic()
        self.listener(StepStarted(step=name, total=total))
        code = ""
        try:
            yield counted
        except SnowloadError as error:
            code = error.code
            self.met(error)
            raise
        finally:
            seconds = self.clock.monotonic() - started
            finished = StepFinished(step=name, seconds=round(seconds, 3), records=counted.records, error=code)
            self.done.append(finished)
            self.listener(finished)
