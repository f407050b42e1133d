"""How much of what snowload can do can be done now: five levels, one function that decides (X3, R6.4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from beast_dream_snow_loader.core.findings import Finding
from beast_dream_snow_loader.core.next_steps import with_command
from beast_dream_snow_loader.core.shown import shown
from beast_dream_snow_loader.errors import SnowloadError


class Level(StrEnum):
    """From everything to nothing; when several apply, the last of them is the level."""

    FULL = "full"
    REDUCED = "reduced"
    """All is read and written, with less than there could be: a part switched off, a class or a right missing."""
    READ_ONLY = "read-only"
    """UniFi is read; writes wait in the queue, by order or because ServiceNow is away."""
    STALE = "stale"
    """UniFi, or a part of it, is as it was when it was last read."""
    OFFLINE = "offline"
    """Neither end can be worked with; or UniFi cannot be read and nothing stands in for it."""


RANK: Mapping[Level, int] = {level: rank for rank, level in enumerate(Level)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a level is not a better one. ``code`` is a stable name, ``next_step`` holds the command to give next."""

    level: Level
    code: str
    message: str
    next_step: str

    def document(self) -> dict[str, str]:
        return {
            "level": self.level.value,
            "code": self.code,
            "message": shown(self.message, 500),
            "next_step": shown(self.next_step, 500),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Degradation:
    """The level with everything that speaks against a better one, worst first."""

    level: Level = Level.FULL
    reasons: tuple[Reason, ...] = ()

    def document(self) -> dict[str, Any]:
        return {"level": self.level.value, "reasons": [reason.document() for reason in self.reasons]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What keeps an end from being worked with."""

    code: str
    message: str
    next_step: str = ""

    @classmethod
    def of(cls, error: SnowloadError) -> Trouble:
        return cls(code=error.code, message=error.message, next_step=error.next_step)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the level depends on.

    ``source`` is why UniFi cannot be read at all, ``target`` why ServiceNow cannot be worked with. ``stale_seconds``:
    the age of what stands in for UniFi or a part of it. ``partial``: something of UniFi was not read and nothing stands
    in for it; ``detoured``: it was read on another way than the usual one. ``held_back``: servicenow.mode is read-only.
    ``lacks`` are reasons of their own: parts switched off, what the instance has not.
    """

    source: Trouble | None = None
    target: Trouble | None = None
    held_back: bool = False
    stale_seconds: float | None = None
    partial: bool = False
    detoured: bool = False
    lacks: Sequence[Reason] = ()


def degradation(facts: Facts) -> Degradation:
    """The one place where the level is decided."""
    reasons = sorted(_reasons(facts), key=lambda reason: -RANK[reason.level])
    if facts.source is not None and (facts.stale_seconds is None or facts.target is not None):
        return Degradation(level=Level.OFFLINE, reasons=tuple(reasons))
    return Degradation(level=reasons[0].level if reasons else Level.FULL, reasons=tuple(reasons))


def lacking(findings: Iterable[Finding]) -> Iterator[Reason]:
    """What a run had to do without, of all that it found: one reason per rule, in the words of the first finding."""
    told: set[str] = set()
    for finding in findings:
        if finding.rule in _REDUCING and finding.rule not in told:
            told.add(finding.rule)
            yield lack(finding.rule, finding.message, _REDUCING[finding.rule])


def lack(code: str, message: str, next_step: str) -> Reason:
    """Something that could be there and is not."""
    return Reason(level=Level.REDUCED, code=code, message=message, next_step=with_command(next_step))


_DOCTOR = "See what is missing with: snowload doctor"
_RIGHTS = "Let the account read that (docs/guides/service-account.md), then run: snowload doctor"

_REDUCING: Mapping[str, str] = {
    "auth.not_authenticated": "Mend that login, then run: snowload doctor",
    "auth.method_refused": "Mend that login, then run: snowload doctor --check servicenow",
    "binding.unchecked": _RIGHTS,
    "class.base": _DOCTOR,
    "class.fallback": _DOCTOR,
    "class.none": _DOCTOR,
    "client.edges_unreadable": _RIGHTS,
    "client.unreadable": _RIGHTS,
    "credentials.fallback": "See what keeps 1Password from answering with: snowload doctor --check configuration",
    "drift.unreadable": _RIGHTS,
    "engine.unavailable": _DOCTOR,
    "facts.meta_unreadable": _RIGHTS,
    "identity.unreadable": _RIGHTS,
    "ledger.hidden": _RIGHTS,
    "name.unchecked": _RIGHTS,
    "plan.unseen": _RIGHTS,
    "preflight.unavailable": _DOCTOR,
    "recall.unreadable": _RIGHTS,
    "recheck.unreadable": _RIGHTS,
    "relation.type_absent": _DOCTOR,
    "relation.unreadable": _RIGHTS,
    "verify.skipped": _RIGHTS,
}
"""Rules of findings about what a run had to do without, and what to do about each."""


def _reasons(facts: Facts) -> Iterator[Reason]:
    if facts.source is not None:
        level = Level.OFFLINE if facts.stale_seconds is None else Level.STALE
        yield _because(level, facts.source)
    elif facts.stale_seconds is not None:
        message = f"A part of UniFi is as it was up to {facts.stale_seconds / 3600:.1f} hours ago."
        yield _because(Level.STALE, Trouble(code="source.stale", message=message))
    if facts.target is not None:
        yield _because(Level.READ_ONLY, facts.target)
    if facts.held_back:
        step = 'Set servicenow.mode to "normal", then run: snowload replay-queue'
        message = "servicenow.mode is read-only: writes are queued and none is sent."
        yield Reason(level=Level.READ_ONLY, code="servicenow.read_only", message=message, next_step=step)
    if facts.partial:
        yield lack("source.partial", "A part of UniFi could not be read.", "See which with: snowload health")
    if facts.detoured:
        message = "A console does not answer at its own address: it was read through Site Manager."
        yield lack("source.detour", message, "See which with: snowload health")
    yield from facts.lacks


def _because(level: Level, trouble: Trouble) -> Reason:
    step = with_command(trouble.next_step)
    return Reason(level=level, code=trouble.code, message=trouble.message, next_step=step)
