"""CIs of the base class, which the engine never saw: their correlation id tells who they are, and nothing else; their
serial number warns."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from typing import Protocol

from beast_dream_snow_loader.core.desired import ConfigItem
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.identity import SourceKey, SysId, parse_sys_id
from beast_dream_snow_loader.core.known import Candidate, Held, KnownItem, KnownRelation
from beast_dream_snow_loader.core.mapping_tables import BASE_CLASS
from beast_dream_snow_loader.errors import SnowloadError
from beast_dream_snow_loader.pipeline.guard import UNREADABLE
from beast_dream_snow_loader.pipeline.world import World


class Found(Protocol):
    """What recognising fills in."""

    base: set[SourceKey]
    accepted: dict[SourceKey, KnownItem]
    held: dict[SourceKey, Held]


def in_base_class(
    world: World, items: Sequence[ConfigItem], taken: MutableMapping[SysId, SourceKey], found: Found
) -> None:
    """Each is the CI that carries its key, or new. Where another CI has its serial number it is held: only the engine
    may take over what belongs to others. Raises what reading raises."""
    if not items:
        return
    there = world.cmdb.find_base([item.key for item in items])
    serials = {serial for item in items if item.key not in there and (serial := _serial(item))}
    try:
        others = world.cmdb.by_serial(serials, anywhere=True) if serials else {}
    except UNREADABLE as error:
        others = {}
        found.held |= {item.key: _unchecked(item, error) for item in items if _serial(item) in serials}
    seen = [row.sys_id for rows in there.values() if len(rows) == 1 for row in rows]
    elements = sorted({element for item in items for element in item.values})
    stored = world.cmdb.candidates([*seen, *(sys_id for ids in others.values() for sys_id in ids)], elements)
    for item in items:
        rows = there.get(item.key, ())
        doubles = others.get(_serial(item).upper(), ())
        found.base.add(item.key)
        if len(rows) > 1:
            found.held[item.key] = _held(item, "base.several", f"{len(rows)} CIs carry its correlation id", rows)
        elif rows:
            _accept(item, stored.get(rows[0].sys_id, rows[0]), taken, found)
        elif doubles:
            named = tuple(stored[sys_id] for sys_id in doubles if sys_id in stored)
            reason = "a CI with its serial number is there, and only the identification engine may take that over"
            found.held[item.key] = _held(item, "base.exists", reason, named)


def elsewhere(item: ConfigItem, mine: SysId, candidate: Candidate | None) -> Held:
    """A CI of the base class cannot move up into a class where another CI is the same device already."""
    reason = f"it is the cmdb_ci with sys_id …{mine[-4:]} and matches another CI too"
    return _held(item, "base.double", reason, (candidate,) if candidate else ())


def _accept(item: ConfigItem, row: Candidate, taken: MutableMapping[SysId, SourceKey], found: Found) -> None:
    sys_id = parse_sys_id(row.sys_id)
    if sys_id is None:
        return
    taken[sys_id] = item.key
    found.accepted[item.key] = KnownItem(
        key=item.key,
        sys_id=sys_id,
        class_name=row.class_name or BASE_CLASS,
        created_by_us=row.class_name == BASE_CLASS,
        stored=row.values or None,
    )


def _serial(item: ConfigItem) -> str:
    return item.values.get("serial_number", "")


def _unchecked(item: ConfigItem, error: SnowloadError) -> Held:
    reason = f"whether a CI with its serial number is there already cannot be read ({error.message})"
    return _held(item, "base.unchecked", reason, ())


def _held(item: ConfigItem, rule: str, reason: str, candidates: Sequence[Candidate]) -> Held:
    return Held(key=item.key, rule=rule, reason=reason, candidates=tuple(candidates))


def doubles_in_base(world: World, keys: Sequence[SourceKey]) -> tuple[Finding, ...]:
    """Those that are there more than once, which the Table API cannot rule out: one request."""
    return tuple(_double(key, rows) for key, rows in world.cmdb.find_base(keys).items() if len(rows) > 1)


def _double(key: SourceKey, rows: Sequence[Candidate]) -> Finding:
    ends = ", ".join(f"…{row.sys_id[-4:]}" for row in rows)
    message = (
        f"{len(rows)} CIs carry its correlation id (sys_ids {ends}). The Table API cannot rule that out; "
        "set duplicate_of on all but one, then run `snowload load` again."
    )
    return Finding(record=str(key), rule="base.duplicate", severity=Severity.ERROR, message=message)


def double_edges(world: World, edges: Sequence[KnownRelation]) -> tuple[Finding, ...]:
    """Relations that are there more than once, for the same reason; they are read together."""
    return tuple(_double_edge(key, rows) for key, rows in world.cmdb.edges_between(edges).items() if len(rows) > 1)


def _double_edge(key: str, rows: Sequence[SysId]) -> Finding:
    ends = ", ".join(f"…{row[-4:]}" for row in rows)
    message = (
        f"The relation is there {len(rows)} times (sys_ids {ends}). The Table API cannot rule that out; delete all but "
        "one from cmdb_rel_ci."
    )
    return Finding(record=key, rule="relation.duplicate", severity=Severity.WARNING, message=message)
