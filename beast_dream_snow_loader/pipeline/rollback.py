"""Rollback: what a run did is undone, by the same path of plan, journal and receipts (R3.5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from beast_dream_snow_loader.core.changes import ChangeType, ItemChange, LinkChange, Plan, UnlinkChange
from beast_dream_snow_loader.core.edited import BY_WHOM, edited_before_us, related_by_others
from beast_dream_snow_loader.core.healing import MOD_COUNT
from beast_dream_snow_loader.core.identity import SourceKey, SysId
from beast_dream_snow_loader.core.inverse import Created, Now, in_doubt, undo
from beast_dream_snow_loader.core.known import KnownRelation, KnownState
from beast_dream_snow_loader.core.mapping_tables import RETIRED
from beast_dream_snow_loader.core.ports import Settlement
from beast_dream_snow_loader.core.receipts import Operation
from beast_dream_snow_loader.core.reundoing import Reundoing
from beast_dream_snow_loader.core.status import Statuses
from beast_dream_snow_loader.pipeline.apply import Applier
from beast_dream_snow_loader.pipeline.client_links import ClientLinker
from beast_dream_snow_loader.pipeline.steps.late import is_news
from beast_dream_snow_loader.pipeline.steps.look_up import settle_unknown
from beast_dream_snow_loader.pipeline.world import Order, World


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledBack:
    """``plan`` is what was (or in a dry run: would be) done; ``dropped`` queued writes of the run that are not sent any
    more, or would not be."""

    plan: Plan
    settlements: Sequence[Settlement] = ()
    unlinked: Sequence[LinkChange] = ()
    dropped: int = 0


def roll_back(world: World, order: Order, run_id: str, created: Created) -> RolledBack:
    """Undo ``run_id``. Raises a TransportError when the instance is away: then nothing has been touched.

    Made again after an interruption it goes on, for what is as it was before needs nothing.
    """
    if not order.dry_run:
        settle_unknown(world, order)
    done = world.journal.done(run_id)
    known = world.ledger.known()
    facts = world.memory.facts(order.target)
    statuses = Statuses(choices=facts.choices if facts is not None else {})
    plan = undo(done, known, _now(world, run_id, done, known, created), created, statuses.values(RETIRED))
    doubted = [entry for entry in world.journal.doubted() if is_news(entry.change, known)]
    plan = replace(plan, findings=(*plan.findings, *in_doubt(doubted, run_id, done)))
    queued = [entry.change.subject for entry in world.journal.queued() if entry.run_id == run_id]
    if order.dry_run:
        return RolledBack(plan=plan, dropped=len(queued))
    dropped = world.journal.supersede(queued)
    applier = Applier(world, order, plan, again=Reundoing)
    applier.load(plan.lanes)
    applier.link()
    linker = ClientLinker(world, order, applier)
    linker.draw(plan.client_links)
    applier.unlink(plan.unlinks)
    applier.retire([change for change in plan.retirements if change.type is ChangeType.RETIRE])
    applier.delete([change for change in plan.retirements if change.type is ChangeType.DELETE])
    unlinked = (*applier.unlinked(), *linker.waiting)
    left = tuple(change for change in plan.retirements if change.subject not in applier.kept)
    plan = replace(plan, retirements=left)  # what is told as left alone is not told as undone too
    return RolledBack(plan=plan, settlements=applier.settlements, unlinked=unlinked, dropped=dropped)


def _now(world: World, run_id: str, done: Sequence[Settlement], known: KnownState, created: Created) -> Now:
    """One bulk read of the CIs the run touched and of the edges it drew or removed; and what the journal knows of those
    that it made."""
    changes = [settlement.change for settlement in done]
    items = [change for change in changes if isinstance(change, ItemChange)]
    elements = sorted({element for change in items for element in change.send} | {MOD_COUNT, *BY_WHOM})
    edges = [edge for change in changes if (edge := _edge(change, known)) is not None]
    made = _made(done)
    there = world.cmdb.read_back(sorted(_sys_ids(done, edges, known)), elements)
    going = {sys_id: there[sys_id] for sys_id in made.values() if sys_id in there} if created == "delete" else {}
    return Now(
        items=there,
        edges=world.cmdb.find_edges(edges) if edges else {},
        unwritten=world.journal.done_in([run_id]),
        edited=edited_before_us(world.journal.since(run_id), made) if made else {},
        related=related_by_others(world.cmdb.drawn_to(going), known.relations.values(), going) if going else {},
    )


def _made(done: Sequence[Settlement]) -> dict[SourceKey, SysId]:
    return {
        s.change.item.key: s.receipt.sys_id
        for s in done
        if isinstance(s.change, ItemChange) and s.receipt.operation is Operation.INSERTED and s.receipt.sys_id
    }


def _edge(change: object, known: KnownState) -> KnownRelation | None:
    if isinstance(change, UnlinkChange):
        return replace(change.known, sys_id=None)  # the row that was removed is no more: another may join the same ends
    return known.relations.get(change.subject) if isinstance(change, LinkChange) else None


def _sys_ids(done: Sequence[Settlement], edges: Sequence[KnownRelation], known: KnownState) -> set[SysId]:
    found = {end.sys_id for edge in edges for key in (edge.parent, edge.child) if (end := known.items.get(key))}
    found |= {edge.lower_sys_id for edge in edges if edge.lower_sys_id is not None}
    for settlement in done:
        if isinstance(settlement.change, ItemChange):
            before = settlement.change.known
            found |= {sys_id for sys_id in (settlement.receipt.sys_id, before.sys_id if before else None) if sys_id}
    return found
