"""In which order to write: what others hang on comes first, and what belongs together stays together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from beast_dream_snow_loader.core.changes import ItemChange, Lane
from beast_dream_snow_loader.core.desired import DesiredState, RelationRole
from beast_dream_snow_loader.core.identity import SourceKey


def top_down(desired: DesiredState) -> tuple[SourceKey, ...]:
    """All items, an uplink's far end before the device itself, each subtree in one piece.

    Branches that lead to a console come first, because everything on it is linked to it. Deterministic, and safe
    should uplinks go round in a circle.
    """
    above = {r.lower: r.upper for r in desired.relations if r.role is RelationRole.UPLINK and r.upper in desired.items}
    leading = _towards_consoles(desired, above)

    def rank(key: SourceKey) -> tuple[bool, bool, SourceKey]:
        return (key not in leading, key.record == "client", key)

    below: dict[SourceKey, list[SourceKey]] = {}
    for lower, upper in above.items():
        below.setdefault(upper, []).append(lower)
    order: dict[SourceKey, None] = {}
    roots = sorted((key for key in desired.items if key not in above), key=rank)
    for start in (*roots, *sorted(above)):
        stack = [] if start in order else [start]
        while stack:
            key = stack.pop()
            if key in order:
                continue
            order[key] = None
            stack.extend(sorted(below.get(key, ()), key=rank, reverse=True))
    return tuple(key for key in order if key in desired.items)


def _towards_consoles(desired: DesiredState, above: Mapping[SourceKey, SourceKey]) -> set[SourceKey]:
    """The consoles and everything above them."""
    leading: set[SourceKey] = set()
    for relation in desired.relations:
        at: SourceKey | None = relation.upper if relation.role is RelationRole.MANAGED_BY else None
        while at is not None and at not in leading:
            leading.add(at)
            at = above.get(at)
    return leading


def lanes(changes: Iterable[ItemChange], desired: DesiredState) -> tuple[Lane, ...]:
    """One lane per console that has changes, by name; inside, top down."""
    place = {key: index for index, key in enumerate(top_down(desired))}
    by_lane: dict[str, list[ItemChange]] = {}
    for change in sorted(changes, key=lambda change: place.get(change.item.key, len(place))):
        by_lane.setdefault(change.item.lane, []).append(change)
    return tuple(Lane(name=name, items=tuple(items)) for name, items in sorted(by_lane.items()))
