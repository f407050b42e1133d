"""Items of a payload that are the same CI: found before anything is looked up, then merged or refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from beast_dream_snow_loader.sandbox.servicenow.ire.payload import Item, SubItem
from beast_dream_snow_loader.sandbox.servicenow.ire.rules import Entry, IdentificationRule, RuleBook
from beast_dream_snow_loader.sandbox.servicenow.values import to_text

Key = tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """The items at these indices agree in ``elements``."""

    first: int
    other: int
    table: str
    elements: str


class Duplicates:
    """Groups items that agree in their source key or in an identifier.

    ``hosts`` maps a dependent item to its host: two ports named alike are the same only on the same device.
    """

    def __init__(self, book: RuleBook, hosts: Mapping[int, int], *, by_any_entry: bool) -> None:
        self._book = book
        self._hosts = hosts
        self._by_any_entry = by_any_entry
        self._leader: dict[int, int] = {}
        self._seen: dict[Key, int] = {}
        self.found: list[Duplicate] = []

    def look(self, items: Sequence[Item]) -> None:
        """Hosts before what hangs on them, because a dependent item is known by its host."""
        for item in sorted(items, key=lambda one: self._depth(one.index)):
            if not item.anchor:
                self._place(item)

    def leader(self, index: int) -> int:
        """The first item of the group this one belongs to."""
        while index in self._leader:
            index = self._leader[index]
        return index

    def _depth(self, index: int) -> int:
        """How many hosts are above; a loop, which is refused later, ends the count."""
        above: set[int] = set()
        while index in self._hosts and index not in above:
            above.add(index)
            index = self._hosts[index]
        return len(above)

    def _place(self, item: Item) -> None:
        for key, elements in self._keys(item):
            first = self.leader(self._seen.setdefault(key, item.index))
            own = self.leader(item.index)
            if first != own:
                early, late = sorted((first, own))
                self._leader[late] = early
                self.found.append(Duplicate(first=early, other=late, table=item.class_name, elements=elements))

    def _keys(self, item: Item) -> Iterator[tuple[Key, str]]:
        for source in item.sources:
            yield ("source", source.name, source.native_key.casefold()), "source_native_key"
        if item.text("sys_id"):
            yield ("sys_id", item.text("sys_id")), "sys_id"
        rule = self._book.rule_for(item.class_name)
        for entry in rule.tried if rule else ():
            values = entry_values(item, entry)
            if rule and values:
                host = self.leader(self._hosts[item.index]) if item.index in self._hosts else None
                yield (rule.applies_to, entry.order, host, values), ",".join(entry.attributes)
                if not self._by_any_entry:
                    return


def entry_values(item: Item, entry: Entry) -> frozenset[tuple[str, ...]]:
    """What the entry would search by, without case; empty when the payload lacks one of its attributes."""
    if not entry.table:
        values = tuple(item.text(name).casefold() for name in entry.attributes)
        return frozenset({values}) if all(values) else frozenset()
    rows = [row for sub in item.lookups if (row := lookup_values(sub, entry)) is not None]
    return frozenset(tuple(value.casefold() for value in row) for row in rows)


def lookup_values(sub: SubItem, entry: Entry) -> tuple[str, ...] | None:
    """The attributes of a lookup item; None when it does not serve this entry."""
    if sub.class_name != entry.table:
        return None
    texts = {name: to_text(value) for name, value in sub.values.items()}
    values = tuple(texts.get(name, "") for name in entry.attributes)
    stands = all(
        condition.holds({condition.element: _DEFAULTS.get(condition.element, ""), **texts})
        for condition in entry.conditions
    )
    return values if all(values) and stands else None


_DEFAULTS = {"valid": "true", "absent": "false"}
"""What the columns get when a lookup item does not name them."""


def merge(items: Sequence[Item]) -> Item:
    """One item of several: the first one's values stand, the others fill gaps."""
    first = items[0]
    values: dict[str, object] = {}
    for item in items:
        values = {**item.values, **{name: value for name, value in values.items() if to_text(value)}}
    return replace(
        first,
        indices=tuple(index for item in items for index in item.indices),
        values=values,
        sources=tuple(dict.fromkeys(source for item in items for source in item.sources)),
        lookups=tuple(sub for item in items for sub in item.lookups),
        related=tuple(sub for item in items for sub in item.related),
        merged_ids=tuple(identity for item in items for identity in item.merged_ids),
    )


def distinct(subs: Sequence[SubItem], rule: IdentificationRule) -> tuple[list[SubItem], list[SubItem]]:
    """Sub-items that differ in what tells them apart, and the repeated ones."""
    seen: set[Key] = set()
    kept: list[SubItem] = []
    repeated: list[SubItem] = []
    for sub in subs:
        key = (sub.class_name, *(to_text(sub.values.get(name)).casefold() for name in sub_attributes(sub, rule)))
        (repeated if key in seen else kept).append(sub)
        seen.add(key)
    return kept, repeated


def sub_attributes(sub: SubItem, rule: IdentificationRule) -> tuple[str, ...]:
    found = rule.lookup(sub.class_name) if sub.is_lookup else rule.related_rule(sub.class_name)
    return found.attributes if found else ()
