"""``errors`` and ``incidents`` of a report: what failed, with its context, and what it has in common (R1.1, X4)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any

from beast_dream_snow_loader.clock import rfc3339
from beast_dream_snow_loader.core.changes import Change, ItemChange, LinkChange
from beast_dream_snow_loader.core.findings import Finding
from beast_dream_snow_loader.core.incidents import Incident, Trouble, incident_of, incidents
from beast_dream_snow_loader.core.ports import Settlement
from beast_dream_snow_loader.core.receipts import Outcome
from beast_dream_snow_loader.core.shown import shown
from beast_dream_snow_loader.errors import CircuitBreakerOpen, CmdbError, ReadOnlyMode, SnowloadError
from beast_dream_snow_loader.operations.classification import is_code
from beast_dream_snow_loader.operations.error_handler import ErrorCategory, ErrorContext
from beast_dream_snow_loader.operations.logger import StructuredLogger
from beast_dream_snow_loader.operations.troubles import Troubles

MOST_ERRORS = 500
"""Rows of ``errors``: each record that failed is in ``failed`` anyway, and nobody reads more of one kind."""
FETCH = "fetch"
_FAILED = frozenset({Outcome.REFUSED, Outcome.UNKNOWN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """``omitted``: so many more errors there were; their records are the last ones of ``failed``."""

    errors: Sequence[dict[str, Any]] = ()
    omitted: int = 0
    incidents: Sequence[dict[str, Any]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How the run came out. ``stopped``: errors that ended it or kept ServiceNow from being worked with; ``unread``:
    what could not be read on the way, each by the code of its error; ``unmade``: what was not written because of them;
    ``left_alone``: breakers that are open still, by name."""

    stopped: Sequence[SnowloadError] = ()
    unread: Sequence[Finding] = ()
    unmade: Sequence[Change] = ()
    left_alone: Collection[str] = ()


def errors_told(troubles: Troubles, settlements: Iterable[Settlement], ending: Ending) -> Told:
    """What was raised, then each record and relation that failed, the first :data:`MOST_ERRORS` of them; and all of it,
    queued writes too, by cause."""
    settlements = tuple(settlements)
    stops = [troubles.placed(error) for error in ending.stopped]
    of_changes = {s.change.subject: t for s in settlements if (t := _trouble(troubles, s)) is not None}
    found = incidents([*troubles.on_the_way, *of_changes.values()])
    blamed = [one for one in found if any(_met_in(one, stop) for stop in stops)]
    for change in ending.unmade if blamed else ():
        blamed[-1].subjects.setdefault(change.subject, not isinstance(change, ItemChange))
    raised, failed = tuple(troubles.captured), [s for s in settlements if s.receipt.outcome in _FAILED]
    unread = [one for one in ending.unread if is_code(one.rule) and one.rule not in {e.code for e in raised}]
    rows = chain(
        _raised(raised, found),
        (_of_source(troubles, one, found) for one in unread),
        (_of_change(troubles, s, of_changes, found) for s in failed),
    )
    listed = list(islice(_traced_once(rows), MOST_ERRORS))
    return Told(
        errors=listed,
        omitted=len(raised) + len(unread) + len(failed) - len(listed),
        incidents=[
            one.document(recovered=one not in blamed and _over(one, troubles, ending.left_alone)) for one in found
        ],
    )


def _met_in(incident: Incident, stop: Trouble) -> bool:
    return incident.service == stop.service and (stop.step, stop.code) in incident.chain


def _over(incident: Incident, troubles: Troubles, left_alone: Collection[str]) -> bool:
    """Nothing was lost to it, and what was asked in vain got its answer later."""
    alone = any(code == CircuitBreakerOpen.code for _, code in incident.chain)
    if alone and any(_guards(name, incident.service) for name in left_alone):
        return False
    return not incident.subjects and incident.answered_since(troubles.answered)


def _guards(breaker: str, service: str) -> bool:
    """An opening is told of UniFi, or of ServiceNow, as a whole."""
    return service in (breaker, breaker.partition(":")[0].partition(".")[0])


def tell_incidents(told: Sequence[Mapping[str, Any]], logger: StructuredLogger) -> None:
    """One line per incident, at the end of a run."""
    for one in told:
        logger.log_event(
            "incident.found",
            "INFO" if one["recovered"] else None,
            incident=one["id"],
            service=one["service"],
            code=one["code"],
            count=one["count"],
            records=one["records"],
            relations=one["relations"],
            steps=", ".join(dict.fromkeys(link["step"] for link in one["chain"])),
            recovered=one["recovered"],
        )


def _trouble(troubles: Troubles, settlement: Settlement) -> Trouble | None:
    """What kept a change from being made; a write that the operator holds back is in no trouble."""
    noted = troubles.settled.get(settlement.change.subject)
    left = settlement.receipt.outcome is not Outcome.DONE and settlement.receipt.code != ReadOnlyMode.code
    if noted is None or not left:
        return None
    change = settlement.change
    if isinstance(change, ItemChange):
        return noted
    ends = (str(change.relation.lower), str(change.relation.upper)) if isinstance(change, LinkChange) else ()
    return replace(noted, relation=True, ends=ends)


def _traced_once(rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The stack trace of the first error of its kind: the others were met at the same place."""
    seen: set[tuple[str, str]] = set()
    for row in rows:
        kind = (row["operation"], row["code"])
        yield row | {"stack_trace": ""} if kind in seen else row
        seen.add(kind)


def _raised(raised: Sequence[ErrorContext], found: Sequence[Incident]) -> Iterator[dict[str, Any]]:
    for context in raised:
        step = (context.input_data or {}).get("step", "")
        among = [one for one in found if (step, context.code) in one.chain]
        yield _row(context, incident=among[-1].id if among else "")


def _of_source(troubles: Troubles, finding: Finding, found: Sequence[Incident]) -> dict[str, Any]:
    """A console, or Site Manager, that was asked in vain: nothing was raised, because the rest was read."""
    context = troubles.handler.capture_refusal(FETCH, finding.rule, finding.message, {"record": finding.record})
    among = [one for one in found if (FETCH, finding.rule) in one.chain]
    row = _row(context, incident=among[-1].id if among else "")
    category = ErrorCategory.NETWORK.value if row["category"] == ErrorCategory.SERVICENOW_API.value else row["category"]
    return row | {"record": finding.record, "outcome": "unread", "category": category}


def _of_change(
    troubles: Troubles, settlement: Settlement, of_changes: dict[str, Trouble], found: Sequence[Incident]
) -> dict[str, Any]:
    """One failed record; field values stay out of it."""
    receipt, change = settlement.receipt, settlement.change
    context = troubles.refused.get(change.subject) or troubles.handler.capture_refusal(
        "load", receipt.code, receipt.message
    )
    trouble = of_changes.get(change.subject)
    return _row(context, incident=incident_of(trouble, found) if trouble is not None else "") | {
        "operation": f"load.{change.type}",
        "severity": "medium" if receipt.outcome is Outcome.REFUSED else "high",
        "code": receipt.code or CmdbError.code,
        "record": receipt.subject,
        "input": ", ".join(sorted(change.send)) if isinstance(change, ItemChange) else change.subject,
        "outcome": str(receipt.outcome),
    }


def _row(context: ErrorContext, *, incident: str) -> dict[str, Any]:
    return {
        "operation": context.operation,
        "category": context.category.value,
        "severity": context.severity.value,
        "code": context.code,
        "message": shown(context.error_message, 500),
        "record": "",
        "input": "",
        "outcome": "",
        "timestamp": rfc3339(context.timestamp),
        "correlation_id": context.correlation_id,
        "incident": incident,
        "stack_trace": context.stack_trace,
        "environment_info": dict(context.environment_info),
    }
