"""Which edges to draw and which to remove: wanted against known, both ends there, no edge moved on a whim."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from beast_dream_snow_loader.core.changes import LinkChange, UnlinkChange
from beast_dream_snow_loader.core.desired import ConfigItem, DesiredState, Relation, RelationRole
from beast_dream_snow_loader.core.edge_checks import removed
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.core.known import KnownRelation, KnownState
from beast_dream_snow_loader.core.moves import READS, Moves, follow

END_HELD = "relation.end_held"
"""The rule of an edge that waits for an end which is held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Linking:
    links: tuple[LinkChange, ...] = ()
    unlinks: tuple[UnlinkChange, ...] = ()
    watched: tuple[KnownRelation, ...] = ()
    findings: tuple[Finding, ...] = field(default=())


def plan_links(
    desired: DesiredState,
    known: KnownState,
    items: Mapping[SourceKey, ConfigItem],
    *,
    full: bool,
    redraw: bool = False,
    outlets: Collection[str] = (),
) -> Linking:
    """``items`` are those that are not held. ``full`` draws every edge again, but moves none sooner; ``redraw`` those
    that were removed by hand. ``outlets``: the devices (MACs) whose PDU the operator names."""
    looked = desired.looked
    moves = Moves() if looked is None else follow(desired.relations, known.relations.values(), items, looked)
    standing = known.standing.relations if full or redraw else known.relations
    new = [relation for relation in desired.relations if full or relation.key not in standing]
    links = [r for r in new if r.lower in items and r.upper in items and r.key not in moves.waiting]
    there = {relation.key for relation in links} | known.standing.relations.keys()
    return Linking(
        links=tuple(LinkChange(relation=relation) for relation in links),
        unlinks=(
            *(unlink for unlink in moves.over if unlink.replaced_by in there),
            *(() if looked is None else _no_longer_ruled(known, outlets)),
        ),
        watched=tuple(moves.watched),
        findings=(*_told(new, items, moves), *_removed(desired, known, {relation.key for relation in links})),
    )


def _removed(desired: DesiredState, known: KnownState, drawn: Collection[str]) -> Iterator[Finding]:
    for relation in desired.relations:
        edge = known.relations.get(relation.key)
        if edge is not None and edge.removed:
            yield removed(edge, str(relation.role), relation.upper, again=relation.key in drawn)


def _no_longer_ruled(known: KnownState, outlets: Collection[str]) -> Iterator[UnlinkChange]:
    """Edges that only a line of the settings asked for, and it is gone: no read of UniFi could say so."""
    for edge in known.relations.values():
        if edge.start.startswith(f"{RelationRole.POWERED_BY} ") and edge.lower.mac not in outlets:
            yield UnlinkChange(known=edge, reason="mapping.outlets no longer names it")


def _told(new: list[Relation], items: Mapping[SourceKey, ConfigItem], moves: Moves) -> Iterator[Finding]:
    for relation in new:
        if relation.lower not in items or relation.upper not in items:
            message = f"Its {relation.role} edge to {relation.upper} waits: one of the two is held."
            yield _finding(relation, END_HELD, message)
        elif (edge := moves.waiting.get(relation.key)) is not None:
            seen = f"seen in {edge.moved_reads} of {READS} complete reads"
            message = f"It shows {relation.upper} above it now ({seen}): until then its edge stays as it was drawn."
            yield _finding(relation, "relation.moving", message)


def _finding(relation: Relation, rule: str, message: str) -> Finding:
    return Finding(
        record=str(relation.lower), rule=rule, severity=Severity.INFO, message=message, field=str(relation.role)
    )
