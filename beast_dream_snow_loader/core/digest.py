"""What is remembered of a run longer than its report is: numbers, from which reports over many runs are made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from beast_dream_snow_loader.clock import rfc3339
from beast_dream_snow_loader.core.run import Run, RunStatus
from beast_dream_snow_loader.core.told import number, rows, section

BY_HAND = frozenset({"field.overridden_by_hand", "relation.removed_by_hand", "retire.status_by_hand"})
"""Rules of findings about what a person changed in the CMDB and we leave."""

_MOST_INCIDENTS = 20
_INCIDENT = ("service", "code", "first_seen", "last_seen", "count", "records", "relations", "recovered")


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """``counts`` are numbers of records, relations and requests, by name; ``steps`` seconds and records, by step;
    ``failures`` how often and when last, by code; ``rules`` how often a finding was made, by rule; ``incidents`` those
    of the report without their chains. ``rate`` is the linking rate, ``level`` that of degradation, where told."""

    run_id: str
    command: str
    target: str
    started_at: datetime
    finished_at: datetime | None = None
    status: RunStatus = RunStatus.RUNNING
    exit_code: int | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    steps: Mapping[str, Sequence[float]] = field(default_factory=dict)
    failures: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    rules: Mapping[str, int] = field(default_factory=dict)
    incidents: Sequence[Mapping[str, Any]] = ()
    rate: float | None = None
    stale_seconds: float | None = None
    level: str = ""
    opened: Sequence[str] = ()
    """Breakers that opened."""

    @property
    def seconds(self) -> float | None:
        return None if self.finished_at is None else (self.finished_at - self.started_at).total_seconds()

    @property
    def good(self) -> bool:
        return self.status is RunStatus.OK


def digest_of(run: Run) -> Digest:
    """From the document that the run printed."""
    told = run.report
    return Digest(
        run_id=run.id,
        command=run.command,
        target=run.target,
        started_at=run.started_at,
        finished_at=run.finished_at,
        status=run.status,
        exit_code=run.exit_code,
        counts={name: count for name, count in _counts(told) if count},
        steps={
            one["name"]: [one["duration_seconds"], one["records"]]
            for one in rows(told, "steps", "name", "duration_seconds", "records")
        },
        failures=_failures(run),
        rules=dict(Counter(one["rule"] for one in rows(told, "findings", "rule"))),
        incidents=[_incident(one) for one in rows(told, "incidents", *_INCIDENT)[:_MOST_INCIDENTS]],
        rate=section(told, "links").get("rate"),
        stale_seconds=told.get("stale_source"),
        level=section(told, "degradation").get("level", ""),
        opened=[
            one["name"] for one in rows(section(told, "breakers"), "changes", "name", "after") if one["after"] == "open"
        ],
    )


def _counts(told: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    for part in ("written", "source", "requests"):
        yield from ((name, count) for name, count in section(told, part).items() if isinstance(count, int))
    findings = rows(told, "findings", "rule", "severity")
    links, verify = section(told, "links"), section(told, "verify")
    yield "failed", len(rows(told, "failed"))
    yield "held", len(rows(told, "held"))
    yield "parked", len(rows(told, "parked"))
    yield "queued", number(told, "queued")
    yield "reduced", number(told, "reduced")
    yield "invalid", sum(one["severity"] == "error" for one in findings)
    yield "hand_edits", sum(one["rule"] in BY_HAND for one in findings)
    if links.get("rate") is not None:
        yield "wanted", links.get("wanted", 0)
        yield "there", links.get("linked", 0)
    yield "orphans", links.get("orphans", 0)
    yield "checked", verify.get("checked", 0)
    yield "mismatches", verify.get("mismatches", 0)
    yield "duplicates", verify.get("duplicates", 0)


def _failures(run: Run) -> dict[str, list[Any]]:
    counted: dict[str, list[Any]] = {}
    for code, at in failed_in(run):
        mode = counted.setdefault(code, [0, ""])
        mode[0], mode[1] = mode[0] + 1, max(at, mode[1])
    return counted


def failed_in(run: Run) -> Iterator[tuple[str, str]]:
    """Code and time of each failure. What stopped the run is among its errors, if it had got far enough to have any."""
    started = rfc3339(run.started_at)
    errors, failed = rows(run.report, "errors", "code"), rows(run.report, "failed", "code")
    untold = len(failed) - number(run.report, "errors_omitted") if errors else 0
    for one in (*errors, *failed[untold:]):
        yield one["code"], one.get("timestamp", started)
    stopped = section(run.report, "error").get("code")
    if stopped and stopped not in {one["code"] for one in errors}:
        yield stopped, started


def _incident(told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: told[name] for name in _INCIDENT}


def in_order(digests: Iterable[Digest]) -> list[Digest]:
    """Oldest first."""
    return sorted(digests, key=lambda one: (one.started_at, one.run_id))
