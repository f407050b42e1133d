"""Recall: what we believe the CMDB holds, after asking about what was left open and whether our CIs are still there."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from beast_dream_snow_loader.core.bindings import contradicted
from beast_dream_snow_loader.core.edge_checks import due_edges
from beast_dream_snow_loader.core.findings import Finding
from beast_dream_snow_loader.core.healing import due, keys_unseen, unconfirmed
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.core.known import Held, KnownRelation, KnownState
from beast_dream_snow_loader.core.mapping_tables import BASE_CLASS
from beast_dream_snow_loader.core.unanswered import unanswered
from beast_dream_snow_loader.pipeline.steps.base_class import double_edges, doubles_in_base
from beast_dream_snow_loader.pipeline.steps.edges_there import edges_looked_at
from beast_dream_snow_loader.pipeline.steps.heal import heal
from beast_dream_snow_loader.pipeline.steps.look_up import settle_unknown
from beast_dream_snow_loader.pipeline.world import Order, World


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    known: KnownState
    findings: tuple[Finding, ...] = ()
    held: tuple[Held, ...] = ()
    unregistered: str = ""
    """The discovery source, where the instance does not know it."""
    some_seen: bool = False
    """At least one CI of ours was seen: another that is not there is gone rather than out of sight."""


def recall(world: World, order: Order, *, reachable: bool, beating: Collection[SourceKey] = ()) -> Recalled:
    """Every run looks at a share of our CIs and edges, and at all CIs when fewer native keys are counted than we know.
    CIs that are not ``beating``, that is get no sign of life, are looked at as often as those that do.

    May raise a TransportError when the instance goes away meanwhile; the caller then works from the ledger alone."""
    if not reachable:
        return Recalled(known=world.ledger.known())
    if not order.dry_run:
        settle_unknown(world, order)
    known = believed(world, order)
    if not order.parts.healing:
        return Recalled(known=known)
    base = [key for key, item in known.items.items() if item.class_name == BASE_CLASS]
    counted = world.cmdb.count_sources()
    some_are_away = counted is not None and counted < len(known.items) - len(base)
    keys = list(known.items) if some_are_away or order.full else due(known, order.check_within_runs)
    since = world.clock.now() - timedelta(hours=order.rules.heartbeat_hours)
    quiet = unconfirmed(known, beating, since)
    bound = contradicted(order.bindings, known)  # their native keys may have been given to other CIs meanwhile
    named = sorted(order.scope.keys & known.items.keys())
    edges = _edges_due(order, known)
    healed = heal(world, order, known, list(dict.fromkeys((*keys, *quiet, *base, *bound, *named))), counted, edges)
    looked = edges_looked_at(world, order, edges, healed)
    doubles = doubles_in_base(world, base) if base else ()
    if base and order.parts.links and healed.look.edges is not None:
        of_base = [edge for edge in looked.known.relations.values() if {edge.parent, edge.child} & set(base)]
        doubles += double_edges(world, of_base)
    return Recalled(
        known=looked.known,
        findings=(*healed.findings, *looked.findings, *keys_unseen(healed.look.cis, known, counted), *doubles),
        held=(*healed.held, *looked.held),
        unregistered=healed.look.unregistered,
        some_seen=healed.look.some_seen,
    )


def _edges_due(order: Order, known: KnownState) -> list[KnownRelation]:
    """``full`` looks at all; a run about one record at its own too."""
    if not order.parts.links:
        return []
    own = [edge for edge in known.relations.values() if {edge.parent, edge.child} & order.scope.keys]
    due = due_edges(known, 1 if order.full else order.check_within_runs)
    return list({edge.relation_key: edge for edge in (*due, *own)}.values())


def believed(world: World, order: Order) -> KnownState:
    """What the ledger holds, and what may be there besides: the values of writes without an answer."""
    unsettled = world.journal.unknown() if order.dry_run else ()
    return unanswered(world.ledger.known(), (*unsettled, *world.journal.doubted()))
