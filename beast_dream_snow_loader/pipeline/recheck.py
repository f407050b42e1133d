"""Right before a write: were the CIs changed by others since the plan read them? Then they are decided again."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from beast_dream_snow_loader.core.changes import ChangeType, ItemChange
from beast_dream_snow_loader.core.events import FindingRaised
from beast_dream_snow_loader.core.findings import Finding
from beast_dream_snow_loader.core.healing import MOD_COUNT
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.core.ports import Batch
from beast_dream_snow_loader.pipeline.guard import AWAY, UNREADABLE, reduced
from beast_dream_snow_loader.pipeline.world import World

_COMPARED = frozenset(ChangeType) - {ChangeType.CREATE, ChangeType.LINK, ChangeType.UNLINK}


class Again(Protocol):
    """How a change is decided once more: of a load :class:`Replanning`, of a rollback :class:`Reundoing`."""

    @property
    def findings(self) -> Sequence[Finding]:
        """What is to be told of that."""

    def item(self, change: ItemChange, stored: Mapping[str, str]) -> ItemChange | None:
        """What is left of the change; None where the CI stays as it is."""

    def carrier(self, change: ItemChange, stored: Mapping[str, str]) -> ItemChange:
        """The end of an edge, named by what nobody has changed."""


def rechecked(world: World, again: Again, batch: Batch, ours: Collection[SourceKey]) -> Batch:
    """As :func:`compared`. Where the read is refused or fails, the batch stays as it was planned."""
    try:
        return compared(world, again, batch, ours)
    except AWAY:
        return batch  # the write finds that out too, and is queued
    except UNREADABLE as error:
        message = f"Changes made since the plan cannot be seen: {error.message}"
        world.listener(FindingRaised(finding=reduced("recheck.unreadable", message)))
        return batch


def compared(world: World, again: Again, batch: Batch, ours: Collection[SourceKey]) -> Batch:
    """The batch with what others changed meanwhile taken into account: one bulk read. ``ours`` are the records that
    this run has written itself. Raises what reading raises."""
    read = [change for change in (*batch.items, *batch.carried) if _comparable(change, ours)]
    if not read:
        return batch
    elements = sorted({element for change in read if change.known for element in change.known.stored or {}})
    now = world.cmdb.read_back([change.known.sys_id for change in read if change.known], elements)
    stale = {c.subject: now[c.known.sys_id] for c in read if c.known and _moved(c, now.get(c.known.sys_id))}
    items = (again.item(c, stale[c.subject]) if c.subject in stale else c for c in batch.items)
    carried = tuple(again.carrier(c, stale[c.subject]) if c.subject in stale else c for c in batch.carried)
    left = tuple(change for change in items if change is not None)
    for finding in again.findings:
        world.listener(FindingRaised(finding=finding))
    return replace(batch, items=left, carried=carried)


def _comparable(change: ItemChange, ours: Collection[SourceKey]) -> bool:
    known = change.known
    if known is None or known.stored is None or change.item.key in ours:
        return False
    return change.type in _COMPARED and bool(known.stored.get(MOD_COUNT))


def _moved(change: ItemChange, now: Mapping[str, str] | None) -> bool:
    """False for a CI that is gone: the engine tells when it is written."""
    before = (change.known.stored if change.known else None) or {}
    return now is not None and now.get(MOD_COUNT) != before.get(MOD_COUNT)
