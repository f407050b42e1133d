"""Recall: what we believe the CMDB holds, after asking about what was left open and whether our CIs are still there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from beast_dream_snow_loader.core.changes import Change, ChangeType, ItemChange, UnlinkChange
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.identity import SourceKey, SysId
from beast_dream_snow_loader.core.known import KnownState
from beast_dream_snow_loader.core.mapping_tables import BASE_CLASS
from beast_dream_snow_loader.core.ports import JournalEntry, Settlement
from beast_dream_snow_loader.core.receipts import Operation, Outcome, Receipt
from beast_dream_snow_loader.core.status import STATUS
from beast_dream_snow_loader.pipeline.steps.base import BaseLook, look_at_base, sys_ids_in_base
from beast_dream_snow_loader.pipeline.world import Order, World


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    known: KnownState
    findings: tuple[Finding, ...] = ()


def recall(world: World, order: Order, *, reachable: bool) -> Recalled:
    """May raise a TransportError when the instance goes away meanwhile; the caller then works from the ledger alone."""
    if not reachable:
        return Recalled(known=world.ledger.known())
    if not order.dry_run:
        settle_unknown(world, order.run_id)
    known = world.ledger.known()
    base = [key for key, item in known.items.items() if item.class_name == BASE_CLASS]
    looked = look_at_base(world, known, base) if base else BaseLook()
    ours = world.cmdb.count_sources()
    if ours is None or ours >= len(known.items) - len(base):
        return _without(world, order, known, looked.gone, looked.findings)
    gone = [*looked.gone, *_missing(world, known, frozenset(base))]
    return _without(world, order, known, gone, looked.findings)


def settle_unknown(world: World, run_id: str) -> Sequence[Settlement]:
    """Look up what was sent without an answer, before anything is repeated.

    A create whose CI is there by its native key was done, so was a retirement whose CI says Retired and an unlink whose
    edge is gone. Everything else is queued: a plan or a replay sends it if it is still needed.
    """
    entries = world.journal.unknown()
    if not entries:
        return ()
    found = [*_settled(world, entries), *_unlinked(world, entries)]
    done = {settlement.receipt.subject for settlement in found}
    settlements = [*found, *(_queued(entry.change) for entry in entries if entry.change.subject not in done)]
    world.journal.settle(run_id, settlements)
    return settlements


def _queued(change: Change) -> Settlement:
    receipt = Receipt(
        subject=change.subject,
        outcome=Outcome.LATER,
        code="unknown.not_found",
        message="it was sent without an answer and has not happened",
    )
    return Settlement(change=change, receipt=receipt)


def _settled(world: World, entries: Sequence[JournalEntry]) -> list[Settlement]:
    creates = [e.change for e in entries if isinstance(e.change, ItemChange) and e.change.type is ChangeType.CREATE]
    there = dict(world.cmdb.find([change.item.key for change in creates])) if creates else {}
    based = [change.item.key for change in creates if change.item.class_name == BASE_CLASS]
    if based:
        there.update(sys_ids_in_base(world, based))
    created = [
        Settlement(change=change, receipt=_found(change, there[change.item.key][0], Operation.INSERTED))
        for change in creates
        if len(there.get(change.item.key, ())) == 1
    ]
    return [*created, *_retired(world, entries)]


def _unlinked(world: World, entries: Sequence[JournalEntry]) -> list[Settlement]:
    unlinks = [entry.change for entry in entries if isinstance(entry.change, UnlinkChange)]
    there = world.cmdb.find_edges([change.known for change in unlinks]) if unlinks else {}
    return [
        Settlement(change=change, receipt=_gone(change)) for change in unlinks if change.known.relation_key not in there
    ]


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
    stored = world.cmdb.read_back(ids.values(), STATUS) if ids else {}
    return [
        Settlement(change=change, receipt=_found(change, ids[change.subject], Operation.UPDATED))
        for change in changes
        if all(stored.get(ids[change.subject], {}).get(element) == change.send[element] for element in STATUS)
    ]


def _found(change: ItemChange, sys_id: SysId, operation: Operation) -> Receipt:
    return Receipt(
        subject=change.subject,
        outcome=Outcome.DONE,
        operation=operation,
        sys_id=sys_id,
        class_name=change.item.class_name,
        message="found after an interrupted run",
    )


def _missing(world: World, known: KnownState, base: frozenset[SourceKey]) -> list[SourceKey]:
    listed = world.cmdb.find(None)
    missing = [item for key, item in known.items.items() if key not in listed and key not in base]
    # Rights may hide rows of sys_object_source: what its own sys_id still finds is not gone.
    seen = world.cmdb.read_back([item.sys_id for item in missing], ("name",))
    return [item.key for item in missing if item.sys_id not in seen]


def _without(
    world: World, order: Order, known: KnownState, gone: Sequence[SourceKey], findings: tuple[Finding, ...]
) -> Recalled:
    if not gone:
        return Recalled(known=known, findings=findings)
    there = known.items.keys() - set(gone)
    if not order.dry_run:
        world.ledger.forget(gone)
    items = {key: item for key, item in known.items.items() if key in there}
    relations = {name: edge for name, edge in known.relations.items() if edge.parent in items and edge.child in items}
    finding = Finding(
        record="instance",
        rule="ledger.gone",
        severity=Severity.WARNING,
        message=f"{len(gone)} of our CIs are no longer in the CMDB: planned as new.",
    )
    return Recalled(known=KnownState(items=items, relations=relations), findings=(*findings, finding))
