"""Errors put together by their cause: the same service and the same code within a window of time are one incident (X4).

Pure: what happened goes in, what it comes to goes out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from beast_dream_snow_loader.clock import rfc3339

WINDOW = timedelta(minutes=15)
"""A cause that is silent for longer than this and comes back is another incident."""

_FOLLOWS = {
    "transport.breaker_open": ("transport.", "cmdb."),
    "unknown.not_found": ("transport.",),
    "ABANDONED": ("",),
}
"""Codes that have no cause of their own, and how that of their cause begins."""

_FOR_ITS_END = frozenset({"link.end_refused", "link.end_missing"})
"""Of an edge: the cause is that of its end."""

_OF_A_LOGIN = "auth."


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Something went wrong once. ``service`` is whom it was asked of; ``subject`` the change it kept from being made,
    ``relation`` whether that is an edge, and
    ``ends`` the subjects of its ends. ``operation``: of the request that failed."""

    at: datetime
    step: str
    service: str
    code: str
    operation: str = ""
    subject: str = ""
    relation: bool = False
    ends: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Incident:
    """Troubles of one cause. ``chain`` is what led to what: step and code, in the order they first came up, how often.

    ``subjects`` are changes that were not made because of it, ``operations`` what was asked in vain and when last.
    """

    service: str
    code: str
    first: datetime
    last: datetime
    count: int = 0
    chain: dict[tuple[str, str], int] = field(default_factory=dict)
    subjects: dict[str, bool] = field(default_factory=dict)
    operations: dict[str, datetime] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Unlike that of any other incident of the run."""
        return f"{self.service or 'snowload'}/{self.code}/{rfc3339(self.first)}"

    @property
    def records(self) -> int:
        return sum(not relation for relation in self.subjects.values())

    @property
    def relations(self) -> int:
        return sum(self.subjects.values())

    def add(self, trouble: Trouble) -> None:
        self.first, self.last = min(self.first, trouble.at), max(self.last, trouble.at)
        self.count += 1
        link = (trouble.step, trouble.code)
        self.chain[link] = self.chain.get(link, 0) + 1
        if trouble.operation:
            self.operations[trouble.operation] = max(trouble.at, self.operations.get(trouble.operation, trouble.at))
        if trouble.subject:
            self.subjects[trouble.subject] = trouble.relation

    def answered_since(self, answered: Mapping[tuple[str, str], datetime]) -> bool:
        """Whether what was asked in vain was asked with success later, with another login if that was what failed;
        ``answered``: when last, by service and operation."""
        theirs = {operation: at for (service, operation), at in answered.items() if service == self.service}
        if self.code.startswith(_OF_A_LOGIN):
            return not self.operations or any(at >= self.last for at in theirs.values())
        return all(operation in theirs and theirs[operation] >= last for operation, last in self.operations.items())

    def document(self, *, recovered: bool) -> dict[str, Any]:
        """``recovered``: the run got over it, nothing was lost to it (:meth:`answered_since` among others)."""
        return {
            "id": self.id,
            "service": self.service,
            "code": self.code,
            "first_seen": rfc3339(self.first),
            "last_seen": rfc3339(self.last),
            "count": self.count,
            "chain": [{"step": step, "code": code, "count": count} for (step, code), count in self.chain.items()],
            "records": self.records,
            "relations": self.relations,
            "recovered": recovered,
        }


def incidents(troubles: Iterable[Trouble], window: timedelta = WINDOW) -> Sequence[Incident]:
    """A trouble joins the latest incident of its cause that is not older than ``window``."""
    found: list[Incident] = []
    for trouble in sorted(troubles, key=lambda one: (_follows(one), one.at)):
        incident = _cause(trouble, found, window)
        if incident is None:
            incident = Incident(service=trouble.service, code=trouble.code, first=trouble.at, last=trouble.at)
            found.append(incident)
        incident.add(trouble)
    return sorted(found, key=lambda one: one.first)


def incident_of(trouble: Trouble, among: Sequence[Incident]) -> str:
    """The id of the incident that a trouble belongs to; empty when it belongs to none."""
    return next((one.id for one in among if (trouble.step, trouble.code) in one.chain and _within(one, trouble)), "")


def _follows(trouble: Trouble) -> bool:
    """Whether it has no cause of its own: those are put where they belong once all causes are known."""
    return trouble.code in _FOLLOWS or trouble.code in _FOR_ITS_END


def _within(incident: Incident, trouble: Trouble) -> bool:
    return incident.service == trouble.service and trouble.at <= incident.last


def _cause(trouble: Trouble, found: Sequence[Incident], window: timedelta) -> Incident | None:
    for incident in reversed(found):
        if incident.service == trouble.service and trouble.at - incident.last <= window and _leads(incident, trouble):
            return incident
    return None


def _leads(incident: Incident, trouble: Trouble) -> bool:
    beginnings = _FOLLOWS.get(trouble.code, ())
    if trouble.code in _FOR_ITS_END and any(end in incident.subjects for end in trouble.ends):
        return True
    return incident.code == trouble.code or any(incident.code.startswith(one) for one in beginnings)


def over_runs(documents: Iterable[tuple[str, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Incidents of several runs, ``(run id, document)`` from the oldest run on, put together by cause.

    What one run did not get over and the next one met again is one story.
    """
    causes: dict[tuple[str, str], dict[str, Any]] = {}
    for run_id, one in documents:
        cause = causes.setdefault(
            (one["service"], one["code"]),
            {
                "service": one["service"],
                "code": one["code"],
                "first_seen": one["first_seen"],
                "count": 0,
                "runs": [],
                "records": 0,
                "relations": 0,
            },
        )
        cause["last_seen"], cause["recovered"] = one["last_seen"], one["recovered"]
        cause["count"] += one["count"]
        cause["runs"] = list(dict.fromkeys([*cause["runs"], run_id]))
        cause["records"] = max(cause["records"], one["records"])
        cause["relations"] = max(cause["relations"], one["relations"])
    return sorted(causes.values(), key=lambda one: (-one["count"], one["code"]))
