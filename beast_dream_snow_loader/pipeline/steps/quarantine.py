"""Quarantine: what was sent without an answer and is not there may still be carried out by the instance.

The engine takes a late request for what it is, by its native key, and leaves out what is older than what it has taken
since (cmdb-model 2.4). The Table API does neither: a late insert is a second CI or a second edge, a late update puts
an older value over a newer one. Before such a write is repeated the instance gets the time in which it may still work
on the first one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from beast_dream_snow_loader.core.changes import UPDATING, Change, ChangeType, ItemChange, LinkChange
from beast_dream_snow_loader.core.events import FindingRaised
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.core.mapping_tables import BASE_CLASS
from beast_dream_snow_loader.core.parking import END_UNKNOWN
from beast_dream_snow_loader.core.ports import JournalEntry
from beast_dream_snow_loader.pipeline.world import Order, World

CLOCKS_APART = timedelta(minutes=5)
"""How much the instance's clock may be behind ours."""
_WRITING = (ChangeType.CREATE, *UPDATING, ChangeType.RETIRE)
_CLOCKS_DIFFER = timedelta(hours=1)
"""The clocks of two hosts with one state, or of one before and after it was set, differ by less. Only one program runs
at once, so whoever waits all of the time from now on waits long enough whatever a clock says."""


def carried_out_within(entry: JournalEntry, order: Order) -> tuple[datetime, datetime]:
    """Between which times, by the instance's clock, the request of an entry is carried out if at all."""
    since = entry.intended_at - CLOCKS_APART
    return since, entry.intended_at + timedelta(seconds=order.quarantine) + _CLOCKS_DIFFER


def doubtful(world: World, order: Order, entries: Sequence[JournalEntry]) -> list[JournalEntry]:
    """Those that the Table API would have got: CIs of the base class and edges of them, everything where the account
    may not use the engine, and everything of a run that found out only while it wrote."""
    facts, fallen = world.memory.facts(order.target), world.memory.fallen(order.target)
    closed = facts is not None and not facts.engine
    base = {key for key, item in world.ledger.known().items.items() if item.class_name == BASE_CLASS}
    base |= {e.change.item.key for e in entries if isinstance(e.change, ItemChange) and _in_base(e.change)}
    sent = [entry for entry in entries if entry.code != END_UNKNOWN and _harms_late(entry.change)]
    return [entry for entry in sent if closed or entry.run_id == fallen or _ends(entry.change) & base]


def waited(world: World, order: Order, entries: Sequence[JournalEntry]) -> bool:
    """Whether time was passed so that none of these can still be carried out; False too when asked to stop before."""
    since = world.clock.now() - timedelta(seconds=order.quarantine) - _CLOCKS_DIFFER
    if order.quarantine <= 0 or world.stopping() or all(_left_by(entry, entries, order) < since for entry in entries):
        return False
    world.listener(FindingRaised(finding=_told(len(entries), order.quarantine)))
    world.clock.sleep(order.quarantine)
    return not world.stopping()


def _left_by(entry: JournalEntry, entries: Sequence[JournalEntry], order: Order) -> datetime:
    """When the request certainly had left: when its answer was lost; of a program that ended in the middle of a batch,
    when the last row of it must have been over."""
    if entry.settled_at is not None:
        return entry.settled_at
    rows = Counter(other.run_id for other in entries)[entry.run_id]
    return entry.intended_at + timedelta(seconds=rows * order.quarantine)


def _harms_late(change: Change) -> bool:
    """An insert that comes late is a double, an update an older value over a newer one. A sign of life, and what takes
    away, may come at any time."""
    if isinstance(change, ItemChange):
        return change.type in _WRITING
    return isinstance(change, LinkChange) and change.lower_sys_id is None


def _in_base(change: ItemChange) -> bool:
    return change.item.class_name == BASE_CLASS


def _ends(change: Change) -> set[SourceKey]:
    if isinstance(change, LinkChange):
        return {change.relation.parent, change.relation.child}
    return {change.item.key} if isinstance(change, ItemChange) else set()


def _told(count: int, seconds: float) -> Finding:
    message = (
        f"{count} writes were sent without an answer and may still be carried out: they are looked up once more in "
        f"{seconds:.0f} s, before they are repeated or followed by newer ones (servicenow.quarantine_seconds)."
    )
    return Finding(record="instance", rule="unknown.quarantine", severity=Severity.INFO, message=message)
