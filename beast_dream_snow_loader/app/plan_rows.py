"""A plan as rows: field by field, what would be written and why."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from beast_dream_snow_loader.core.changes import Plan


def plan_rows(plan: Plan) -> Iterable[dict[str, Any]]:
    """One row per field of a CI, one per edge; ``old`` None where nothing is there yet, ``new`` None where an
    edge goes."""
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
    for unlink in plan.unlinks:
        yield {
            "change": "unlink",
            "record": str(unlink.known.parent),
            "class": "cmdb_rel_ci",
            "field": unlink.known.type,
            "old": str(unlink.known.child),
            "new": None,
            "reason": unlink.reason,
        }
