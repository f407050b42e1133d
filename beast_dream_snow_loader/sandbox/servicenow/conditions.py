"""A query's conditions made into tests on rows, by the field's type.

Text compares without case, as usual collations do; ``!=`` and the other negations also hold for an empty field.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from beast_dream_snow_loader.sandbox.servicenow import moments
from beast_dream_snow_loader.sandbox.servicenow.dictionary import FieldDefinition
from beast_dream_snow_loader.sandbox.servicenow.encoded_query import Term
from beast_dream_snow_loader.sandbox.servicenow.records import Instance
from beast_dream_snow_loader.sandbox.servicenow.storage import Row

Test = Callable[[Row], bool]
Read = Callable[[Row], str]
Sortable = tuple[int, float, str]

ME: Final = "90d1921e5f510100a9ad2572f2b477fe"
"""The shipped dynamic filter option "Me"."""
_NUMERIC = frozenset({"integer", "decimal", "floating_point_number", "currency"})
_ORDER = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_RELATIVE = {"RELATIVEGT": operator.gt, "RELATIVELT": operator.lt, "RELATIVEGE": operator.ge, "RELATIVELE": operator.le}
_TEXT: Mapping[str, Callable[[str, str], bool]] = {
    "STARTSWITH": str.startswith,
    "ENDSWITH": str.endswith,
    "%": str.endswith,
    "LIKE": operator.contains,
    "CONTAINS": operator.contains,
    "*": operator.contains,
    "NOT LIKE": lambda text, part: part not in text,
    "DOES NOT CONTAIN": lambda text, part: part not in text,
    "!*": lambda text, part: part not in text,
}


class Fields:
    """Resolves field names of a table, over references, to their definition and a way to read them."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def resolve(self, table: str, path: str) -> tuple[FieldDefinition, Read] | None:
        """None when some step is not a field, or is walked from and no reference."""
        head, dot, rest = path.partition(".")
        definition = self._instance.fields(table).get(head)
        if definition is None:
            return None
        if not dot:
            return definition, _reader(head)
        if not definition.is_reference or definition.reference not in self._instance.tables:
            return None
        inner = self.resolve(definition.reference, rest)
        return (inner[0], self._walk(definition, inner[1])) if inner else None

    def shown(self, definition: FieldDefinition, read: Read) -> Read:
        """What text operators look at: of a reference its display value."""
        if not definition.is_reference:
            return read
        return lambda row: self._instance.name_of(definition.reference, read(row))

    def _walk(self, definition: FieldDefinition, read: Read) -> Read:
        def walked(row: Row) -> str:
            target = self._instance.get(definition.reference, row.get(definition.element, ""))
            return read(target) if target is not None else ""

        return walked


def _reader(element: str) -> Read:
    return lambda row: row.get(element, "")


def sort_key(definition: FieldDefinition, value: str) -> Sortable:
    """Empty first, numbers by size, text without case."""
    if not value:
        return (0, 0.0, "")
    if definition.type in _NUMERIC:
        try:
            return (1, float(value), "")
        except ValueError:
            pass
    return (1, 0.0, value.casefold())


class Conditions:
    """Builds tests. None from :meth:`test`: the field or the condition is unknown, so the term does not count."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self.fields = Fields(instance)

    def test(self, table: str, term: Term) -> Test | None:
        found = self.fields.resolve(table, term.field)
        if found is None:
            return None
        definition, read = found
        for build in (self._plain, self._ordered, self._text, self._dated):
            test = build(table, definition, read, term)
            if test is not None:
                return test
        return None

    def value(self, text: str) -> str:
        user = self._instance.find("sys_user", user_name=self._instance.user)
        return moments.script_value(text, self._instance.clock.now(), user[0]["sys_id"] if user else "")

    def _plain(self, table: str, _: FieldDefinition, read: Read, term: Term) -> Test | None:
        kind, value = term.operator, self.value(term.value)
        if kind in ("=", "!="):
            return _equality(read, "" if value == "NULL" else value.casefold(), negated=kind == "!=")
        if kind in ("IN", "NOT IN"):
            listed = frozenset(part.strip().casefold() for part in value.split(","))
            negated = kind == "NOT IN"
            return lambda row: (read(row).casefold() in listed) != negated
        if kind in ("ISEMPTY", "EMPTYSTRING"):
            return lambda row: not read(row)
        if kind == "ISNOTEMPTY":
            return lambda row: bool(read(row))
        if kind == "ANYTHING":
            return lambda _: True
        return self._by_reference(table, read, kind, value)

    def _by_reference(self, table: str, read: Read, kind: str, value: str) -> Test | None:
        if kind == "INSTANCEOF":
            return lambda row: self._instance.dictionary.is_a(read(row), value)
        if kind == "DYNAMIC" and value == ME:
            me = self.value("javascript:gs.getUserID()")
            return lambda row: bool(me) and read(row) == me
        if kind in ("SAMEAS", "NSAMEAS"):
            other = self.fields.resolve(table, value)
            if other is None:
                return None
            negated, read_other = kind == "NSAMEAS", other[1]
            return lambda row: (read(row).casefold() == read_other(row).casefold()) != negated
        return None

    def _ordered(self, _: str, definition: FieldDefinition, read: Read, term: Term) -> Test | None:
        if term.operator in _ORDER:
            compare, limit = _ORDER[term.operator], sort_key(definition, self.value(term.value))
            return lambda row: bool(read(row)) and bool(compare(sort_key(definition, read(row)), limit))
        if term.operator in ("BETWEEN", "ON", "NOTON"):
            low, high = ["", "", *term.value.split("@")][-2:]
            bounds = sort_key(definition, self.value(low)), sort_key(definition, self.value(high))
            negated = term.operator == "NOTON"
            return lambda row: (
                bool(read(row)) and ((bounds[0] <= sort_key(definition, read(row)) <= bounds[1]) != negated)
            )
        return None

    def _text(self, _: str, definition: FieldDefinition, read: Read, term: Term) -> Test | None:
        if term.operator not in _TEXT:
            return None
        compare, part = _TEXT[term.operator], self.value(term.value).casefold()
        shown = self.fields.shown(definition, read)
        return lambda row: compare(shown(row).casefold(), part)

    def _dated(self, table: str, _: FieldDefinition, read: Read, term: Term) -> Test | None:
        if term.operator in _RELATIVE:
            limit = moments.relative_limit(term.value, self._instance.clock.now())
            return _compared_with(read, _RELATIVE[term.operator], limit) if limit else None
        if term.operator == "DATEPART":
            return _date_part(read, term.value)
        if term.operator in ("MORETHAN", "LESSTHAN"):
            other_name, _at, distance = term.value.partition("@")
            other = self.fields.resolve(table, other_name)
            return _apart(read, other[1], f"@{distance}", wanted=term.operator == "MORETHAN") if other else None
        return None


def _equality(read: Read, value: str, *, negated: bool) -> Test:
    if negated:
        return lambda row: read(row).casefold() != value
    return lambda row: read(row).casefold() == value


def _compared_with(read: Read, compare: Callable[[Any, Any], Any], limit: datetime) -> Test:
    def test(row: Row) -> bool:
        moment = moments.parse_moment(read(row))
        return moment is not None and bool(compare(moment, limit))

    return test


def _date_part(read: Read, value: str) -> Test:
    def test(row: Row) -> bool:
        moment = moments.parse_moment(read(row))
        return moment is not None and bool(moments.in_date_part(value, moment))

    return test


def _apart(read: Read, read_other: Read, distance: str, *, wanted: bool) -> Test:
    return lambda row: moments.further_apart(read(row), read_other(row), distance) is wanted
