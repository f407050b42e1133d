"""When an edge follows a device or client that hangs elsewhere now: never on one read alone (cmdb-model 6.7)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from beast_dream_snow_loader.core.changes import UnlinkChange
from beast_dream_snow_loader.core.desired import ClientLink, ConfigItem, Relation
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.core.known import KnownRelation
from beast_dream_snow_loader.core.observed import Looked

READS = 2
"""Complete reads in a row that must show the same new upper end."""


@dataclass(slots=True, kw_only=True)
class Moves:
    """``waiting`` are wanted relations, by key, that may not be drawn yet, with the edge that stands for them;
    ``over`` edges that a wanted one has taken the place of; ``watched`` what is to be remembered for the next read."""

    waiting: dict[str, KnownRelation] = field(default_factory=dict)
    over: list[UnlinkChange] = field(default_factory=list)
    watched: list[KnownRelation] = field(default_factory=list)


def follow(
    wanted: Iterable[Relation],
    known: Iterable[KnownRelation],
    items: Mapping[SourceKey, ConfigItem | ClientLink],
    looked: Looked,
) -> Moves:
    """What became of the edges we know.

    An edge whose lower end shows no upper end now (offline, not listed, its far end unknown) stays as it is.
    """
    moves = Moves()
    now = {start_of(relation): relation for relation in wanted}
    for edge in known:
        relation, item = now.get(edge.start), items.get(edge.lower)
        fresh = item is not None and item.online and not item.stale and (item.lane, item.key.record) in looked
        watch = _watched(edge, relation) if fresh else edge
        if watch != edge:
            moves.watched.append(watch)
        if relation is None or relation.key == edge.relation_key:
            continue
        if watch.moved_to == relation.upper and watch.moved_reads >= READS:
            reason = f"it hangs on {relation.upper} now, seen in {watch.moved_reads} complete reads"
            moves.over.append(UnlinkChange(known=edge, reason=reason, replaced_by=relation.key))
        else:
            moves.waiting[relation.key] = watch
    moves.over = [unlink for unlink in moves.over if unlink.replaced_by not in moves.waiting]
    return moves


def start_of(relation: Relation) -> str:
    """As :attr:`KnownRelation.start`."""
    return f"{relation.role} {relation.lower}"


def _watched(edge: KnownRelation, relation: Relation | None) -> KnownRelation:
    """The edge after one more complete read of its lower end."""
    if relation is None or relation.key == edge.relation_key:
        return replace(edge, moved_to=None, moved_reads=0)
    again = edge.moved_to == relation.upper
    return replace(edge, moved_to=relation.upper, moved_reads=min(READS, edge.moved_reads + 1) if again else 1)
