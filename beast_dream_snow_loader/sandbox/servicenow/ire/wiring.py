"""The payload's relations: which items they tie, of which type, and which item is whose host."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from beast_dream_snow_loader.sandbox.servicenow.ire import issues
from beast_dream_snow_loader.sandbox.servicenow.ire.issues import Issue
from beast_dream_snow_loader.sandbox.servicenow.ire.payload import Item, Payload, Relation
from beast_dream_snow_loader.sandbox.servicenow.ire.rules import DependencyRule, RuleBook
from beast_dream_snow_loader.sandbox.servicenow.records import Instance


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A relation with its ends and type found; with ``issues`` it cannot be made. Ends are indices of the payload."""

    relation: Relation
    parent: int = -1
    child: int = -1
    type_sys_id: str = ""
    issues: tuple[Issue, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tie:
    """``host`` is the index of an item another one depends on, by ``rule``, through ``link``."""

    host: int
    rule: DependencyRule
    link: Link


class Wiring:
    """Everything here counts items as the payload does."""

    def __init__(self, instance: Instance, book: RuleBook, payload: Payload) -> None:
        self._instance = instance
        self._book = book
        self._items = payload.items
        self._by_id = {item.internal_id: item.index for item in reversed(payload.items) if item.internal_id}
        self._types: dict[str, tuple[str, tuple[Issue, ...]]] = {}
        self.links = tuple(self._link(relation) for relation in payload.relations)
        self._touching: dict[int, list[Link]] = defaultdict(list)
        for link in self.links:
            if not link.issues:
                self._touching[link.parent].append(link)
                self._touching[link.child].append(link)

    def index_of(self, internal_id: str) -> int | None:
        return self._by_id.get(internal_id)

    def ties(self, index: int) -> list[Tie]:
        """What the item depends on: empty for classes that depend on nothing, and when the relation is missing."""
        item = self._items[index]
        rules = self._book.hosts_of(item.class_name)
        found = (self._tie(index, link, rules) for link in self._touching.get(index, ()))
        return [tie for tie in found if tie is not None]

    def _tie(self, index: int, link: Link, rules: Sequence[DependencyRule]) -> Tie | None:
        is_a = self._book.dictionary.is_a
        for rule in rules:
            host, own = (link.parent, link.child) if rule.host == "parent" else (link.child, link.parent)
            host_class = rule.parent if rule.host == "parent" else rule.child
            if own == index and rule.type == link.relation.type and is_a(self._items[host].class_name, host_class):
                return Tie(host=host, rule=rule, link=link)
        return None

    def _link(self, relation: Relation) -> Link:
        parent, child = self._index(relation.parent), self._index(relation.child)
        type_sys_id, found = self._type(relation.type)
        for name, value, index in (("parent", relation.parent, parent), ("child", relation.child, child)):
            if index is None:
                found = (*found, issues.invalid_end(relation.printed(), name, value))
        if found or parent is None or child is None:
            return Link(relation=relation, issues=found)
        return Link(relation=relation, parent=parent, child=child, type_sys_id=type_sys_id)

    def _index(self, end: int | str) -> int | None:
        if isinstance(end, str):
            return self._by_id.get(end)
        return end if 0 <= end < len(self._items) else None

    def _type(self, name: str) -> tuple[str, tuple[Issue, ...]]:
        if name not in self._types:
            self._types[name] = self._find_type(name)
        return self._types[name]

    def _find_type(self, name: str) -> tuple[str, tuple[Issue, ...]]:
        """By exact name, other than most comparisons of the database."""
        found = [row["sys_id"] for row in self._instance.find("cmdb_rel_type", name=name) if row["name"] == name]
        if not found:
            return "", (issues.no_such_relation_type(name),)
        if len(found) > 1:
            return "", (issues.duplicate_relation_types(name, found),)
        return found[0], ()


def hosts(wiring: Wiring, items: Sequence[Item]) -> dict[int, int]:
    """Of each dependent item the index of its host, where there is just one."""
    ties = ((item.index, {tie.host for tie in wiring.ties(item.index)}) for item in items)
    return {index: next(iter(found)) for index, found in ties if len(found) == 1}
