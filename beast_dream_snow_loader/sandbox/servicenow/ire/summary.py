"""Counts by class, on request (``generate_summary``)."""

from __future__ import annotations

from beast_dream_snow_loader.sandbox.servicenow.ire.outcome import Report

Counts = dict[str, int]
_COUNTED = {"INSERT": "inserted", "NO_CHANGE": "unchanged"}
_NAMES = (
    "inserted",
    "updated",
    "unchanged",
    "skipped",
    "errors",
    "warnings",
    "partial",
    "incomplete",
    "additionalInserted",
    "mergedPartialPayloads",
)


def summary(report: Report) -> dict[str, Counts]:
    """By class of the items and of what came along with them."""
    told: dict[str, Counts] = {}
    for outcome in report.items:
        counts = _of(told, outcome.class_name)
        counts["warnings"] += len(outcome.warnings)
        if outcome.put_aside == "INSERT_AS_PARTIAL":
            counts["partial"] += 1
        elif outcome.failed:
            counts["errors"] += 1
            counts["incomplete"] += bool(outcome.put_aside)
        else:
            counts[_COUNTED.get(outcome.operation, "updated")] += 1
            counts["mergedPartialPayloads"] += len(outcome.item.merged_ids)
        for sub in outcome.subs:
            _of(told, sub.sub.class_name)[_COUNTED.get(sub.operation, "updated")] += 1
    return told


def _of(told: dict[str, Counts], class_name: str) -> Counts:
    return told.setdefault(class_name, dict.fromkeys(_NAMES, 0))
