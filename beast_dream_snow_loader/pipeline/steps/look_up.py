"""Look up: what became of writes without an answer, before anything is repeated."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from beast_dream_snow_loader.core.changes import ItemChange
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.core.known import KnownItem
from beast_dream_snow_loader.core.parking import END_UNKNOWN, NOT_FOUND
from beast_dream_snow_loader.core.ports import JournalEntry, Settlement
from beast_dream_snow_loader.core.receipts import Operation, Outcome, Receipt
from beast_dream_snow_loader.pipeline.steps.edge_sightings import linked, unlinked
from beast_dream_snow_loader.pipeline.steps.late import as_made, as_sent, is_news
from beast_dream_snow_loader.pipeline.steps.quarantine import carried_out_within, doubtful, waited
from beast_dream_snow_loader.pipeline.steps.sightings import created, deleted, retired, updated
from beast_dream_snow_loader.pipeline.world import Order, World


def settle_unknown(world: World, order: Order) -> Sequence[Settlement]:
    """Look up what was sent without an answer, before anything is repeated; once more after a pause where the instance
    may still be at it and a late insert would be a double. Asked to stop meanwhile, that is left to the next run.

    A create whose CI is there by its native key was done, so was an update whose CI holds every value that was sent, a
    retirement whose CI says Retired, a deletion whose CI is gone, an unlink whose edge is gone, and a link whose edge
    is there. Everything else is queued: a plan or a replay sends it if it is still needed. What was looked for in vain
    before, and is seen after all, was carried out late.
    """
    entries = world.journal.unknown()
    settled = _settle_open(world, order, entries) if entries else ()
    now = {entry.change.subject for entry in entries}
    doubted = [entry for entry in world.journal.doubted() if entry.change.subject not in now]
    return [*_settle_late(world, order, doubted), *settled]


def made_late(world: World, order: Order, matched: Collection[SourceKey]) -> Mapping[SourceKey, KnownItem]:
    """Those of the ``matched`` records whose create was looked for in vain and was carried out meanwhile, settled, as
    the ledger has them now. May raise a TransportError."""
    if order.dry_run or not matched:
        return {}
    doubted = [one for one in world.journal.doubted() if _record(one) in matched]
    if not doubted:
        return {}
    before = world.ledger.known().items.keys()
    _settle_late(world, order, doubted)
    made = {_record(one) for one in doubted} - before
    return {key: item for key, item in world.ledger.known().items.items() if key in made}


def _record(entry: JournalEntry) -> SourceKey | None:
    return entry.change.item.key if isinstance(entry.change, ItemChange) else None


def _settle_late(world: World, order: Order, doubted: Sequence[JournalEntry]) -> Sequence[Settlement]:
    """What was looked for in vain, and was carried out after all, settled whatever took its place in the queue since.
    Those of them that waited to be sent again. What cannot come any more is doubted no longer."""
    if not doubted:
        return ()
    now, known = world.clock.now(), world.ledger.known()
    sought = [entry for entry in doubted if is_news(entry.change, known)]
    done = _carried_out(world, order, sought, _seen(world, order, sought, late=True))
    left = [entry for entry in sought if entry.id not in done]
    edges = linked(world, order, left, world.ledger.known().sys_ids, late=True)
    done |= _carried_out(world, order, left, [one for one in edges if one.receipt.operation is Operation.LINKED])
    _end_doubt(world, order, [entry for entry in doubted if entry.id not in done], now)
    return [done[entry.id] for entry in doubted if entry.waits and entry.id in done]


def _carried_out(
    world: World, order: Order, doubted: Sequence[JournalEntry], seen: Sequence[Settlement]
) -> dict[int, Settlement]:
    """By entry; of several of one record it is the newest that is seen."""
    if not seen:
        return {}
    ids = {id(entry.change): entry.id for entry in doubted}
    newest = {one.change.subject: one for one in sorted(seen, key=lambda one: ids[id(one.change)])}
    found = [ids[id(one.change)] for one in newest.values()]
    made = as_made(world, world.ledger.known(), list(newest.values()))
    done = dict(zip(found, as_sent(world, made, doubted), strict=True))
    world.journal.carried_out(order.run_id, done)
    return done


def _end_doubt(world: World, order: Order, entries: Iterable[JournalEntry], now: datetime) -> None:
    """Of what was looked for when the instance could no longer be at it."""
    if over := [entry.id for entry in entries if carried_out_within(entry, order)[1] < now]:
        world.journal.end_doubt(over)


def _settle_open(world: World, order: Order, entries: Sequence[JournalEntry]) -> Sequence[Settlement]:
    found, left = _found_done(world, order, entries)
    now, late = world.clock.now(), doubtful(world, order, left)
    if waited(world, order, late):
        again, late = _found_done(world, order, late)
        found += again
        gone = {settlement.receipt.subject for settlement in again}
        left = [entry for entry in left if entry.change.subject not in gone]
    elif world.stopping():
        subjects = {entry.change.subject for entry in late}
        left = [entry for entry in left if entry.change.subject not in subjects]
    rest = [_queued(entry) for entry in left]
    world.journal.settle(order.run_id, rest)
    _end_doubt(world, order, left, now)
    return [*found, *rest]


def _found_done(
    world: World, order: Order, entries: Sequence[JournalEntry]
) -> tuple[list[Settlement], list[JournalEntry]]:
    """What is seen to have happened, settled, and the entries of which nothing is seen. Edges after their ends."""
    found = as_sent(world, _seen(world, order, entries), world.journal.doubted())
    world.journal.settle(order.run_id, found)
    left = _without(entries, found)
    drawn = linked(world, order, left, world.ledger.known().sys_ids)
    world.journal.settle(order.run_id, drawn)
    return [*found, *drawn], _without(left, drawn)


def _seen(world: World, order: Order, entries: Sequence[JournalEntry], *, late: bool = False) -> list[Settlement]:
    """All but links, whose ends have to be settled first."""
    items = [*created(world, order, entries), *updated(world, entries, late=late), *retired(world, entries)]
    return [*items, *deleted(world, order, entries), *unlinked(world, entries)]


def _without(entries: Sequence[JournalEntry], settled: Sequence[Settlement]) -> list[JournalEntry]:
    done = {settlement.receipt.subject for settlement in settled}
    return [entry for entry in entries if entry.change.subject not in done]


def _queued(entry: JournalEntry) -> Settlement:
    """An edge that was not sent, because what became of its end was not known, has not been sent in vain."""
    sent = entry.code != END_UNKNOWN
    receipt = Receipt(
        subject=entry.change.subject,
        outcome=Outcome.LATER,
        code=NOT_FOUND if sent else END_UNKNOWN,
        message="it was sent without an answer and has not happened so far" if sent else entry.message,
    )
    return Settlement(change=entry.change, receipt=receipt)
