"""Look up: what became of writes without an answer, before anything is repeated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from beast_dream_snow_loader.core.audit import swept_deed
from beast_dream_snow_loader.core.changes import UPDATING, Change, ChangeType, ItemChange, LinkChange, UnlinkChange
from beast_dream_snow_loader.core.client_links import as_drawn
from beast_dream_snow_loader.core.comparing import same
from beast_dream_snow_loader.core.fingerprint import TIMESTAMPS
from beast_dream_snow_loader.core.healing import MOD_COUNT, count_of
from beast_dream_snow_loader.core.identity import SourceKey, SysId, parse_sys_id
from beast_dream_snow_loader.core.known import KnownItem, KnownRelation
from beast_dream_snow_loader.core.mapping_tables import BASE_CLASS
from beast_dream_snow_loader.core.parking import NOT_FOUND
from beast_dream_snow_loader.core.ports import JournalEntry, Settlement
from beast_dream_snow_loader.core.receipts import Operation, Outcome, Receipt
from beast_dream_snow_loader.core.status import DECIDED, decided
from beast_dream_snow_loader.pipeline.steps.quarantine import doubtful, waited
from beast_dream_snow_loader.pipeline.world import Order, World

CLOCKS_APART = timedelta(minutes=5)
"""How much the instance's clock may be behind ours."""


def settle_unknown(world: World, order: Order) -> Sequence[Settlement]:
    """Look up what was sent without an answer, before anything is repeated; once more after a pause where the instance
    may still be at it and a late insert would be a double. Asked to stop meanwhile, that is left to the next run.

    A create whose CI is there by its native key was done, so was an update whose CI holds every value that was sent, a
    retirement whose CI says Retired, a deletion whose CI is gone, an unlink whose edge is gone, and a link whose edge
    is there and was not before. Everything else is queued: a plan or a replay sends it if it is still needed. A create
    or an update that was queued so, and is seen after all, was carried out late.
    """
    return [*settle_late(world, order, world.journal.doubted()), *_settle_open(world, order)]


def settle_late(world: World, order: Order, doubted: Sequence[JournalEntry]) -> Sequence[Settlement]:
    """Creates and updates that were looked for in vain, and were carried out after all. What waits longer than the
    instance may still be at it says nothing by how often the CI was written since: then it was by others."""
    done = [*_created(world, order, doubted), *_updated(world, doubted, late=True)] if doubted else []
    world.journal.settle(order.run_id, done)
    return done


def _settle_open(world: World, order: Order) -> Sequence[Settlement]:
    entries = world.journal.unknown()
    if not entries:
        return ()
    found, left = _found_done(world, order, entries)
    late = doubtful(world, order, left)
    if waited(world, order, late):
        again, late = _found_done(world, order, late)
        found += again
        gone = {settlement.receipt.subject for settlement in again}
        left = [entry for entry in left if entry.change.subject not in gone]
    elif world.stopping():
        subjects = {entry.change.subject for entry in late}
        left = [entry for entry in left if entry.change.subject not in subjects]
    rest = [_queued(entry.change) for entry in left]
    world.journal.settle(order.run_id, rest)
    return [*found, *rest]


def _found_done(
    world: World, order: Order, entries: Sequence[JournalEntry]
) -> tuple[list[Settlement], list[JournalEntry]]:
    """What is seen to have happened, settled, and the entries of which nothing is seen. Edges after their ends."""
    found = [*_settled(world, order, entries), *_unlinked(world, entries), *_connected(world, entries)]
    world.journal.settle(order.run_id, found)
    left = _without(entries, found)
    drawn = _linked(world, left)
    world.journal.settle(order.run_id, drawn)
    return [*found, *drawn], _without(left, drawn)


def _without(entries: Sequence[JournalEntry], settled: Sequence[Settlement]) -> list[JournalEntry]:
    done = {settlement.receipt.subject for settlement in settled}
    return [entry for entry in entries if entry.change.subject not in done]


def _linked(world: World, entries: Sequence[JournalEntry]) -> list[Settlement]:
    """Edges that are there and are no older than our intent were drawn by us. An older one was there before: it is
    sent once more, which changes nothing and says so."""
    links = {entry.change.subject: entry.change for entry in entries if isinstance(entry.change, LinkChange)}
    if not links:
        return []
    known = world.ledger.known().items
    wanted = [edge for link in links.values() if (edge := _between_ours(link, known)) is not None]
    since = min(entry.intended_at for entry in entries) - CLOCKS_APART
    there = world.cmdb.find_edges(wanted, since) if wanted else {}
    return [Settlement(change=links[key], receipt=_drawn(links[key], sys_id)) for key, sys_id in there.items()]


def _between_ours(link: LinkChange, known: Mapping[SourceKey, KnownItem]) -> KnownRelation | None:
    relation = link.relation
    parent, child = known.get(relation.parent), known.get(relation.child)
    if parent is None or child is None:
        return None
    return KnownRelation(
        relation_key=relation.key,
        parent=relation.parent,
        child=relation.child,
        type=relation.type,
        parent_sys_id=parent.sys_id,
        child_sys_id=child.sys_id,
    )


def _queued(change: Change) -> Settlement:
    receipt = Receipt(
        subject=change.subject,
        outcome=Outcome.LATER,
        code=NOT_FOUND,
        message="it was sent without an answer and has not happened",
    )
    return Settlement(change=change, receipt=receipt)


def _settled(world: World, order: Order, entries: Sequence[JournalEntry]) -> list[Settlement]:
    created = [*_created(world, order, entries)]
    return [*created, *_updated(world, entries), *_retired(world, entries), *_deleted(world, order, entries)]


def _created(world: World, order: Order, entries: Sequence[JournalEntry]) -> Iterator[Settlement]:
    """By native key; what was or may have been written without the engine by its correlation id."""
    fallen = world.memory.fallen(order.target)
    creates = [e for e in entries if isinstance(e.change, ItemChange) and e.change.type is ChangeType.CREATE]
    changes = [entry.change for entry in creates if isinstance(entry.change, ItemChange)]
    there = world.cmdb.find([change.item.key for change in changes]) if changes else {}
    fell = {entry.change.subject for entry in creates if entry.run_id == fallen}
    maybe = [c.item.key for c in changes if c.item.class_name == BASE_CLASS or c.subject in fell]
    based = world.cmdb.find_base(maybe) if maybe else {}
    for change in changes:
        rows = based.get(change.item.key, ())
        if len(rows) == 1 and (sys_id := parse_sys_id(rows[0].sys_id)) is not None:
            found = _found(change, sys_id, Operation.INSERTED)
            yield Settlement(change=change, receipt=replace(found, class_name=rows[0].class_name or found.class_name))
        elif not rows and len(sys_ids := there.get(change.item.key, ())) == 1:
            yield Settlement(change=change, receipt=_found(change, sys_ids[0], Operation.INSERTED))


def _unlinked(world: World, entries: Sequence[JournalEntry]) -> list[Settlement]:
    unlinks = [entry.change for entry in entries if isinstance(entry.change, UnlinkChange)]
    there = world.cmdb.find_edges([change.known for change in unlinks]) if unlinks else {}
    return [
        Settlement(change=change, receipt=_gone(change)) for change in unlinks if change.known.relation_key not in there
    ]


def _connected(world: World, entries: Sequence[JournalEntry]) -> list[Settlement]:
    changes = (entry.change for entry in entries)
    links = [change for change in changes if isinstance(change, LinkChange) and change.lower_sys_id is not None]
    devices = world.ledger.known().items if links else {}
    drawn = [as_drawn(link, devices) for link in links if link.relation.upper in devices]
    there = world.cmdb.find_edges(drawn) if drawn else {}
    return [
        Settlement(change=link, receipt=_drawn(link, there[link.subject])) for link in links if link.subject in there
    ]


def _drawn(link: LinkChange, sys_id: SysId) -> Receipt:
    return Receipt(
        subject=link.subject,
        outcome=Outcome.DONE,
        operation=Operation.LINKED,
        sys_id=sys_id,
        message="found by its ends after an interrupted run",
    )


def _gone(change: UnlinkChange) -> Receipt:
    return Receipt(
        subject=change.subject,
        outcome=Outcome.DONE,
        operation=Operation.UNLINKED,
        message="found gone after an interrupted run",
    )


def _retired(world: World, entries: Sequence[JournalEntry]) -> list[Settlement]:
    changes = [e.change for e in entries if isinstance(e.change, ItemChange) and e.change.type is ChangeType.RETIRE]
    ids = {change.subject: change.known.sys_id for change in changes if change.known is not None}
    stored = world.cmdb.read_back(ids.values(), DECIDED) if ids else {}
    return [
        Settlement(change=change, receipt=_found(change, ids[change.subject], Operation.UPDATED))
        for change in changes
        if decided(change.send).items() <= stored.get(ids[change.subject], {}).items()
    ]


def _updated(world: World, entries: Sequence[JournalEntry], *, late: bool = False) -> list[Settlement]:
    """Not known to be ours, these values would be a person's to the next plan, and stay for good."""
    changes = [e.change for e in entries if isinstance(e.change, ItemChange) and e.change.type in UPDATING]
    ids = {change.subject: change.known.sys_id for change in changes if change.known is not None}
    elements = sorted({element for change in changes for element in change.send} - TIMESTAMPS)
    stored = world.cmdb.read_back(ids.values(), [*elements, MOD_COUNT]) if ids and elements else {}
    return [
        Settlement(change=change, receipt=_found(change, ids[change.subject], Operation.UPDATED))
        for change in changes
        if (row := stored.get(ids.get(change.subject, SysId("")))) is not None
        and (_holds(row, change) or (not late and _written_over(row, change)))
    ]


def _written_over(stored: Mapping[str, str], change: ItemChange) -> bool:
    """Two writes since we looked: ours, most likely, and a person's over it, which then is theirs."""
    known = change.known
    before = None if known is None else count_of(known.stored or {}) or known.mod_count
    now = count_of(stored)
    return before is not None and now is not None and now >= before + 2


def _holds(stored: Mapping[str, str], change: ItemChange) -> bool:
    sent = {element: value for element, value in change.send.items() if element not in TIMESTAMPS}
    moved = change.item.class_name not in ("", stored.get("sys_class_name", ""))
    return bool(sent) and not moved and all(same(e, stored.get(e, ""), value) for e, value in sent.items())


def _deleted(world: World, order: Order, entries: Sequence[JournalEntry]) -> list[Settlement]:
    changes = [e.change for e in entries if isinstance(e.change, ItemChange) and e.change.type is ChangeType.DELETE]
    ids = {change.subject: change.known.sys_id for change in changes if change.known is not None}
    there = world.cmdb.read_back(ids.values(), ()) if ids else {}
    if gone := [sys_id for sys_id in ids.values() if sys_id not in there]:
        world.audit.intend(order.run_id, [swept_deed(sys_id) for sys_id in gone])
        swept = world.cmdb.sweep(gone)
        world.audit.settle(order.run_id, [swept_deed(sys_id, swept) for sys_id in gone])
    return [
        Settlement(change=change, receipt=_removed(change))
        for change in changes
        if change.subject in ids and ids[change.subject] not in there
    ]


def _removed(change: ItemChange) -> Receipt:
    return Receipt(
        subject=change.subject,
        outcome=Outcome.DONE,
        operation=Operation.DELETED,
        message="found gone after an interrupted run",
    )


def _found(change: ItemChange, sys_id: SysId, operation: Operation) -> Receipt:
    return Receipt(
        subject=change.subject,
        outcome=Outcome.DONE,
        operation=operation,
        sys_id=sys_id,
        class_name=change.item.class_name,
        message="found after an interrupted run",
    )
