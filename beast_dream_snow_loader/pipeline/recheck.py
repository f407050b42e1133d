"""Right before a write: were the CIs changed by others since the plan read them? Then they are planned again."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from beast_dream_snow_loader.core.changes import ChangeType, ItemChange
from beast_dream_snow_loader.core.events import FindingRaised
from beast_dream_snow_loader.core.healing import MOD_COUNT
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.core.planner import Replanning
from beast_dream_snow_loader.core.ports import Batch
from beast_dream_snow_loader.pipeline.guard import AWAY, UNREADABLE, reduced
from beast_dream_snow_loader.pipeline.world import Order, World

_COMPARED = (ChangeType.UPDATE, ChangeType.HEARTBEAT)


def rechecked(world: World, order: Order, batch: Batch, ours: Collection[SourceKey]) -> Batch:
    """The batch with what others changed meanwhile taken into account: one bulk read. ``ours`` are the records that
    this run has written itself. Where the read is refused or fails, the batch stays as it was planned."""
    read = [change for change in (*batch.items, *batch.carried) if _comparable(change, ours)]
    if not read:
        return batch
    elements = sorted({element for change in read if change.known for element in change.known.stored or {}})
    try:
        now = world.cmdb.read_back([change.known.sys_id for change in read if change.known], elements)
    except AWAY:
        return batch  # the write finds that out too, and is queued
    except UNREADABLE as error:
        message = f"Changes made since the plan cannot be seen: {error.message}"
        world.listener(FindingRaised(finding=reduced("recheck.unreadable", message)))
        return batch
    again = Replanning(rules=order.rules, now=world.clock.now(), full=order.full)
    stale = {c.subject: now[c.known.sys_id] for c in read if c.known and _moved(c, now.get(c.known.sys_id))}
    items = tuple(again.item(c, stale[c.subject]) if c.subject in stale else c for c in batch.items)
    carried = tuple(again.carrier(c, stale[c.subject]) if c.subject in stale else c for c in batch.carried)
    for finding in again.findings:
        world.listener(FindingRaised(finding=finding))
    return replace(batch, items=items, carried=carried)


def _comparable(change: ItemChange, ours: Collection[SourceKey]) -> bool:
    known = change.known
    if known is None or known.stored is None or change.item.key in ours:
        return False
    return change.type in _COMPARED and bool(known.stored.get(MOD_COUNT))


def _moved(change: ItemChange, now: Mapping[str, str] | None) -> bool:
    """False for a CI that is gone: the engine tells when it is written."""
    before = (change.known.stored if change.known else None) or {}
    return now is not None and now.get(MOD_COUNT) != before.get(MOD_COUNT)
