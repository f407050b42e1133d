"""Attach: the CIs of others that are clients of UniFi, and what their edges need (cmdb-model 6.4)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from beast_dream_snow_loader.core.client_links import ClientPlan, plan_clients, sort_out
from beast_dream_snow_loader.core.desired import ClientLink
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.core.known import KnownRelation, KnownState
from beast_dream_snow_loader.core.observed import Looked
from beast_dream_snow_loader.pipeline.world import Order, World

CHECKED_AT_ONCE = 2000
"""Edges whose rows are looked at in one load, those not seen for longest first: 20 reads in one batch request."""


def attach(
    world: World, order: Order, wanted: tuple[ClientLink, ...], known: KnownState, looked: Looked | None
) -> ClientPlan:
    """Only clients that are not linked yet or have moved are looked for. Raises what reading raises."""
    edges = {name: edge for name, edge in known.relations.items() if edge.lower.record == "client"}
    checked = _checked(world, [edge for edge in edges.values() if edge.lower not in known.items])
    there = {**{name: edge for name, edge in edges.items() if name not in checked.lost}, **checked.seen}
    redraw = order.full or order.rules.on_manual_change == "overwrite"
    sorted_out = sort_out(wanted, there, looked or frozenset(), full=order.full)
    mine = {link.relation.key for link in wanted}
    macs = [link.key.mac for link in sorted_out.open]
    found = world.cmdb.by_mac(macs) if macs else {}
    devices = (item.sys_id for item in known.items.values() if item.key.record == "device")
    plan = plan_clients(sorted_out, found, there, devices, checked.lost, redraw=redraw)
    now = world.clock.now()
    kept = {e.relation_key: replace(e, removed=True, checked_at=now) for e in (*plan.removed, *_away(checked, mine))}
    if not order.dry_run:
        lost = checked.lost.keys() - kept.keys()
        world.ledger.forget_relations([*lost, *(edge.relation_key for edge in plan.forgotten)])
    checked.seen.update(kept)
    watched = {**checked.seen, **{edge.relation_key: edge for edge in plan.watched}}
    return replace(plan, watched=tuple(watched.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checked:
    """``seen`` are edges whose rows are there, with the time; ``lost`` those that are gone or lead elsewhere."""

    seen: dict[str, KnownRelation] = field(default_factory=dict)
    lost: Mapping[str, KnownRelation] = field(default_factory=dict)


def _away(checked: _Checked, wanted: Collection[str]) -> list[KnownRelation]:
    """Known to have been removed by hand, of clients that are not connected now."""
    return [edge for name, edge in checked.lost.items() if edge.removed and name not in wanted]


def _checked(world: World, edges: list[KnownRelation]) -> _Checked:
    """Edges that are gone with their CI, or lead elsewhere since it was merged, are to be looked for anew."""
    oldest = sorted(edges, key=_last_checked)[:CHECKED_AT_ONCE]
    if not oldest:
        return _Checked()
    there, now = world.cmdb.find_edges(oldest), world.clock.now()
    lost = {edge.relation_key: edge for edge in oldest if edge.relation_key not in there}
    seen = {e.relation_key: replace(e, checked_at=now, removed=False) for e in oldest if e.relation_key in there}
    return _Checked(seen=seen, lost=lost)


def _last_checked(edge: KnownRelation) -> tuple[bool, datetime | None, SourceKey]:
    return (edge.checked_at is not None, edge.checked_at, edge.lower)
