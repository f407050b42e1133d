"""Edges and the items at their ends: an edge that loses one waits, by name (R3.4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from beast_dream_snow_loader.core.desired import ConfigItem, DesiredState, Relation
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.identity import SourceKey


def among(desired: DesiredState, items: Mapping[SourceKey, ConfigItem]) -> DesiredState:
    """The state with these items only: edges that lose an end become orphans. A client's CI is not ours, so that its
    edge needs the device only."""
    kept, orphans = split_relations(desired.relations, items)
    links = tuple(link for link in desired.client_links if link.relation.upper in items)
    lost = (link.relation for link in desired.client_links if link.relation.upper not in items)
    return replace(
        desired,
        items=items,
        relations=kept,
        client_links=links,
        orphans=(*desired.orphans, *orphans, *(_loose(relation) for relation in lost)),
    )


def split_relations(
    relations: tuple[Relation, ...], items: Mapping[SourceKey, ConfigItem]
) -> tuple[tuple[Relation, ...], tuple[Finding, ...]]:
    """Edges both of whose ends are items, and a finding for each other one."""
    kept = tuple(relation for relation in relations if relation.lower in items and relation.upper in items)
    if len(kept) == len(relations):
        return relations, ()
    return kept, tuple(
        _loose(relation) for relation in relations if relation.lower not in items or relation.upper not in items
    )


def _loose(relation: Relation) -> Finding:
    return Finding(
        record=str(relation.lower),
        rule="relation.orphan",
        severity=Severity.WARNING,
        message=f"Its edge to {relation.upper} waits: one of the two is not written.",
        field=relation.role,
        value=str(relation.upper),
    )
