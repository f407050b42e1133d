"""CIs of ours that are about to be renamed, and whose names those are already (cmdb-model 2.4, guard 1)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from beast_dream_snow_loader.core.changes import ChangeType, Plan
from beast_dream_snow_loader.core.desired import DesiredState
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.identity import SourceKey, SysId
from beast_dream_snow_loader.core.known import KnownState
from beast_dream_snow_loader.core.names import without
from beast_dream_snow_loader.core.shown import shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A name that a CI of ours was to have, and the CI that has it."""

    name: str
    sys_id: SysId


def unasked(plan: Plan, asked: Collection[str]) -> dict[SourceKey, str]:
    """The new names that the plan gives to CIs that are there, but for those asked about."""
    return {key: name for key, name in _renames(plan).items() if name not in asked}


def names_taken(
    holders: Mapping[str, Sequence[SysId]], plan: Plan, known: KnownState, names: Mapping[SourceKey, str]
) -> dict[SourceKey, Taken]:
    """``holders`` are the CIs that have these names, in lower case. One of ours that this plan renames gives its own
    up: two devices may change names."""
    leaving = {known.items[key].sys_id for key in _renames(plan) if key in known.items}
    found: dict[SourceKey, Taken] = {}
    for key, name in names.items():
        staying = [sys_id for sys_id in holders.get(name.casefold(), ()) if sys_id not in leaving]
        if staying:
            found[key] = Taken(name=name, sys_id=staying[0])
    return found


def renamed(desired: DesiredState, taken: Mapping[SourceKey, Taken]) -> DesiredState:
    """These records go on to a form of their names that is not taken."""
    names = {one.name.casefold() for one in taken.values()}
    items = {key: without(item, names) if key in taken else item for key, item in desired.items.items()}
    return replace(desired, items=items)


def told(desired: DesiredState, taken: Mapping[SourceKey, Taken]) -> Iterator[Finding]:
    for key, one in taken.items():
        label = (desired.items[key].label if key in desired.items else "") or str(key)
        message = (
            f"{label}: its name {shown(one.name, 60)} is that of another CI (sys_id {one.sys_id}). Another form of the "
            "name is used."
        )
        yield Finding(record=str(key), rule="name.taken", severity=Severity.WARNING, message=message, field="name")


def _renames(plan: Plan) -> dict[SourceKey, str]:
    return {
        change.item.key: field.new
        for change in plan.items
        if change.type is ChangeType.UPDATE
        for field in change.fields
        if field.element == "name" and field.new.casefold() != (field.old or "").casefold()
    }
