"""Edges there: relations of ours that were removed by hand, or drawn anew by others, are noticed (cmdb-model 6.7)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from beast_dream_snow_loader.core.edge_checks import judge, lost_ends
from beast_dream_snow_loader.core.findings import Finding
from beast_dream_snow_loader.core.identity import SourceKey, SysId
from beast_dream_snow_loader.core.known import Held, KnownRelation, KnownState
from beast_dream_snow_loader.pipeline.guard import reduced
from beast_dream_snow_loader.pipeline.steps.heal import Healed, heal
from beast_dream_snow_loader.pipeline.world import Order, World

_CLOSED = "Whether the relations we drew are still there cannot be seen: let the account read cmdb_rel_ci."


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgesThere:
    known: KnownState
    findings: tuple[Finding, ...] = ()
    held: tuple[Held, ...] = ()


def edges_looked_at(world: World, order: Order, edges: Sequence[KnownRelation], healed: Healed) -> EdgesThere:
    """What the look that healed CIs says of ``edges``. Before an edge counts as removed by hand its CIs are looked at:
    those that are gone or were merged take their edges along. Raises what reading raises."""
    there, known = healed.look.edges, healed.known
    if not edges or not healed.look.cis:
        return EdgesThere(known=known)
    if there is None:
        return EdgesThere(known=known, findings=(reduced("relation.unreadable", _CLOSED),))
    ends = sorted((lost_ends(_still(edges, known), there) - healed.look.cis.keys()) & known.items.keys())
    more = heal(world, order, known, ends, some_seen=healed.look.some_seen)
    alive = {key for look in (healed.look, more.look) for key, seen in look.cis.items() if seen.alive}
    judged = judged_edges(world, order, more.known, _still(edges, more.known), there, alive)
    return replace(judged, findings=(*more.findings, *judged.findings), held=more.held)


def edges_again(world: World, order: Order, known: KnownState, edges: Sequence[KnownRelation]) -> EdgesThere:
    """The edges of CIs about to be written, all of which were just read. Raises what reading raises."""
    there = world.cmdb.find_edges(edges) if edges else {}
    return judged_edges(world, order, known, edges, there, known.items.keys())


def judged_edges(
    world: World,
    order: Order,
    known: KnownState,
    edges: Sequence[KnownRelation],
    there: Mapping[str, SysId],
    alive: Collection[SourceKey],
) -> EdgesThere:
    """A row that is not found by its sys_id may have been drawn anew: it is looked for by its ends. In a dry run the
    ledger stays as it is."""
    lost = [replace(e, sys_id=None) for e in edges if e.relation_key not in there and e.sys_id is not None]
    found = {**there, **(world.cmdb.find_edges(lost) if lost else {})}
    checks = judge(edges, found, alive, world.clock.now())
    if not order.dry_run:
        world.ledger.watch(checks.looked)
    return EdgesThere(known=checks.remembered_in(known), findings=checks.findings)


def _still(edges: Sequence[KnownRelation], known: KnownState) -> list[KnownRelation]:
    return [known.relations[edge.relation_key] for edge in edges if edge.relation_key in known.relations]
