"""The edges of one explained record."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from beast_dream_snow_loader.clock import rfc3339
from beast_dream_snow_loader.core.desired import DesiredState, Relation
from beast_dream_snow_loader.core.edge_checks import REMOVED
from beast_dream_snow_loader.core.known import KnownRelation
from beast_dream_snow_loader.pipeline.explain import Explained

Told = dict[str, Any]


def relations(explained: Explained) -> Iterator[Told]:
    """Every edge of the record: wanted, drawn, leaving, waiting; each with the rule that says so."""
    outcome, key = explained.outcome, explained.key
    plan, seen = outcome.plan, set()
    drawn = (outcome.known or explained.ledger).relations
    links = {link.subject for link in (*plan.links, *plan.client_links)} if plan is not None else set()
    for relation in _wanted(outcome.desired, {*drawn, *links}):
        if key in (relation.lower, relation.upper):
            seen.add(relation.key)
            yield _wanted_edge(relation, drawn.get(relation.key), planned=relation.key in links)
    leaving = {unlink.subject: unlink.reason for unlink in plan.unlinks} if plan is not None else {}
    for subject, known in drawn.items():
        if key in (known.parent, known.child) and subject not in seen:
            yield _old_edge(known, leaving.get(subject))
    for finding in explained.findings:
        if finding.rule.startswith("relation."):
            yield {
                "edge": finding.value or finding.field,
                "type": None,
                "drawn_at": None,
                "rule": finding.rule,
                "why": finding.message,
            }


def _wanted(desired: DesiredState | None, found: Collection[str]) -> Iterator[Relation]:
    """Edges between records, and those of clients whose CI, which is somebody else's, was found."""
    if desired is not None:
        yield from desired.relations
        yield from (link.relation for link in desired.client_links if link.relation.key in found)


def _wanted_edge(relation: Relation, known: KnownRelation | None, *, planned: bool) -> Told:
    rule = "relation.to_draw" if planned else "relation.waits"
    if known is not None and not planned:
        rule = REMOVED if known.removed else "relation.drawn"
    why = {
        "relation.drawn": "UniFi shows it, and it is drawn",
        REMOVED: "UniFi shows it; it was removed in ServiceNow by hand and stays away: load --full draws it again",
        "relation.to_draw": "UniFi shows it: a load draws it",
        "relation.waits": "UniFi shows it; it waits until both its ends are in the CMDB",
    }[rule]
    drawn_at = _drawn_at(known) if known is not None else None
    return {"edge": relation.key, "type": relation.type or None, "drawn_at": drawn_at, "rule": rule, "why": why}


def _old_edge(known: KnownRelation, leaving: str | None) -> Told:
    rule = "relation.to_remove" if leaving is not None else "relation.kept"
    why = leaving if leaving is not None else "we drew it; UniFi does not show it in this read"
    return {
        "edge": known.relation_key,
        "type": known.type,
        "drawn_at": _drawn_at(known),
        "rule": rule,
        "why": why,
    }


def _drawn_at(known: KnownRelation) -> str | None:
    return rfc3339(known.linked_at) if known.linked_at is not None else None
