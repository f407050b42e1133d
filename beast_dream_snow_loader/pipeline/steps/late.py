"""Late: creates that the instance carries out after they were looked for, and before the engine is asked who they are.

To the engine they are then existing CIs like any other; to us they are those that we made.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from beast_dream_snow_loader.core.changes import ItemChange
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.core.known import KnownItem
from beast_dream_snow_loader.pipeline.steps.look_up import settle_late
from beast_dream_snow_loader.pipeline.world import Order, World


def made_late(world: World, order: Order, matched: Collection[SourceKey]) -> Mapping[SourceKey, KnownItem]:
    """Those of the ``matched`` records whose create waits to be sent again and was carried out meanwhile, settled, as
    the ledger has them now. May raise a TransportError."""
    if order.dry_run or not matched:
        return {}
    doubted = [one for one in world.journal.doubted() if _key(one.change) in matched]
    made = {_key(settlement.change) for settlement in settle_late(world, order, doubted)}
    return {key: item for key, item in world.ledger.known().items.items() if key in made} if made else {}


def _key(change: object) -> SourceKey | None:
    return change.item.key if isinstance(change, ItemChange) else None
