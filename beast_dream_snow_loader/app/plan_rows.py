"""A plan as plain values: what would be written to which record, field by field, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from beast_dream_snow_loader.core.changes import (
    Change,
    ChangeType,
    FieldChange,
    ItemChange,
    LinkChange,
    Plan,
    UnlinkChange,
)
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.core.known import KnownItem

_REASONS = {
    ChangeType.CREATE: "no CI is this record yet",
    ChangeType.UPDATE: "fields differ",
    ChangeType.HEARTBEAT: "nothing changed; a sign of life is due",
    ChangeType.RETIRE: "gone from UniFi for longer than the grace period",
    ChangeType.RESTORE: "the run that changed it is undone",
    ChangeType.DELETE: "the run that made it is undone",
}
_FIRST_TOUCH = (ChangeType.UPDATE, ChangeType.HEARTBEAT)


def plan_rows(plan: Plan) -> Iterable[dict[str, Any]]:
    """One row per field of a CI, one per edge; ``old`` None where nothing is there yet, ``new`` None where an
    edge goes."""
    for change in plan_changes(plan):
        shared = {"change": change["change"], "record": change["record"], "class": change["class"]}
        for field in change["fields"]:
            yield {**shared, **{name: field[name] for name in ("field", "old", "new", "reason")}}


def plan_changes(plan: Plan) -> Iterator[dict[str, Any]]:
    """One entry per record and edge, each with its fields; edges come last, as they are written."""
    names = {change.item.key: _name(change) for change in (*plan.items, *plan.carriers.values())}
    for change in (*plan.items, *plan.retirements):
        yield _item(change)
    for link in (*plan.links, *plan.client_links):
        yield _link(link, names)
    for unlink in plan.unlinks:
        yield _unlink(unlink, names)


def told_change(change: Change) -> dict[str, Any]:
    """One change on its own, as :func:`plan_changes` has it."""
    if isinstance(change, ItemChange):
        return _item(change)
    return _link(change, {}) if isinstance(change, LinkChange) else _unlink(change, {})


def class_changes(plan: Plan) -> Iterator[dict[str, Any]]:
    """CIs that would be moved to another class."""
    for change in plan.items:
        known = change.known
        if known is not None and known.class_name and known.class_name != change.item.class_name:
            yield {"record": change.subject, "sys_id": known.sys_id, "old": known.class_name, **_new_class(change)}


def _new_class(change: ItemChange) -> dict[str, str]:
    return {"new": change.item.class_name, "name": change.item.label or change.item.name}


def _item(change: ItemChange) -> dict[str, Any]:
    item, known = change.item, change.known
    meanings = {reference.element: reference.describe for reference in item.references}
    return {
        "change": change.type.value,
        "record": change.subject,
        "name": _name(change),
        "kind": item.kind,
        "console": item.lane,
        "site": item.site,
        "class": item.class_name,
        "sys_id": known.sys_id if known else None,
        "weak": bool(known and known.weak),
        "reason": _reason(change, known),
        "fields": [_field(field, meanings.get(field.element, "")) for field in change.fields or _whole(change)],
    }


def _whole(change: ItemChange) -> tuple[FieldChange, ...]:
    """A CI that goes is told by what it goes by."""
    if change.type is not ChangeType.DELETE or change.known is None:
        return ()
    return (FieldChange(element="sys_id", old=change.known.sys_id, new="", reason=_REASONS[ChangeType.DELETE]),)


def _name(change: ItemChange) -> str:
    return change.item.name or (change.known.written.get("name", "") if change.known else "")


def _field(field: FieldChange, means: str) -> dict[str, Any]:
    told = {"field": field.element, "old": field.old, "new": field.new, "reason": field.reason}
    return {**told, "means": means} if means else told


def _reason(change: ItemChange, known: KnownItem | None) -> str:
    if change.type in _FIRST_TOUCH and known is not None and known.written_at is None:
        doubt = ", on little evidence" if known.weak else ""
        return f"the CMDB has it already{doubt}: taken as ours, enriched from now on"
    if change.type is ChangeType.HEARTBEAT and known is not None and known.keyless:
        return "its native key was deleted from sys_object_source: it is written again"
    if change.type is ChangeType.HEARTBEAT and known is not None and change.adapter and not known.adapter:
        return "mapping.write_adapters is on and its adapter was not written yet"
    return _REASONS[change.type]


def _link(change: LinkChange, names: Mapping[SourceKey, str]) -> dict[str, Any]:
    relation = change.relation
    field = {"field": relation.type, "old": None, "new": str(relation.child), "reason": relation.role.value}
    reason = f"its {relation.role.value} edge is not there yet"
    return _edge("link", relation.parent, relation.child, names, field, reason)


def _unlink(change: UnlinkChange, names: Mapping[SourceKey, str]) -> dict[str, Any]:
    known = change.known
    field = {"field": known.type, "old": str(known.child), "new": None, "reason": change.reason}
    return _edge("unlink", known.parent, known.child, names, field, change.reason)


def _edge(
    change: str,
    parent: SourceKey,
    child: SourceKey,
    names: Mapping[SourceKey, str],
    field: dict[str, Any],
    reason: str,
) -> dict[str, Any]:
    return {
        "change": change,
        "record": str(parent),
        "name": names.get(parent, ""),
        "class": "cmdb_rel_ci",
        "far_name": names.get(child, ""),
        "reason": reason,
        "fields": [field],
    }
