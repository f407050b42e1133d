"""Cutting a plan into requests: both ends of an edge must be items of the same one (cmdb-model 6.7)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from beast_dream_snow_loader.core.changes import ItemChange, LinkChange
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.core.ports import Batch

MOST_ITEMS = 500
"""Of one payload, carried ones included: the vendor's advice (servicenow-api 5.8)."""

LINKS_LANE = "links"
"""Name of a batch whose links join several consoles."""


def next_batch(
    lane: str,
    pending: Sequence[ItemChange],
    links: Iterable[LinkChange],
    size: int,
    there: Collection[SourceKey],
    carriers: Mapping[SourceKey, ItemChange],
) -> Batch:
    """The first ``size`` of the lane's pending items, and the links that become possible with them.

    A link goes along when its far end is in the batch, or is ``there`` (known or written) on the same console and
    ``carriers`` can name it again. Other links wait for a later batch of the lane or for :func:`link_batches`: two
    requests at once must not touch the same item, so nothing of another console is carried.
    """
    items = tuple(pending[: max(1, min(size, MOST_ITEMS))])
    own = {change.item.key for change in items}
    carried: dict[SourceKey, ItemChange] = {}
    taken: list[LinkChange] = []
    for link in links:
        ends = (link.relation.lower, link.relation.upper)
        far = [key for key in ends if key not in own]
        if len(far) == len(ends) or not all(_carriable(key, lane, there, carriers) for key in far):
            continue
        new = [key for key in far if key not in carried]
        if len(own) + len(carried) + len(new) <= MOST_ITEMS:
            carried.update((key, carriers[key]) for key in new)
            taken.append(link)
    return Batch(lane=lane, items=items, links=tuple(taken), carried=tuple(carried.values()))


def _carriable(
    key: SourceKey, lane: str, there: Collection[SourceKey], carriers: Mapping[SourceKey, ItemChange]
) -> bool:
    return key in there and key in carriers and carriers[key].item.lane == lane


def link_batches(links: Iterable[LinkChange], carriers: Mapping[SourceKey, ItemChange], size: int) -> tuple[Batch, ...]:
    """The links that are left, ``size`` a request, both ends carried; every link in exactly one batch.

    To be sent one after another. An end that ``carriers`` does not hold is not carried: such a link can only be queued.
    """
    ordered = sorted(links, key=lambda link: (_lane_of(link, carriers), link.relation.upper, link.relation.lower))
    return tuple(_links_only(group, carriers) for group in _cut(ordered, max(1, size)))


def _lane_of(link: LinkChange, carriers: Mapping[SourceKey, ItemChange]) -> str:
    ends = (carriers.get(link.relation.lower), carriers.get(link.relation.upper))
    names = {change.item.lane for change in ends if change is not None}
    return names.pop() if len(names) == 1 else LINKS_LANE


def _cut(links: Sequence[LinkChange], size: int) -> Iterator[list[LinkChange]]:
    group: list[LinkChange] = []
    ends: set[SourceKey] = set()
    for link in links:
        new = {link.relation.lower, link.relation.upper} - ends
        if group and (len(group) >= size or len(ends) + len(new) > MOST_ITEMS):
            yield group
            group, ends = [], set()
        group.append(link)
        ends |= {link.relation.lower, link.relation.upper}
    if group:
        yield group


def _links_only(group: Sequence[LinkChange], carriers: Mapping[SourceKey, ItemChange]) -> Batch:
    ends = dict.fromkeys(key for link in group for key in (link.relation.upper, link.relation.lower))
    names = {_lane_of(link, carriers) for link in group}
    return Batch(
        lane=names.pop() if len(names) == 1 else LINKS_LANE,
        items=(),
        links=tuple(group),
        carried=tuple(carriers[key] for key in ends if key in carriers),
    )
