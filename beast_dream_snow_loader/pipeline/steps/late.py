"""Late: what the instance carries out after it was looked for, and before or when it is sent again.

To the engine a CI or an edge made so is then there like any other; to us it is one that we made.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from beast_dream_snow_loader.core.changes import UPDATING, Change, ChangeType, ItemChange, LinkChange, UnlinkChange
from beast_dream_snow_loader.core.content import content_of
from beast_dream_snow_loader.core.edited import BY_WHOM
from beast_dream_snow_loader.core.fingerprint import TIMESTAMPS
from beast_dream_snow_loader.core.identity import SysId
from beast_dream_snow_loader.core.known import KnownItem, KnownState
from beast_dream_snow_loader.core.ports import JournalEntry, Settlement
from beast_dream_snow_loader.core.receipts import Operation, Receipt
from beast_dream_snow_loader.pipeline.guard import AWAY, UNREADABLE
from beast_dream_snow_loader.pipeline.steps.edge_sightings import linked
from beast_dream_snow_loader.pipeline.steps.sightings import holds
from beast_dream_snow_loader.pipeline.world import Order, World

_MADE_BY = BY_WHOM[0]
_KNOWN_MAKERS = 50
"""CIs of ours that are asked who made them."""
_MADE = (ChangeType.CREATE, ChangeType.LINK)
_AS_OTHERS = (Operation.UPDATED, Operation.UNCHANGED)


def is_news(change: Change, known: KnownState) -> bool:
    """Whether the ledger would learn something by its being carried out: of what was sent again and done it knows."""
    if isinstance(change, LinkChange):
        return change.subject not in known.relations
    if isinstance(change, UnlinkChange):
        now = known.relations.get(change.subject)
        return now is not None and now.sys_id == change.known.sys_id
    there = known.items.get(change.item.key)
    same = (there and there.sys_id) == (change.known and change.known.sys_id)
    return same and (there is None or not _believed(change, there))


def _believed(change: ItemChange, there: KnownItem) -> bool:
    if change.type is ChangeType.RETIRE:
        return there.retired_at is not None
    sent = {element: value for element, value in change.send.items() if element not in TIMESTAMPS}
    return change.type in UPDATING and sent.items() <= there.written.items()


def as_made(world: World, known: KnownState, seen: Sequence[Settlement]) -> list[Settlement]:
    """With CIs that somebody else made meanwhile, and our create has led to, as what they are: enriched."""
    made = [one.receipt.sys_id for one in seen if one.change.type is ChangeType.CREATE and one.receipt.sys_id]
    theirs = _made_by_others(world, known, made)
    return [
        replace(one, receipt=replace(one.receipt, operation=Operation.UPDATED)) if one.receipt.sys_id in theirs else one
        for one in seen
    ]


def as_sent(world: World, seen: Sequence[Settlement], doubted: Sequence[JournalEntry]) -> list[Settlement]:
    """Creates that were sent more than once, and differently, with what the CI holds of them: a later one may not have
    been carried out."""
    creates = _creates(doubted)
    others = {one.change.subject: _others(one.change, creates) for one in seen if one.change.subject in creates}
    several = [one for one in seen if others.get(one.change.subject)]
    if not several:
        return list(seen)
    sent = [change for one in several for change in (one.change, *others[one.change.subject])]
    elements = sorted({element for change in sent if isinstance(change, ItemChange) for element in change.send})
    stored = world.cmdb.read_back([one.receipt.sys_id for one in several if one.receipt.sys_id], elements)
    return [_as_held(one, others.get(one.change.subject, ()), stored) for one in seen]


def made_anew(doubted: Sequence[JournalEntry]) -> Mapping[str, JournalEntry]:
    """What :func:`claimed` may find, by subject: the first that was sent."""
    return {entry.change.subject: entry for entry in reversed(doubted) if entry.change.type in _MADE}


def claimed(
    world: World,
    order: Order,
    doubted: Mapping[str, JournalEntry],
    changes: Sequence[Change],
    receipts: Sequence[Receipt],
) -> Sequence[Receipt]:
    """What is there when a ``doubted`` create or link is sent again, and was made by the first request, as made by us.
    As the engine says it where that cannot be told."""
    again = {c.subject for c in changes if c.subject in doubted and doubted[c.subject].change.type is c.type}
    there = {one.subject: one for one in receipts if one.operation in _AS_OTHERS and one.subject in again}
    if not there:
        return receipts
    told = {one.subject: one.sys_id for one in receipts}
    written = {c.item.key: sys_id for c in changes if isinstance(c, ItemChange) and (sys_id := told.get(c.subject))}
    links = [doubted[subject] for subject in there if isinstance(doubted[subject].change, LinkChange)]
    try:
        known = world.ledger.known()
        cis = [key for key in written if str(key) in there]
        theirs = _made_by_others(world, known, [written[key] for key in cis])
        drawn = linked(world, order, links, {**known.sys_ids, **written}, late=True)
    except (*AWAY, *UNREADABLE):
        return receipts
    ours = {str(key): Operation.INSERTED for key in cis if written[key] not in theirs}
    ours |= {one.receipt.subject: one.receipt.operation for one in drawn}
    return [replace(one, operation=ours.get(one.subject, one.operation)) for one in receipts]


def _made_by_others(world: World, known: KnownState, cis: Collection[SysId]) -> Collection[SysId]:
    """Those made by an account that has made none of the CIs known to be ours. None where that is not shown, or nothing
    is known yet."""
    ours = [item.sys_id for item in known.items.values() if item.created_by_us][:_KNOWN_MAKERS]
    if not ours or not cis:
        return ()
    rows = world.cmdb.read_back([*cis, *ours], (_MADE_BY,))
    made_by = {sys_id: row.get(_MADE_BY, "") for sys_id, row in rows.items()}
    accounts = {made_by.get(sys_id) for sys_id in ours} - {None, ""}
    return {sys_id for sys_id in cis if accounts and made_by.get(sys_id, "") not in {"", *accounts}}


def _creates(doubted: Iterable[JournalEntry]) -> Mapping[str, Sequence[ItemChange]]:
    """By record, oldest first."""
    found: dict[str, list[ItemChange]] = {}
    for entry in doubted:
        if isinstance(entry.change, ItemChange) and entry.change.type is ChangeType.CREATE:
            found.setdefault(entry.change.subject, []).append(entry.change)
    return found


def _others(change: Change, creates: Mapping[str, Sequence[ItemChange]]) -> list[ItemChange]:
    """Further creates of the record, other than this one."""
    if change.type is not ChangeType.CREATE:
        return []
    content = content_of(change)
    return [other for other in creates[change.subject] if content_of(other) != content]


def _as_held(one: Settlement, others: Sequence[ItemChange], stored: Mapping[SysId, Mapping[str, str]]) -> Settlement:
    row = stored.get(one.receipt.sys_id) if one.receipt.sys_id else None
    if row is None or not isinstance(one.change, ItemChange) or holds(row, one.change):
        return one
    held = [change for change in others if holds(row, change)]
    return replace(one, change=held[-1]) if held else one
