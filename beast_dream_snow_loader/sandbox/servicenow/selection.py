"""Which rows a query means, and in what order: by index where one fits, from memory while nothing has changed.

A keyset page (``…^sys_id>X^ORDERBYsys_id``) is a cut of the list its query has without the keyset, so that reading
200,000 rows page by page evaluates the query once.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import eq, ge, gt, le, lt, ne

from beast_dream_snow_loader.sandbox.servicenow.conditions import Conditions, Test, sort_key
from beast_dream_snow_loader.sandbox.servicenow.encoded_query import (
    Alternatives,
    Conjunction,
    EncodedQuery,
    Joined,
    Term,
)
from beast_dream_snow_loader.sandbox.servicenow.records import Instance

_REMEMBERED = 16
_COMPARE: dict[str, Callable[[int, int], bool]] = {"=": eq, "!=": ne, ">": gt, "<": lt, ">=": ge, "<=": le}
_BY_SYS_ID = (("sys_id", False),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """``sys_ids`` in order; ``dropped``: the fields and pieces of the query that did not count."""

    sys_ids: Sequence[str]
    dropped: tuple[str, ...] = ()


class Selector:
    """Answers queries over an instance. Call it under the instance's lock."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._conditions = Conditions(instance)
        self._remembered: OrderedDict[tuple[str, EncodedQuery], tuple[int, Selection]] = OrderedDict()

    def select(self, table: str, query: EncodedQuery) -> Selection:
        """Rows of the table and of those extending it. TableMissing."""
        base, after = _without_keyset(query)
        if after is None:
            return self._remember(table, query)
        whole = self._remember(table, base)
        return Selection(sys_ids=whole.sys_ids[bisect_right(whole.sys_ids, after) :], dropped=whole.dropped)

    def _remember(self, table: str, query: EncodedQuery) -> Selection:
        if _depends_on_the_moment(query):
            return self._evaluate(table, query)
        key, version = (table, query), self._instance.version
        held = self._remembered.get(key)
        if held is None or held[0] != version:
            held = (version, self._evaluate(table, query))
            self._remembered[key] = held
        self._remembered.move_to_end(key)
        if len(self._remembered) > _REMEMBERED:
            self._remembered.popitem(last=False)
        return held[1]

    def _evaluate(self, table: str, query: EncodedQuery) -> Selection:
        dropped = list(query.unreadable)
        found: dict[str, None] = {}
        for branch in query.branches:
            for sys_id in self._branch(table, branch, dropped):
                found[sys_id] = None
        ordered = self._ordered(table, list(found), query.order)
        return Selection(sys_ids=ordered, dropped=tuple(dict.fromkeys(dropped)))

    def _branch(self, table: str, branch: Conjunction, dropped: list[str]) -> Iterable[str]:
        tests = [test for group in branch if (test := self._any_of(table, group, dropped)) is not None]
        tree, lineage = self._instance.tree(table), frozenset(self._instance.lineage(table))
        narrowed = self._narrowed(table, branch)
        candidates = list(tree.of_classes(self._instance.lineage(table)) if narrowed is None else narrowed)
        for sys_id in candidates:
            row = tree.rows.get(sys_id)
            if row is None or (narrowed is not None and tree.class_of(row) not in lineage):
                continue
            if all(test(row) for test in tests):
                yield sys_id

    def _any_of(self, table: str, group: Alternatives, dropped: list[str]) -> Test | None:
        tests: list[Test] = []
        for condition in group:
            test = self._one(table, condition)
            if test is None:
                dropped.append(condition.field)
            else:
                tests.append(test)
        if len(tests) <= 1:
            return tests[0] if tests else None
        return lambda row: any(test(row) for test in tests)

    def _one(self, table: str, condition: Term | Joined) -> Test | None:
        return (
            self._conditions.test(table, condition) if isinstance(condition, Term) else self._joined(table, condition)
        )

    def _joined(self, table: str, joined: Joined) -> Test | None:
        if joined.table not in self._instance.tables or joined.element not in self._instance.fields(joined.table):
            return None
        own = self._conditions.fields.resolve(table, joined.field)
        if own is None:
            return None
        counts: dict[str, int] = {}
        rows = self._instance.tree(joined.table).rows
        for sys_id in self._evaluate(joined.table, joined.condition).sys_ids:
            value = rows[sys_id][joined.element]
            counts[value] = counts.get(value, 0) + 1
        compare, read, number = _COMPARE[joined.comparison], own[1], joined.number
        return lambda row: bool(compare(counts.get(read(row), 0), number))

    def _narrowed(self, table: str, branch: Conjunction) -> Iterable[str] | None:
        """The fewest rows an index can offer for one of the groups; None when none applies."""
        offers = [offer for group in branch if (offer := self._offer(table, group)) is not None]
        return min(offers, key=len) if offers else None

    def _offer(self, table: str, group: Alternatives) -> list[str] | None:
        union: dict[str, None] = {}
        for condition in group:
            values = self._indexable(table, condition)
            if values is None:
                return None
            for value in values:
                union.update(dict.fromkeys(self._hits(table, condition.field, value)))
        return list(union)

    def _indexable(self, table: str, condition: Term | Joined) -> list[str] | None:
        if not isinstance(condition, Term) or condition.operator not in ("=", "IN"):
            return None
        usable = condition.field == "sys_id" or self._instance.tree(table).is_indexed(condition.field)
        if not usable or condition.field not in self._instance.fields(table):
            return None
        value = self._conditions.value(condition.value)
        values = [part.strip() for part in value.split(",")] if condition.operator == "IN" else [value]
        return None if "" in values or "NULL" in values else values

    def _hits(self, table: str, field: str, value: str) -> Iterable[str]:
        if field == "sys_id":
            return (value.lower(),)
        return self._instance.tree(table).lookup(field, value)

    def _ordered(self, table: str, sys_ids: list[str], order: Sequence[tuple[str, bool]]) -> list[str]:
        if tuple(order) == _BY_SYS_ID:
            return sorted(sys_ids)
        rows = self._instance.tree(table).rows
        for path, descending in reversed(order):
            found = self._conditions.fields.resolve(table, path)
            if found is not None:
                definition, read = found
                shown = self._conditions.fields.shown(definition, read)
                keys = {sys_id: sort_key(definition, shown(rows[sys_id])) for sys_id in sys_ids}
                sys_ids.sort(key=keys.__getitem__, reverse=descending)
        return sys_ids


def _without_keyset(query: EncodedQuery) -> tuple[EncodedQuery, str | None]:
    """The query without its ``sys_id>X`` and that X; X is None when it is no keyset page."""
    if query.order != _BY_SYS_ID or len(query.branches) != 1:
        return query, None
    branch = query.branches[0]
    for position, group in enumerate(branch):
        first = group[0]
        if len(group) == 1 and isinstance(first, Term) and (first.field, first.operator) == ("sys_id", ">"):
            rest = (*branch[:position], *branch[position + 1 :])
            return EncodedQuery((rest,), query.order, query.unreadable), first.value.casefold()
    return query, None


def _depends_on_the_moment(query: EncodedQuery) -> bool:
    text = repr(query)
    return "javascript:" in text or "RELATIVE" in text or "DYNAMIC" in text
