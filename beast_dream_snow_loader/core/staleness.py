"""Whether a saved plan still fits: what is as the plan saw it is applied, everything else is refused by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from beast_dream_snow_loader.core.changes import Change, ChangeType, ItemChange, Lane, LinkChange, Plan, UnlinkChange
from beast_dream_snow_loader.core.desired import Ownership
from beast_dream_snow_loader.core.identity import SourceKey, SysId
from beast_dream_snow_loader.core.known import KnownState
from beast_dream_snow_loader.core.matching import Match, MatchedBy
from beast_dream_snow_loader.core.planner import carrier
from beast_dream_snow_loader.core.saved_plan import CLASS, MOD_COUNT, SavedPlan, Seen
from beast_dream_snow_loader.core.shown import shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """How things stand when a saved plan is to be applied.

    ``known`` is the ledger, ``stored`` the CIs by sys_id, ``owners`` the CIs behind native keys, ``matches`` what the
    engine says of the records to be created, ``done`` the subjects that this very plan has brought about before.
    """

    known: KnownState
    stored: Mapping[SysId, Mapping[str, str]] = field(default_factory=dict)
    owners: Mapping[SourceKey, tuple[SysId, ...]] = field(default_factory=dict)
    matches: Mapping[SourceKey, Match] = field(default_factory=dict)
    done: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stale:
    """A change that no longer fits. ``record`` is the source key it would have been written for."""

    record: str
    subject: str
    change: ChangeType
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewed:
    """``plan`` is what is left to do; ``done`` counts changes made by an earlier run of the same plan."""

    plan: Plan
    stale: tuple[Stale, ...]
    done: int


def renew(saved: SavedPlan, present: Present, ownership: Mapping[str, Ownership]) -> Renewed:
    """What of a saved plan still holds. A record whose CI has changed gets nothing at all, neither fields nor edges."""
    bad = dict(_bad(saved, present))
    stale = [_stale(change, bad) for change in _every(saved) if _left(change, present) and _touches(change, bad)]
    kept = [change for change in _every(saved) if _left(change, present) and not _touches(change, bad)]
    subjects = {change.subject for change in kept}
    lanes = tuple(
        Lane(name=lane.name, items=items)
        for lane in saved.lanes
        if (items := tuple(change for change in lane.items if change.subject in subjects))
    )
    links = tuple(link for link in saved.links if link.subject in subjects)
    plan = Plan(
        lanes=lanes,
        links=links,
        client_links=tuple(link for link in saved.client_links if link.subject in subjects),
        unlinks=tuple(unlink for unlink in saved.unlinks if unlink.subject in subjects),
        retirements=tuple(change for change in saved.retirements if change.subject in subjects),
        carriers=_carriers(saved, links, present, ownership),
    )
    done = sum(1 for change in _every(saved) if not _left(change, present))
    return Renewed(plan=plan, stale=tuple(stale), done=done)


def _every(saved: SavedPlan) -> Iterator[Change]:
    yield from saved.items
    yield from saved.links
    yield from saved.client_links
    yield from saved.unlinks


def _left(change: Change, present: Present) -> bool:
    """False for what this plan did before, and for edges that are as they should be."""
    if change.subject in present.done:
        return False
    if isinstance(change, LinkChange):
        return change.subject not in present.known.standing.relations
    return not isinstance(change, UnlinkChange) or change.subject in present.known.relations


def _ends(change: Change) -> tuple[SourceKey, ...]:
    if isinstance(change, ItemChange):
        return (change.item.key,)
    edge = change.relation if isinstance(change, LinkChange) else change.known
    return (edge.parent, edge.child)


def _touches(change: Change, bad: Mapping[SourceKey, str]) -> bool:
    return any(end in bad for end in _ends(change))


def _stale(change: Change, bad: Mapping[SourceKey, str]) -> Stale:
    end = next(end for end in _ends(change) if end in bad)
    reason = bad[end] if isinstance(change, ItemChange) else f"{end}: {bad[end]}"
    return Stale(record=str(end), subject=change.subject, change=change.type, reason=reason)


def _bad(saved: SavedPlan, present: Present) -> Iterator[tuple[SourceKey, str]]:
    """Records that are no longer as the plan saw them, with the reason."""
    seen = {one.key: one for one in saved.seen}
    for change in (*saved.carriers, *saved.items):
        if str(change.item.key) in present.done:
            continue
        creates = change.type is ChangeType.CREATE
        reason = _taken(change, present) if creates else _moved_on(change, seen.get(change.item.key), present)
        if reason:
            yield change.item.key, reason


def _taken(change: ItemChange, present: Present) -> str:
    """Why a record is no longer new."""
    key = change.item.key
    if key in present.known.items:
        return "another run has written it since"
    if present.owners.get(key):
        return f"a CI carries its native key now (sys_id {present.owners[key][0]})"
    match = present.matches.get(key)
    if match is None or match.by is MatchedBy.NOTHING:
        return ""
    if match.by is MatchedBy.REFUSED:
        return f"the identification engine would not take it now ({shown(match.message or match.code)})"
    return f"the engine takes it for a CI that is there now ({', '.join(match.sys_ids) or match.by.value})"


def _moved_on(change: ItemChange, seen: Seen | None, present: Present) -> str:
    """Why a CI is no longer the one the plan was made for."""
    then, now = change.known, present.known.items.get(change.item.key)
    if then is not None and (now.written_at if now else None) != then.written_at:
        return "another run has written it since"
    if change.type is ChangeType.RETIRE and now is not None and now.missing_since is None:
        return "UniFi has shown it again since"
    if seen is None:
        return "it could not be read when the plan was made"
    others = [sys_id for sys_id in present.owners.get(change.item.key, ()) if sys_id != seen.sys_id]
    if others:
        return f"its native key is on another CI now (sys_id {others[0]})"
    row = present.stored.get(seen.sys_id)
    return "the CI is no longer there" if row is None else _differs(seen, row)


def _differs(seen: Seen, row: Mapping[str, str]) -> str:
    changed = sorted(element for element, value in seen.values.items() if row.get(element, "") != value)
    if row.get(CLASS, "") != seen.class_name:
        changed.append(CLASS)
    if changed:
        return f"changed in the CMDB since: {', '.join(changed)}"
    if row.get(MOD_COUNT, "") != seen.mod_count:
        return f"the CMDB has updated it since ({MOD_COUNT} {seen.mod_count} → {row.get(MOD_COUNT, '')})"
    return ""


def _carriers(
    saved: SavedPlan, links: tuple[LinkChange, ...], present: Present, ownership: Mapping[str, Ownership]
) -> dict[SourceKey, ItemChange]:
    """As saved; but what an earlier run of this plan wrote is carried as the ledger has it now."""
    carriers = {change.item.key: change for change in saved.carriers}
    ends = {end for link in links for end in _ends(link)}
    for change in saved.items:
        key = change.item.key
        known = present.known.items.get(key)
        if key in ends and change.subject in present.done and known is not None:
            known = replace(known, stored=present.stored.get(known.sys_id))
            carriers[key] = carrier(change.item, known, ownership)
    return {key: change for key, change in carriers.items() if key in ends}
