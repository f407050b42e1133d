"""Sightings: what is seen in the CMDB of CIs written without an answer, each kind by what it would have left there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from beast_dream_snow_loader.core.audit import swept_deed
from beast_dream_snow_loader.core.changes import UPDATING, ChangeType, ItemChange
from beast_dream_snow_loader.core.comparing import same
from beast_dream_snow_loader.core.fingerprint import TIMESTAMPS
from beast_dream_snow_loader.core.healing import MOD_COUNT, count_of
from beast_dream_snow_loader.core.identity import SysId, parse_sys_id
from beast_dream_snow_loader.core.mapping_tables import BASE_CLASS
from beast_dream_snow_loader.core.ports import JournalEntry, Settlement
from beast_dream_snow_loader.core.receipts import Operation, Outcome, Receipt
from beast_dream_snow_loader.core.status import DECIDED, decided
from beast_dream_snow_loader.pipeline.world import Order, World


def created(world: World, order: Order, entries: Sequence[JournalEntry]) -> Iterator[Settlement]:
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


def retired(world: World, entries: Sequence[JournalEntry]) -> list[Settlement]:
    changes = [e.change for e in entries if isinstance(e.change, ItemChange) and e.change.type is ChangeType.RETIRE]
    ids = {change.subject: change.known.sys_id for change in changes if change.known is not None}
    stored = world.cmdb.read_back(ids.values(), DECIDED) if ids else {}
    return [
        Settlement(change=change, receipt=_found(change, ids[change.subject], Operation.UPDATED))
        for change in changes
        if decided(change.send).items() <= stored.get(ids[change.subject], {}).items()
    ]


def updated(world: World, entries: Sequence[JournalEntry], *, late: bool = False) -> list[Settlement]:
    """Not known to be ours, these values would be a person's to the next plan, and stay for good."""
    changes = [e.change for e in entries if isinstance(e.change, ItemChange) and e.change.type in UPDATING]
    ids = {change.subject: change.known.sys_id for change in changes if change.known is not None}
    elements = sorted({element for change in changes for element in change.send} - TIMESTAMPS)
    stored = world.cmdb.read_back(ids.values(), [*elements, MOD_COUNT]) if ids and elements else {}
    return [
        Settlement(change=change, receipt=_found(change, ids[change.subject], Operation.UPDATED))
        for change in changes
        if (row := stored.get(ids.get(change.subject, SysId("")))) is not None
        and (holds(row, change) or (not late and _written_over(row, change)))
    ]


def _written_over(stored: Mapping[str, str], change: ItemChange) -> bool:
    """Two writes since we looked: ours, most likely, and a person's over it, which then is theirs."""
    known = change.known
    before = None if known is None else count_of(known.stored or {}) or known.mod_count
    now = count_of(stored)
    return before is not None and now is not None and now >= before + 2


def holds(stored: Mapping[str, str], change: ItemChange) -> bool:
    sent = {element: value for element, value in change.send.items() if element not in TIMESTAMPS}
    moved = change.item.class_name not in ("", stored.get("sys_class_name", ""))
    return bool(sent) and not moved and all(same(e, stored.get(e, ""), value) for e, value in sent.items())


def deleted(world: World, order: Order, entries: Sequence[JournalEntry]) -> list[Settlement]:
    changes = [e.change for e in entries if isinstance(e.change, ItemChange) and e.change.type is ChangeType.DELETE]
    ids = {change.subject: change.known.sys_id for change in changes if change.known is not None}
    there = world.cmdb.read_back(ids.values(), ()) if ids else {}
    if gone := [sys_id for sys_id in ids.values() if sys_id not in there]:
        world.audit.intend(order.run_id, [swept_deed(sys_id) for sys_id in gone])
        swept = world.cmdb.sweep(gone)
        world.audit.settle(order.run_id, [swept_deed(sys_id, swept) for sys_id in gone])
    return [
        Settlement(change=change, receipt=found_gone(change.subject, Operation.DELETED))
        for change in changes
        if change.subject in ids and ids[change.subject] not in there
    ]


def _found(change: ItemChange, sys_id: SysId, operation: Operation) -> Receipt:
    return Receipt(
        subject=change.subject,
        outcome=Outcome.DONE,
        operation=operation,
        sys_id=sys_id,
        class_name=change.item.class_name,
        message="found when it was looked up",
    )


def found_gone(subject: str, operation: Operation) -> Receipt:
    return Receipt(
        subject=subject,
        outcome=Outcome.DONE,
        operation=operation,
        message="found gone when it was looked up",
    )
