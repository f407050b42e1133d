"""What is put right without a person: noticed, done, checked, written down, taken back where it made things worse, and
not done too often (X5)."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from beast_dream_snow_loader.clock import Clock, rfc3339
from beast_dream_snow_loader.core.events import FindingRaised, HealingSettled, Listener, ignore
from beast_dream_snow_loader.core.findings import Finding, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """How often in one run, and in one hour over all runs (None: as often as somebody looks). Beyond that something is
    wrong that this does not heal."""

    per_run: int
    per_hour: int | None


CONNECTIONS, TOKEN, LOGIN = "connections.renewed", "token.renewed", "login.changed"
LEDGER, DATABASE, QUEUE, CACHE = "ledger.repaired", "database.checked", "queue.drained", "cache.warmed"
LEASE, LOG, FILES = "lease.released", "log.folded", "files.removed"
"""Done by ``health``."""
LIMITS: Mapping[str, Limit] = {
    CONNECTIONS: Limit(per_run=4, per_hour=20),
    TOKEN: Limit(per_run=10, per_hour=30),
    LOGIN: Limit(per_run=3, per_hour=20),
    LEDGER: Limit(per_run=20, per_hour=200),
    DATABASE: Limit(per_run=1, per_hour=10),
    QUEUE: Limit(per_run=1, per_hour=100),
    CACHE: Limit(per_run=1, per_hour=100),
    LEASE: Limit(per_run=1, per_hour=None),
    LOG: Limit(per_run=1, per_hour=None),
    FILES: Limit(per_run=1, per_hour=None),
}
"""Every healing there is (docs/explanation/degradation.md)."""


@dataclass(slots=True, kw_only=True, eq=False)
class Healing:
    """One of them under way. Settled once: what is said after that is not heard."""

    what: str
    subject: str
    detected: str
    done: str
    at: datetime
    verified: bool = False
    undone: str = ""
    _settled: bool = False
    _tell: Callable[[Healing], None] = field(repr=False, default=lambda _healing: None)

    def helped(self) -> None:
        """It was looked at and is well."""
        self._settle(verified=True)

    def did_not_help(self) -> None:
        """It was looked at and is no better; nothing had to be taken back."""
        self._settle(verified=False)

    def taken_back(self, why: str) -> None:
        """It is as it was before: ``why``."""
        self._settle(verified=False, undone=why)

    def row(self) -> dict[str, Any]:
        names = ("what", "subject", "detected", "done", "verified", "undone")
        return {"at": rfc3339(self.at), **{name: getattr(self, name) for name in names}}

    def _settle(self, *, verified: bool, undone: str = "") -> None:
        if not self._settled:
            self._settled, self.verified, self.undone = True, verified, undone
            self._tell(self)


class Healings:
    """The registry of a run. Thread-safe. ``earlier`` tells how many of each there were within the last hour; it is
    asked once, when something is to be healed."""

    def __init__(
        self, clock: Clock, listener: Listener = ignore, earlier: Callable[[], Mapping[str, int]] = dict
    ) -> None:
        self._clock, self._listener, self._earlier = clock, listener, earlier
        self._before: Mapping[str, int] | None = None
        self._begun: list[Healing] = []
        self._lock = threading.Lock()
        self._limited: set[str] = set()

    def begin(self, what: str, subject: str, detected: str, done: str) -> Healing | None:
        """About to be done; None when it was done too often: then nothing is. KeyError for what is not in LIMITS."""
        with self._lock:
            if self._too_often(what):
                told = what in self._limited
                self._limited.add(what)
            else:
                healing = Healing(
                    what=what, subject=subject, detected=detected, done=done, at=self._clock.now(), _tell=self._told
                )
                self._begun.append(healing)
                return healing
        if not told:
            self._listener(FindingRaised(finding=_limited(what, subject, detected)))
        return None

    def rows(self) -> list[dict[str, Any]]:
        """Everything of this run, in the order it was begun."""
        with self._lock:
            return [healing.row() for healing in self._begun]

    def _too_often(self, what: str) -> bool:
        limit = LIMITS[what]
        if self._before is None:
            self._before = dict(self._earlier())
        mine = Counter(healing.what for healing in self._begun)[what]
        if mine >= limit.per_run:
            return True
        return limit.per_hour is not None and mine + self._before.get(what, 0) >= limit.per_hour

    def _told(self, healing: Healing) -> None:
        self._listener(
            HealingSettled(
                what=healing.what,
                subject=healing.subject,
                detected=healing.detected,
                done=healing.done,
                verified=healing.verified,
                undone=healing.undone,
            )
        )


def _limited(what: str, subject: str, detected: str) -> Finding:
    limit = LIMITS[what]
    hourly = f", {limit.per_hour} in an hour" if limit.per_hour is not None else ""
    message = (
        f"{detected} Not put right again: {what} was done as often as it may be ({limit.per_run} in a run{hourly}). "
        f"Look for the cause with: snowload doctor"
    )
    return Finding(record=subject, rule="healing.limited", severity=Severity.WARNING, message=message, value=what)
