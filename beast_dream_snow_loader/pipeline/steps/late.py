"""Late: what the instance carries out after it was looked for, and before or when it is sent again.

To the engine a CI or an edge made so is then there like any other; to us it is one that we made.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from beast_dream_snow_loader.core.changes import Change, ChangeType, ItemChange, LinkChange, UnlinkChange
from beast_dream_snow_loader.core.content import content_of
from beast_dream_snow_loader.core.edited import BY_WHOM, by_another
from beast_dream_snow_loader.core.identity import SysId
from beast_dream_snow_loader.core.known import KnownState
from beast_dream_snow_loader.core.ports import JournalEntry, Settlement
from beast_dream_snow_loader.core.receipts import Operation, Receipt
from beast_dream_snow_loader.pipeline.steps.sightings import holds
from beast_dream_snow_loader.pipeline.world import World

_MADE = {ChangeType.CREATE: Operation.INSERTED, ChangeType.LINK: Operation.LINKED}
_AS_OTHERS = (Operation.UPDATED, Operation.UNCHANGED)


def as_late(world: World, known: KnownState, seen: Iterable[Settlement]) -> list[Settlement]:
    """Without those of which the ledger has come to know otherwise meanwhile, and with CIs that somebody else made
    meanwhile and our create has led to as what they are."""
    left = [one for one in seen if _still_of_use(one.change, known)]
    theirs = _made_by_others(world, [one.receipt for one in left if one.change.type is ChangeType.CREATE])
    return [_enriched(one) if one.receipt.sys_id in theirs else one for one in left]


def as_sent(world: World, seen: Iterable[Settlement], doubted: Sequence[JournalEntry]) -> list[Settlement]:
    """Creates that were sent more than once, and differently, with what the CI holds of them: a later one may not have
    been carried out."""
    seen, others = list(seen), _creates(doubted)
    several = [one for one in seen if any(_differs(one.change, other) for other in others.get(one.change.subject, ()))]
    if not several:
        return seen
    elements = {element for one in several for change in others[one.change.subject] for element in change.send}
    elements |= {element for one in several if isinstance(one.change, ItemChange) for element in one.change.send}
    stored = world.cmdb.read_back([one.receipt.sys_id for one in several if one.receipt.sys_id], sorted(elements))
    return [_as_held(one, others.get(one.change.subject, ()), stored) for one in seen]


def claimed(
    world: World, doubted: Mapping[str, ChangeType], changes: Iterable[Change], receipts: Sequence[Receipt]
) -> Sequence[Receipt]:
    """What is there when a ``doubted`` create or link is sent again was made by the first request: the engine found it
    by its native key, which nobody else gives, and the edge was not there when it was looked for."""
    again = {one.subject: one.type for one in changes if doubted.get(one.subject) is one.type}
    there = [one for one in receipts if one.operation in _AS_OTHERS and one.subject in again]
    theirs = _made_by_others(world, [one for one in there if again[one.subject] is ChangeType.CREATE])
    ours = {one.subject: _MADE[again[one.subject]] for one in there if one.sys_id not in theirs}
    return [replace(one, operation=ours[one.subject]) if one.subject in ours else one for one in receipts]


def made_anew(doubted: Iterable[JournalEntry]) -> Mapping[str, ChangeType]:
    """What :func:`claimed` may find, by subject."""
    return {entry.change.subject: entry.change.type for entry in doubted if entry.change.type in _MADE}


def _made_by_others(world: World, receipts: Sequence[Receipt]) -> Collection[SysId]:
    """Of these CIs those that one account made and another wrote last."""
    there = [one.sys_id for one in receipts if one.sys_id]
    stored = world.cmdb.read_back(there, BY_WHOM) if there else {}
    return {sys_id for sys_id, row in stored.items() if by_another(row)}


def _still_of_use(change: Change, known: KnownState) -> bool:
    """Whether the record stands in the ledger as it did when this was sent."""
    if isinstance(change, LinkChange):
        return change.subject not in known.relations
    if isinstance(change, UnlinkChange):
        now = known.relations.get(change.subject)
        return now is not None and now.sys_id == change.known.sys_id
    there = known.items.get(change.item.key)
    return (there and there.sys_id) == (change.known and change.known.sys_id)


def _differs(change: Change, other: ItemChange) -> bool:
    return change.type is ChangeType.CREATE and content_of(change) != content_of(other)


def _enriched(one: Settlement) -> Settlement:
    return replace(one, receipt=replace(one.receipt, operation=Operation.UPDATED))


def _creates(doubted: Iterable[JournalEntry]) -> Mapping[str, Sequence[ItemChange]]:
    found: dict[str, list[ItemChange]] = {}
    for entry in doubted:
        if isinstance(entry.change, ItemChange) and entry.change.type is ChangeType.CREATE:
            found.setdefault(entry.change.subject, []).append(entry.change)
    return found


def _as_held(one: Settlement, others: Sequence[ItemChange], stored: Mapping[SysId, Mapping[str, str]]) -> Settlement:
    row = stored.get(one.receipt.sys_id) if one.receipt.sys_id else None
    if row is None or not isinstance(one.change, ItemChange) or holds(row, one.change):
        return one
    held = [change for change in others if holds(row, change)]
    return replace(one, change=held[-1]) if held else one
