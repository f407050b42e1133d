"""What is wrong with the data, record by record: of the newest load that looked at it (R8.2, R8.3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from beast_dream_snow_loader.core.buckets import Bucket
from beast_dream_snow_loader.core.digest import BY_HAND
from beast_dream_snow_loader.core.told import rows, section

MOST = 200
"""Records told of one kind; the run itself has all of them."""

ORPHANED = frozenset(
    {"relation.orphan", "relation.end_missing", "relation.end_held", "relation.end_parked", "relation.end_dropped",
     "link.end_missing", "link.end_refused", "link.end_unknown", "client.no_ci", "client.several_cis"}
)  # fmt: skip
DOUBLE = frozenset({"identity.shared", "serial.shared", "base.duplicate", "base.double", "device.twice",
                    "binding.duplicate", "unlink.shared"})  # fmt: skip


def quality(run_id: str | None, told: Mapping[str, Any]) -> dict[str, Any]:
    """Of one load, by its report: each group with its records, the first :data:`MOST`, and how many there are."""
    findings = rows(told, "findings", "rule", "severity")
    groups = {
        "issues": [_issue(one) for one in findings if one["severity"] != "info" and _elsewhere(one["rule"])],
        "orphans": [_issue(one) for one in findings if one["rule"] in ORPHANED],
        "duplicates": [_issue(one) for one in findings if one["rule"] in DOUBLE],
        "hand_edits": [_issue(one) for one in findings if one["rule"] in BY_HAND],
        "held": [_held(one) for one in rows(told, "held")],
        "failed": [_failed(one) for one in rows(told, "failed", "key")],
        "parked": [_failed(one) for one in rows(told, "parked", "key")],
    }
    return {
        "run_id": run_id,
        "links": dict(section(told, "links")),
        "verify": dict(section(told, "verify")),
        "counts": {name: len(group) for name, group in groups.items()},
        **{name: group[:MOST] for name, group in groups.items()},
    }


def _elsewhere(rule: str) -> bool:
    return rule not in ORPHANED | DOUBLE | BY_HAND


def rules_over(buckets: Iterable[Bucket]) -> list[dict[str, Any]]:
    """How often each rule was told of in all runs, most often first."""
    counted: Counter[str] = Counter()
    for one in buckets:
        counted.update(one.rules)
    return [{"rule": rule, "count": count} for rule, count in sorted(counted.items(), key=_most)]


def _most(counted: tuple[str, int]) -> tuple[int, str]:
    return -counted[1], counted[0]


def _issue(finding: Mapping[str, Any]) -> dict[str, Any]:
    return {name: finding.get(name, "") for name in ("record", "field", "rule", "severity", "message", "value")}


def _held(record: Mapping[str, Any]) -> dict[str, Any]:
    names = {"record": "key", "rule": "rule", "message": "reason", "next_step": "next_step"}
    return {name: record.get(told, "") for name, told in names.items()}


def _failed(record: Mapping[str, Any]) -> dict[str, Any]:
    return {"record": record["key"], **{name: record.get(name, "") for name in ("change", "code", "message")}}
