"""The rows of a run's document: findings, records, steps, breakers, consoles shown from memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from beast_dream_snow_loader.clock import rfc3339
from beast_dream_snow_loader.core.events import BreakerChanged, StepFinished
from beast_dream_snow_loader.core.findings import Finding
from beast_dream_snow_loader.core.known import Candidate, Held
from beast_dream_snow_loader.core.observed import Snapshot
from beast_dream_snow_loader.core.parking import remedy
from beast_dream_snow_loader.core.ports import JournalEntry, Settlement
from beast_dream_snow_loader.core.shown import shown


def stale_consoles(snapshot: Snapshot | None) -> list[dict[str, Any]]:
    """What stands in for each console that could not be read (R6.3)."""
    return [
        {
            "console": one.console,
            "name": shown(one.name),
            "taken_at": rfc3339(one.taken_at),
            "age_seconds": one.seconds,
            "complete": one.complete,
            "lacks": list(one.lacks),
            "devices": one.devices,
            "clients": one.clients,
            "reason": shown(one.why, 500),
            "cloud_only": one.cloud_only,
        }
        for one in (snapshot.aged if snapshot is not None else ())
    ]


def source_counts(snapshot: Snapshot | None) -> dict[str, int]:
    kinds = ("consoles", "sites", "devices", "clients")
    return {kind: len(getattr(snapshot, kind)) if snapshot is not None else 0 for kind in kinds}


def told_finding(finding: Finding) -> dict[str, str]:
    """Its row in a document."""
    return {
        "record": finding.record,
        "field": finding.field,
        "rule": finding.rule,
        "severity": str(finding.severity),
        "message": finding.message,
        "value": finding.value,
    }


def told_failure(settlement: Settlement) -> dict[str, str]:
    receipt = settlement.receipt
    return {
        "key": receipt.subject,
        "change": str(settlement.change.type),
        "code": receipt.code,
        "message": shown(receipt.message, 500),
    }


def told_breakers(told: Sequence[BreakerChanged]) -> dict[str, Any]:
    names = ("name", "before", "after", "reason", "seconds", "by_hand")
    standing = ("name", "reason", "seconds", "by_hand")
    changes = [one for one in told if not one.standing]
    return {
        "opened": sum(change.after == "open" for change in changes),
        "changes": [{name: getattr(one, name) for name in names} for one in changes],
        "standing": [{name: getattr(one, name) for name in standing} for one in told if one.standing],
    }


def told_held(record: Held) -> dict[str, Any]:
    return {
        "key": str(record.key),
        "rule": record.rule,
        "reason": record.reason,
        "next_step": record.next_step,
        "candidates": [told_candidate(candidate) for candidate in record.candidates],
    }


def told_letter(entry: JournalEntry) -> dict[str, Any]:
    """A dead letter: what it was to do, why it is parked, what a person can do."""
    return {
        "id": entry.id,
        "key": entry.change.subject,
        "change": str(entry.change.type),
        "code": entry.code,
        "message": shown(entry.message, 500),
        "attempts": entry.attempts,
        "since": rfc3339(entry.settled_at) if entry.settled_at is not None else None,
        "next_step": remedy(entry.code, entry.id),
    }


def told_candidate(candidate: Candidate) -> dict[str, str]:
    """An existing CI as documents tell of it."""
    return {
        "sys_id": candidate.sys_id,
        "name": shown(candidate.name),
        "class": candidate.class_name,
        "serial_number": shown(candidate.serial_number),
        "mac_address": shown(candidate.mac_address),
        "ip_address": shown(candidate.ip_address),
        "discovery_source": shown(candidate.discovery_source),
    }


def told_step(step: StepFinished) -> dict[str, Any]:
    return {"name": step.step, "duration_seconds": round(step.seconds, 3), "records": step.records}
