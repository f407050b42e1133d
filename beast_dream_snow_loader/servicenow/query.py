"""Encoded queries that cannot be injected.

ServiceNow's query language has no escape (servicenow-api 2.3), so a value that could end its term is refused, not
mended: the caller decides what to do without the query. ServiceNow also drops terms it does not understand and then
answers with every row, so each row is checked again with :meth:`Query.holds`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

_FIELD = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*\Z")
_TABLE = re.compile(r"[a-z][a-z0-9_]*\Z")
# Lower case only: ``IN`` directly followed by ``STANCEOF`` would be another operator.
_TOKEN = re.compile(r"(?!(?i:stanceof))[A-Za-z0-9][A-Za-z0-9_./:-]*\Z")


class _Operator(StrEnum):
    EQUALS = "="
    STARTS_WITH = "STARTSWITH"
    GREATER = ">"
    IN = "IN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One condition. ``values`` holds one value; several for ``IN``, and for ``=`` where any of them will do."""

    field: str
    operator: _Operator
    values: tuple[str, ...]

    def __str__(self) -> str:
        if self.operator is _Operator.EQUALS:
            return "^OR".join(f"{self.field}={value}" for value in self.values)
        return f"{self.field}{self.operator}{','.join(self.values)}"

    def holds(self, row: Mapping[str, str]) -> bool:
        """Whether a row satisfies it, ignoring case as most databases do; a row without the field does not."""
        if self.field not in row:
            return False
        stored, wanted = row[self.field].casefold(), tuple(value.casefold() for value in self.values)
        if self.operator is _Operator.STARTS_WITH:
            return stored.startswith(wanted[0])
        return stored > wanted[0] if self.operator is _Operator.GREATER else stored in wanted


@dataclass(frozen=True, slots=True)
class Query:
    """Conditions joined by AND, built term by term: ``Query().equals("name", "UniFi").order_by("sys_id")``.

    Every builder raises ValueError for a field name or value that must not be sent.
    """

    terms: tuple[Term, ...] = ()
    order: tuple[str, ...] = ()

    def equals(self, field: str, value: str) -> Query:
        return self._and(field, _Operator.EQUALS, (_checked(value),))

    def equals_any(self, field: str, values: Iterable[str]) -> Query:
        """For texts, which ``IN`` does not take because they may hold commas."""
        checked = tuple(_checked(value) for value in dict.fromkeys(values))
        if not checked:
            raise ValueError("at least one value is needed")
        return self._and(field, _Operator.EQUALS, checked)

    def starts_with(self, field: str, value: str) -> Query:
        return self._and(field, _Operator.STARTS_WITH, (_checked(value),))

    def greater(self, field: str, value: str) -> Query:
        if value.startswith("="):
            raise ValueError("a value after > must not begin with =")
        return self._and(field, _Operator.GREATER, (_checked(value),))

    def is_in(self, field: str, tokens: Iterable[str]) -> Query:
        """For sys_ids, native keys, plain serials and element names: their alphabet holds neither comma nor caret."""
        checked = tuple(dict.fromkeys(tokens))
        if not checked or not all(_TOKEN.match(token) for token in checked):
            raise ValueError("IN takes at least one sys_id, native key or lower-case name")
        return self._and(field, _Operator.IN, checked)

    def order_by(self, field: str) -> Query:
        return replace(self, order=(*self.order, checked_field(field)))

    def holds(self, row: Mapping[str, str]) -> bool:
        return all(term.holds(row) for term in self.terms)

    @property
    def fields(self) -> tuple[str, ...]:
        """What a row must show so that it can be checked."""
        return tuple(dict.fromkeys(term.field for term in self.terms))

    def __str__(self) -> str:
        """The encoded query, not yet percent-encoded."""
        return "^".join((*map(str, self.terms), *(f"ORDERBY{field}" for field in self.order)))

    def _and(self, field: str, operator: _Operator, values: tuple[str, ...]) -> Query:
        term = Term(field=checked_field(field), operator=operator, values=values)
        return replace(self, terms=(*self.terms, term))


def checked_field(field: str) -> str:
    """The field name, dot-walking allowed; ValueError for anything that is none."""
    if not _FIELD.match(field):
        raise ValueError(f"not a field name: {field!r}")
    return field


def checked_table(table: str) -> str:
    """The table name, fit to stand in a path; ValueError for anything that is none."""
    if not _TABLE.match(table):
        raise ValueError(f"not a table name: {table!r}")
    return table


def _checked(value: str) -> str:
    if not value.strip():
        raise ValueError("an empty value matches more than it seems to")
    if "^" in value or any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in value):
        raise ValueError("the value holds a character that would end the query term")
    if value.lstrip().casefold().startswith("javascript:"):
        raise ValueError("the value would be run as a script")
    return value
