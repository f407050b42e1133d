"""What has become of the edges we drew: removed by hand or drawn anew by others, noticed by looking at a few."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.healing import AT_LEAST
from beast_dream_snow_loader.core.identity import SourceKey, SysId
from beast_dream_snow_loader.core.known import KnownRelation, KnownState

REMOVED = "relation.removed_by_hand"
"""The rule of a wanted edge that stays away because a person removed it."""

DRAWN_AGAIN = "relation.drawn_again"

_NEVER = datetime.min.replace(tzinfo=UTC)
_MANY = 5


def due_edges(known: KnownState, within_runs: int) -> list[KnownRelation]:
    """Which to look at in this run, longest unseen first, so that ``within_runs`` runs see all.

    Those of clients whose CI is not ours are looked at when these are attached.
    """
    ours = [edge for edge in known.relations.values() if edge.lower in known.items]
    share = -(-len(ours) // max(1, within_runs))
    ranked = sorted(ours, key=lambda edge: (edge.checked_at or _NEVER, edge.relation_key))
    return ranked[: max(AT_LEAST, share)]


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeChecks:
    """``looked`` are the edges looked for, as they are to be remembered."""

    looked: tuple[KnownRelation, ...] = ()
    findings: tuple[Finding, ...] = ()

    def remembered_in(self, known: KnownState) -> KnownState:
        return replace(known, relations={**known.relations, **{edge.relation_key: edge for edge in self.looked}})


def lost_ends(edges: Iterable[KnownRelation], there: Mapping[str, SysId]) -> frozenset[SourceKey]:
    """The ends of edges that were there and are not: an edge goes with its CI, and then nobody removed it."""
    lost = (edge for edge in edges if edge.relation_key not in there and not edge.removed)
    return frozenset(end for edge in lost for end in (edge.parent, edge.child))


def judge(
    edges: Iterable[KnownRelation], there: Mapping[str, SysId], alive: Collection[SourceKey], now: datetime
) -> EdgeChecks:
    """``there``: rows of edges by relation key; ``alive``: records whose CI was seen in this run. An edge with another
    end is left undecided."""
    seen = frozenset(alive)
    looked = [
        _judged(edge, there.get(edge.relation_key), now)
        for edge in edges
        if edge.relation_key in there or edge.removed or {edge.parent, edge.child} <= seen
    ]
    return EdgeChecks(looked=tuple(looked), findings=tuple(_none_seen(looked)))


def _judged(edge: KnownRelation, row: SysId | None, now: datetime) -> KnownRelation:
    """One that is another row now was drawn by somebody else: there, but not ours to remove. The very row that we drew
    is ours though it was not seen for a while."""
    if row is None:
        return replace(edge, removed=True, checked_at=now)
    return replace(edge, removed=False, sys_id=row, ours=edge.ours and edge.sys_id in (None, row), checked_at=now)


def _none_seen(looked: Collection[KnownRelation]) -> Iterable[Finding]:
    if len(looked) >= _MANY and all(edge.removed for edge in looked):
        message = (
            f"None of the {len(looked)} relations of ours that were looked for can be seen: either all were removed by "
            "hand, or the account may no longer read cmdb_rel_ci. None of them counts as linked."
        )
        yield Finding(record="instance", rule="relation.none_seen", severity=Severity.WARNING, message=message)


def removed(edge: KnownRelation, role: str, upper: SourceKey, *, again: bool) -> Finding:
    """What is told of a wanted edge that was removed by hand; ``again``: it is drawn again."""
    gone = f"Its {role} edge to {upper} was removed in ServiceNow by hand"
    message = (
        f"{gone}: it is drawn again, as the settings or --full say."
        if again
        else f"{gone}: it stays away and does not count as linked. To have it drawn again: snowload load --full, or "
        'mapping.on_manual_change = "overwrite".'
    )
    rule = DRAWN_AGAIN if again else REMOVED
    return Finding(record=str(edge.lower), rule=rule, severity=Severity.INFO, message=message, field=role)
