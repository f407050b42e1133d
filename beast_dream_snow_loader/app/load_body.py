"""The ``load`` document's own part (docs/reference/output.md), from what the load found out and did."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from beast_dream_snow_loader.clock import rfc3339
from beast_dream_snow_loader.core.changes import ChangeType, LinkChange, Plan
from beast_dream_snow_loader.core.exit_codes import ExitCode, exit_code_of, severest
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.known import Held
from beast_dream_snow_loader.core.receipts import Operation, Outcome
from beast_dream_snow_loader.core.run import RunStatus
from beast_dream_snow_loader.errors import SnowloadError
from beast_dream_snow_loader.pipeline.outcome import LoadOutcome


def status_of(outcome: LoadOutcome, error: SnowloadError | None, signal_number: int | None) -> tuple[str, ExitCode]:
    """How the load ended, and the code to end with: the severest of all that applies."""
    if signal_number is not None:
        code = ExitCode.TERMINATED if signal_number == signal.SIGTERM else ExitCode.INTERRUPTED
        return RunStatus.INTERRUPTED.value, code
    if error is not None:
        code = exit_code_of(error)
        return _WORDS.get(code, RunStatus.FAILED).value, code
    codes = [code for applies, code in _applying(outcome) if applies]
    code = severest(codes)
    return _WORDS.get(code, RunStatus.FAILED).value, code


_WORDS = {
    ExitCode.OK: RunStatus.OK,
    ExitCode.PARTIAL: RunStatus.PARTIAL,
    ExitCode.QUEUED: RunStatus.QUEUED,
    ExitCode.REFUSED: RunStatus.REFUSED,
    ExitCode.UNAVAILABLE: RunStatus.UNAVAILABLE,
}


def _applying(outcome: LoadOutcome) -> Iterable[tuple[bool, ExitCode]]:
    outcomes = Counter(settlement.receipt.outcome for settlement in outcome.settlements)
    refused = outcomes[Outcome.REFUSED] + outcomes[Outcome.UNKNOWN]
    yield bool(refused or outcome.held), ExitCode.PARTIAL
    yield any(finding.severity is Severity.ERROR for finding in outcome.findings), ExitCode.PARTIAL
    yield outcome.snapshot is not None and outcome.snapshot.partial, ExitCode.PARTIAL
    yield bool(outcomes[Outcome.LATER]), ExitCode.QUEUED


def load_body(
    outcome: LoadOutcome, started: datetime, finished: datetime, requests: Mapping[str, Any], *, dry_run: bool
) -> dict[str, Any]:
    """Plain values only, in the order of the contract."""
    plan = outcome.plan
    return {
        "dry_run": dry_run,
        "started_at": rfc3339(started),
        "finished_at": rfc3339(finished),
        "duration_seconds": round((finished - started).total_seconds(), 3),
        "stale_source": None if outcome.stale_seconds is None else round(outcome.stale_seconds),
        "source": _source(outcome),
        "findings": [_finding(finding) for finding in outcome.findings],
        "plan": _plan_counts(plan),
        "changes": list(_changes(plan)) if dry_run and plan is not None else [],
        "written": _written(outcome),
        "failed": list(_failed(outcome)),
        "held": [_held(held) for held in outcome.held],
        "queued": sum(s.receipt.outcome is Outcome.LATER for s in outcome.settlements),
        "links": _links(outcome),
        "requests": dict(requests),
        "steps": [
            {"name": step.step, "duration_seconds": step.seconds, "records": step.records} for step in outcome.steps
        ],
        "verify": {
            "checked": outcome.checked,
            "mismatches": sum(finding.rule == "cmdb.write_not_kept" for finding in outcome.findings),
        },
    }


def _source(outcome: LoadOutcome) -> dict[str, int]:
    snapshot = outcome.snapshot
    names = ("consoles", "sites", "devices", "clients")
    return {name: len(getattr(snapshot, name)) if snapshot is not None else 0 for name in names}


def _finding(finding: Finding) -> dict[str, str]:
    return {
        "record": finding.record,
        "field": finding.field,
        "rule": finding.rule,
        "severity": finding.severity.value,
        "message": finding.message,
    }


def _plan_counts(plan: Plan | None) -> dict[str, int]:
    if plan is None:
        return dict.fromkeys(("create", "update", "retire", "link", "unlink", "unchanged"), 0)
    kinds = Counter(change.type for change in plan.items)
    return {
        "create": kinds[ChangeType.CREATE],
        "update": kinds[ChangeType.UPDATE] + kinds[ChangeType.HEARTBEAT],
        "retire": 0,
        "link": len(plan.links),
        "unlink": 0,
        "unchanged": plan.unchanged,
    }


def _changes(plan: Plan) -> Iterable[dict[str, Any]]:
    """Field by field, what a dry run would have written."""
    for change in plan.items:
        for field in change.fields:
            yield {
                "change": change.type.value,
                "record": change.subject,
                "class": change.item.class_name,
                "field": field.element,
                "old": field.old,
                "new": field.new,
                "reason": field.reason,
            }
    for link in plan.links:
        relation = link.relation
        yield {
            "change": "link",
            "record": str(relation.parent),
            "class": "cmdb_rel_ci",
            "field": relation.type,
            "old": None,
            "new": str(relation.child),
            "reason": relation.role.value,
        }


def _written(outcome: LoadOutcome) -> dict[str, int]:
    done = Counter(
        (s.receipt.operation, isinstance(s.change, LinkChange))
        for s in outcome.settlements
        if s.receipt.outcome is Outcome.DONE
    )
    return {
        "created": done[(Operation.INSERTED, False)],
        "updated": done[(Operation.UPDATED, False)],
        "unchanged": done[(Operation.UNCHANGED, False)],
        "retired": 0,
        "linked": done[(Operation.LINKED, True)] + done[(Operation.INSERTED, True)],
        "unlinked": 0,
    }


def _failed(outcome: LoadOutcome) -> Iterable[dict[str, str]]:
    for settlement in outcome.settlements:
        receipt, change = settlement.receipt, settlement.change
        if receipt.outcome in (Outcome.REFUSED, Outcome.UNKNOWN):
            kind = change.type.value
            yield {"key": receipt.subject, "change": kind, "code": receipt.code, "message": receipt.message}
    for finding in outcome.findings:
        if finding.severity is Severity.ERROR:
            yield {"key": finding.record, "change": "validate", "code": finding.rule, "message": finding.message}


def _held(held: Held) -> dict[str, Any]:
    return {
        "key": str(held.key),
        "rule": held.rule,
        "reason": held.reason,
        "candidates": [
            {
                "sys_id": candidate.sys_id,
                "name": candidate.name,
                "class": candidate.class_name,
                "serial_number": candidate.serial_number,
                "source": candidate.discovery_source,
            }
            for candidate in held.candidates
        ],
    }


def _links(outcome: LoadOutcome) -> dict[str, Any]:
    desired, plan = outcome.desired, outcome.plan
    if desired is None or plan is None:
        return {"wanted": 0, "linked": 0, "orphans": []}
    open_ends = [f for f in (*desired.orphans, *plan.findings) if f.rule.startswith("relation.")]
    undone = {s.change.subject for s in outcome.settlements if s.receipt.outcome is not Outcome.DONE}
    undone |= {link.subject for link in outcome.unlinked}
    written = {s.change.subject for s in outcome.settlements}
    pending = sum(1 for link in plan.links if link.subject in undone or link.subject not in written)
    orphans = [{"record": f.record, "message": f.message} for f in open_ends]
    return {"wanted": len(desired.relations), "linked": len(desired.relations) - pending, "orphans": orphans}

