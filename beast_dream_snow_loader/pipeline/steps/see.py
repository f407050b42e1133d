"""See: the CIs that a plan touches as they stand now, so that who applies it later can tell what has changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from beast_dream_snow_loader.core.changes import ItemChange, Plan
from beast_dream_snow_loader.core.known import KnownItem
from beast_dream_snow_loader.core.saved_plan import CLASS, MOD_COUNT, Seen, touched
from beast_dream_snow_loader.pipeline.world import World

_MOVING = frozenset({"last_discovered"})
"""What the engine stamps by itself says nothing about the record; ``sys_mod_count`` notices it anyway."""


def see(world: World, plan: Plan) -> tuple[Seen, ...]:
    """One bulk read. A CI that is gone or cannot be read is not in the answer. Raises what reading raises."""
    pairs = touched(plan)
    if not pairs:
        return ()
    stored = world.cmdb.read_back([known.sys_id for _, known in pairs], watched(change for change, _ in pairs))
    return tuple(_seen(known, stored[known.sys_id]) for _, known in pairs if known.sys_id in stored)


def watched(changes: Iterable[ItemChange]) -> tuple[str, ...]:
    """The elements whose change makes a plan stale."""
    mapped = {element for change in changes for element in (*change.item.values, *change.send)}
    return (*sorted(mapped - _MOVING), MOD_COUNT)


def _seen(known: KnownItem, row: Mapping[str, str]) -> Seen:
    """What the plan was decided on counts where it was read: a change between both reads is then noticed."""
    decided = known.stored or {}
    return Seen(
        key=known.key,
        sys_id=known.sys_id,
        class_name=row.get(CLASS, ""),
        mod_count=row.get(MOD_COUNT, ""),
        values={
            element: decided.get(element, value) for element, value in row.items() if element not in (CLASS, MOD_COUNT)
        },
    )
