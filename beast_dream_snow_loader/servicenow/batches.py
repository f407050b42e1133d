"""Smaller batches out of a batch, each complete in itself: both ends of every link are in it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from beast_dream_snow_loader.core.changes import ItemChange, LinkChange
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.core.mapping_tables import BASE_CLASS
from beast_dream_snow_loader.core.ports import Batch


def subjects(batch: Batch) -> list[str]:
    return [*(change.subject for change in batch.items), *(link.subject for link in batch.links)]


def part(batch: Batch, keys: Collection[SourceKey], links: Iterable[LinkChange]) -> Batch:
    """The items with these keys and these links; far ends that are not among the items are carried."""
    chosen = tuple(links)
    ends = {end for link in chosen for end in (link.relation.parent, link.relation.child)}
    everything = {change.item.key: change for change in (*batch.carried, *batch.items)}
    carried = tuple(change for key, change in everything.items() if key in ends and key not in keys)
    items = tuple(change for change in batch.items if change.item.key in keys)
    return Batch(lane=batch.lane, items=items, links=chosen, carried=carried)


def touching(batch: Batch, keys: Collection[SourceKey]) -> tuple[LinkChange, ...]:
    return tuple(link for link in batch.links if link.relation.parent in keys or link.relation.child in keys)


def halves(batch: Batch) -> tuple[Batch, Batch] | None:
    """Two batches for one that is too large; a link goes with its later end. None when it cannot be split."""
    if len(batch.items) > 1:
        middle = len(batch.items) // 2
        late = {change.item.key for change in batch.items[middle:]}
        early = {change.item.key for change in batch.items[:middle]}
        links = touching(batch, late)
        return part(batch, early, [link for link in batch.links if link not in links]), part(batch, late, links)
    if len(batch.links) > 1:
        middle = len(batch.links) // 2
        keys = {change.item.key for change in batch.items}
        return part(batch, keys, batch.links[:middle]), part(batch, (), batch.links[middle:])
    return None


def with_next_class(change: ItemChange, classes: Collection[str]) -> ItemChange | None:
    """The change moved to the next class of its chain when its class is one of these; None at the chain's end."""
    chain = change.item.class_chain
    name = change.item.class_name or chain[0]
    if name not in classes:
        return change
    following = chain[chain.index(name) + 1 :] if name in chain else ()
    chosen = next((further for further in following if further not in classes), None)
    return None if chosen is None else in_class(change, chosen)


def in_class(change: ItemChange, name: str) -> ItemChange:
    return replace(change, item=replace(change.item, class_name=name))


def apart(batch: Batch) -> tuple[Batch, Batch]:
    """What the engine takes, and what belongs to the base class: its items, and every link that has one as an end."""
    everything = {change.item.key: change for change in (*batch.carried, *batch.items)}
    base = {key for key, change in everything.items() if change.item.class_name == BASE_CLASS}
    if not base:
        return batch, Batch(lane=batch.lane, items=())
    links = touching(batch, base)
    own = {change.item.key for change in batch.items}
    return (
        part(batch, own - base, [link for link in batch.links if link not in links]),
        part(batch, own & base, links),
    )


def moved(batch: Batch, classes: Collection[str]) -> Batch:
    """The batch with every item of these classes moved one class up its chain, where it can be."""
    if not classes:
        return batch
    items = tuple(with_next_class(change, classes) or change for change in batch.items)
    carried = tuple(with_next_class(change, classes) or change for change in batch.carried)
    return replace(batch, items=items, carried=carried)
