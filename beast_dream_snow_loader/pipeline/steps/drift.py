"""Drift: what became of CIs we know since we last wrote them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from beast_dream_snow_loader.core.edited import BY_WHOM
from beast_dream_snow_loader.core.healing import MOD_COUNT
from beast_dream_snow_loader.core.known import KnownItem, KnownState
from beast_dream_snow_loader.pipeline.world import Order, World


def with_stored(
    world: World, order: Order, known: KnownState, items: Sequence[KnownItem], also: Iterable[str] = ()
) -> KnownState:
    """The known state with the stored values of ``items``, in one bulk read. A CI that is gone stays as it was: the
    engine tells when it is written. Every mapped field is read (and ``also``), also those that we never wrote: of a CI
    that was there before us these hold what is somebody else's; and who wrote it last, which after our write nobody can
    tell. Raises what reading raises."""
    elements = sorted(
        {MOD_COUNT, *BY_WHOM, *order.rules.ownership(), *also, *(element for item in items for element in item.written)}
    )
    stored = world.cmdb.read_back([item.sys_id for item in items], elements)
    seen = {item.key: replace(item, stored=stored[item.sys_id]) for item in items if item.sys_id in stored}
    return replace(known, items={**known.items, **seen})
