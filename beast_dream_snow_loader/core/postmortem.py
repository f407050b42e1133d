"""One run told whole in one document, for an engineer or a language model to reason from (R8.5). Bounded: what is left
out is counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from beast_dream_snow_loader.clock import rfc3339
from beast_dream_snow_loader.core.digest import Digest
from beast_dream_snow_loader.core.quality import quality
from beast_dream_snow_loader.core.run import Run
from beast_dream_snow_loader.core.shown import shown
from beast_dream_snow_loader.core.told import number, rows, section

MOST = 100
"""Entries of one list."""
LONGEST = 2000
"""Characters of one text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """So many changes of one kind were settled in one way, from the first intent to the last settlement."""

    change: str
    state: str
    code: str
    count: int
    first: datetime
    last: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All there is about a run. ``before`` and ``after`` are the runs around it against the same target, oldest first;
    ``log`` are lines of the log that carry its id."""

    run: Run
    settled: Sequence[Settled] = ()
    before: Sequence[Digest] = ()
    after: Sequence[Digest] = ()
    log: Sequence[Mapping[str, Any]] = ()
    log_omitted: int = 0


def postmortem(evidence: Evidence) -> dict[str, Any]:
    """Its own part of the document."""
    run, told = evidence.run, evidence.run.report
    errors = rows(told, "errors", "code")
    found = {
        "run": _who(run),
        "impact": _impact(told, evidence.after),
        "timeline": _timeline(evidence),
        "errors": [dict(one) for one in errors],
        "incidents": [dict(one) for one in rows(told, "incidents")],
        "decisions": _decisions(told),
        "data": quality(run.id, told),
        "changes": [_change(one) for one in evidence.settled],
        "steps": list(rows(told, "steps")),
        "requests": dict(section(told, "requests")),
        "breakers": dict(section(told, "breakers")),
        "degradation": dict(section(told, "degradation")),
        "healings": list(rows(told, "healings")),
        "configuration": list(rows(told, "configuration")),
        "versions": _versions(told, errors),
        "around": {"before": [_near(one) for one in evidence.before], "after": [_near(one) for one in evidence.after]},
        "log": [dict(one) for one in evidence.log],
    }
    return bounded(found, {"log": evidence.log_omitted, "errors": number(told, "errors_omitted")})


def _who(run: Run) -> dict[str, Any]:
    return {
        "run_id": run.id,
        "command": run.command,
        "environment": run.environment,
        "target": run.target,
        "started_at": rfc3339(run.started_at),
        "finished_at": run.finished_at and rfc3339(run.finished_at),
        "status": run.status.value,
        "exit_code": run.exit_code,
        "asked": dict(section(run.report, "asked")),
        "stopped_by": run.report.get("error"),
    }


def _impact(told: Mapping[str, Any], after: Sequence[Digest]) -> dict[str, Any]:
    good = next((one for one in after if one.good), None)
    open_ones = [one for one in rows(told, "incidents", "service", "code") if not one.get("recovered")]
    links = section(told, "links")
    return {
        "written": dict(section(told, "written")),
        "failed": len(rows(told, "failed")),
        "held": len(rows(told, "held")),
        "parked": len(rows(told, "parked")),
        "queued": number(told, "queued"),
        "queued_because": told.get("queued_because"),
        "relations_missing": None if links.get("rate") is None else links.get("wanted", 0) - links.get("linked", 0),
        "stale_source_seconds": told.get("stale_source"),
        "unrecovered_causes": sorted({f"{one['service']}/{one['code']}" for one in open_ones}),
        "next_good_run": good.run_id if good is not None else None,
        "good_again_at": rfc3339(good.finished_at) if good is not None and good.finished_at is not None else None,
    }


def _timeline(evidence: Evidence) -> list[dict[str, str]]:
    """In the order of time. Steps follow one another from the start of the run: ``about`` says that their times are
    reckoned from their durations."""
    return sorted(_moments(evidence), key=lambda one: one["at"])


def _moments(evidence: Evidence) -> Iterator[dict[str, str]]:
    run, told = evidence.run, evidence.run.report
    yield _moment(run.started_at, "run", f"{run.command} started")
    at = run.started_at
    for step in rows(told, "steps", "name", "duration_seconds", "records"):
        at += timedelta(seconds=step["duration_seconds"])
        text = f"{step['name']} ended after {step['duration_seconds']} s with {step['records']} records"
        yield {**_moment(at, "step", text), "about": "reckoned"}
    for one in rows(told, "errors", "code", "timestamp"):
        yield {"at": one["timestamp"], "what": "error", "text": f"{one['code']}: {one.get('message', '')}"}
    for one in rows(told, "incidents", "service", "code", "count", "first_seen", "last_seen"):
        text = f"{one['service']}/{one['code']}, {one['count']} times until {one['last_seen']}"
        yield {"at": one["first_seen"], "what": "incident", "text": text}
    for settled in evidence.settled:
        text = f"{settled.count} times {settled.change}: {settled.state}{f' ({settled.code})' if settled.code else ''}"
        yield _moment(settled.last or settled.first, "changes", text)
    if run.finished_at is not None:
        how = f"ended {run.status.value} with {run.exit_code}"
        killed = "was killed: what it did until then is all there is of it"
        yield _moment(run.finished_at, "run", f"{run.command} {how if run.exit_code is not None else killed}")


def _moment(at: datetime, what: str, text: str) -> dict[str, str]:
    return {"at": rfc3339(at), "what": what, "text": text}


def _decisions(told: Mapping[str, Any]) -> dict[str, Any]:
    """What was planned and what was decided otherwise: every finding says which record, by which rule, and why."""
    return {"plan": dict(section(told, "plan")), "findings": [dict(one) for one in rows(told, "findings")]}


def _change(one: Settled) -> dict[str, Any]:
    return {
        "change": one.change,
        "state": one.state,
        "code": one.code,
        "count": one.count,
        "first_intended_at": rfc3339(one.first),
        "last_settled_at": one.last and rfc3339(one.last),
    }


def _versions(told: Mapping[str, Any], errors: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    facts: Mapping[str, Any] = next((one["environment_info"] for one in errors if one.get("environment_info")), {})
    return {**facts, **({"snowload": told["snowload_version"]} if "snowload_version" in told else {})}


def _near(one: Digest) -> dict[str, Any]:
    return {"run_id": one.run_id, "command": one.command, "started_at": rfc3339(one.started_at),
            "status": one.status.value, "failures": {code: mode[0] for code, mode in one.failures.items()}}  # fmt: skip


def bounded(value: dict[str, Any], omitted: Mapping[str, int]) -> dict[str, Any]:
    """Lists of :data:`MOST` entries at most and texts of :data:`LONGEST` characters; ``omitted`` counts the rest by
    place, together with what was left out before."""
    left = {place: count for place, count in omitted.items() if count}
    return {**{name: _cut(part, name, left) for name, part in value.items()}, "omitted": left}


def _cut(value: object, place: str, left: dict[str, int]) -> object:
    if isinstance(value, str):
        return shown(value, LONGEST)
    if isinstance(value, Mapping):
        return {name: _cut(part, f"{place}.{name}", left) for name, part in value.items()}
    if isinstance(value, list | tuple):
        if len(value) > MOST:
            left[place] = left.get(place, 0) + len(value) - MOST
        return [_cut(part, place, left) for part in value[:MOST]]
    return value
