"""Writes relations: one row of cmdb_rel_ci per parent, child and type."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from beast_dream_snow_loader.sandbox.servicenow.ire import issues
from beast_dream_snow_loader.sandbox.servicenow.ire.outcome import ItemOutcome, RelationOutcome
from beast_dream_snow_loader.sandbox.servicenow.ire.payload import Relation
from beast_dream_snow_loader.sandbox.servicenow.ire.wiring import Link
from beast_dream_snow_loader.sandbox.servicenow.records import Instance

OutcomeOf = Callable[[int], ItemOutcome]
"""What became of the item at this index of the payload."""


class Linker:
    """``track_sources`` also fills sys_rel_source (glide.identification_engine.populate_sys_rel_source); rows of the
    types in ``dropped`` are deleted behind the engine's back."""

    def __init__(self, instance: Instance, *, track_sources: bool, dropped: Collection[str] = ()) -> None:
        self._instance = instance
        self._dropped = dropped
        self._track_sources = track_sources

    def tie(self, links: Sequence[Link], outcome_of: OutcomeOf) -> list[RelationOutcome]:
        """In the order of ``links``. A relation to an item that failed is not made."""
        return [self._one(link, outcome_of) for link in links]

    def _one(self, link: Link, outcome_of: OutcomeOf) -> RelationOutcome:
        relation = link.relation
        if link.issues:
            return RelationOutcome(relation=relation, errors=link.issues)
        parent, child = outcome_of(link.parent), outcome_of(link.child)
        for end in (parent, child):
            if end.failed:
                printed = end.item.internal_id or str(end.item.index)
                return RelationOutcome(relation=relation, errors=(issues.end_failed(printed),))
        if parent.sys_id == child.sys_id:
            return RelationOutcome(relation=relation, errors=(issues.qualification_loop(relation.printed()),))
        return self._store(relation, {"parent": parent.sys_id, "child": child.sys_id, "type": link.type_sys_id})

    def _store(self, relation: Relation, triple: dict[str, str]) -> RelationOutcome:
        found = self._instance.find("cmdb_rel_ci", **triple)
        row = found[0] if found else self._instance.insert("cmdb_rel_ci", triple)
        if self._track_sources and relation.source_name:
            self._mark(relation, row["sys_id"])
        if not found and relation.type in self._dropped:
            self._instance.delete("cmdb_rel_ci", row["sys_id"])
        return RelationOutcome(relation=relation, operation="NO_CHANGE" if found else "INSERT", sys_id=row["sys_id"])

    def _mark(self, relation: Relation, sys_id: str) -> None:
        values = {"source_feed": relation.source_feed, "last_scan": self._instance.now()}
        known = self._instance.find("sys_rel_source", cmdb_rel_ci=sys_id, name=relation.source_name)
        if known:
            self._instance.update("sys_rel_source", known[0]["sys_id"], values)
        else:
            self._instance.insert("sys_rel_source", {"name": relation.source_name, "cmdb_rel_ci": sys_id, **values})


def joined(outcomes: Sequence[RelationOutcome]) -> list[RelationOutcome]:
    """Relations sent more than once, or become the same by merging items, share one result with all their indices."""
    told: dict[str, RelationOutcome] = {}
    for position, outcome in enumerate(outcomes):
        key = outcome.sys_id or f"failed {position}"
        first = told.get(key)
        if first is None:
            told[key] = outcome
        else:
            indices = (*first.relation.indices, *outcome.relation.indices)
            told[key] = replace(first, relation=replace(first.relation, indices=indices))
    return list(told.values())
