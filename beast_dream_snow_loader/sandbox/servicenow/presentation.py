"""A stored row as the wire shows it: raw, as display values, or both; references with or without links."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from beast_dream_snow_loader.sandbox.servicenow.conditions import Fields, Read
from beast_dream_snow_loader.sandbox.servicenow.dictionary import FieldDefinition
from beast_dream_snow_loader.sandbox.servicenow.moments import parse_moment
from beast_dream_snow_loader.sandbox.servicenow.records import Instance
from beast_dream_snow_loader.sandbox.servicenow.storage import Row
from beast_dream_snow_loader.sandbox.servicenow.values import DATE_TIME_FORMAT

Shown = str | dict[str, str]
Column = tuple[str, FieldDefinition, Read]
"""A name of the answer, what it is, and how to read it from a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """``display`` is ``false``, ``true`` or ``all``; ``offset_hours`` the reader's time zone."""

    display: str = "false"
    exclude_reference_link: bool = False
    offset_hours: int = 0


class Presenter:
    """``link`` gives the address of a referenced record from its table and sys_id."""

    def __init__(self, instance: Instance, style: Style, link: Callable[[str, str], str]) -> None:
        self._instance = instance
        self._style = style
        self._link = link

    def record(self, columns: Iterable[Column], row: Row) -> dict[str, Shown]:
        return {name: self._one(definition, read(row)) for name, definition, read in columns}

    def display_value(self, definition: FieldDefinition, value: str) -> str:
        if not value:
            return ""
        if definition.is_reference:
            return self._instance.name_of(definition.reference, value) or value
        if definition.choice:
            return self._instance.choices(definition).get(value, value)
        if definition.type == "sys_class_name":
            table = self._instance.tables.get(value)
            return table.label if table else value
        if definition.type in ("glide_date_time", "due_date"):
            return self._local(value)
        if definition.type == "integer":
            return f"{int(value):,}"
        return value

    def _one(self, definition: FieldDefinition, value: str) -> Shown:
        if definition.is_reference and value and not self._style.exclude_reference_link:
            return self._linked(definition, value)
        if self._style.display == "false":
            return value
        shown = self.display_value(definition, value)
        return shown if self._style.display == "true" else {"display_value": shown, "value": value}

    def _linked(self, definition: FieldDefinition, value: str) -> dict[str, str]:
        link = self._link(definition.reference, value)
        if self._style.display == "false":
            return {"link": link, "value": value}
        shown = {"display_value": self.display_value(definition, value), "link": link}
        return shown if self._style.display == "true" else {**shown, "value": value}

    def _local(self, value: str) -> str:
        moment = parse_moment(value)
        return (moment + timedelta(hours=self._style.offset_hours)).strftime(DATE_TIME_FORMAT) if moment else value


def columns(instance: Instance, table: str, names: Iterable[str] | None, hidden: frozenset[str]) -> tuple[Column, ...]:
    """All fields of ``table``, or the ``names`` asked for that exist there; hidden ones are left out.

    A record of a child class read through its parent's table shows the parent's fields only.
    """
    fields = Fields(instance)
    wanted = [name for name in (instance.fields(table) if names is None else names) if name not in hidden]
    found = ((name, fields.resolve(table, name)) for name in wanted)
    return tuple((name, *resolved) for name, resolved in found if resolved is not None)


def hidden_fields(
    instance: Instance, table: str, hidden: Mapping[str, frozenset[str]], allowed: frozenset[str] | None
) -> frozenset[str]:
    """What to leave out: fields hidden on this table or on one it extends, and all but the allowed ones."""
    left_out = frozenset().union(*(hidden.get(name, frozenset()) for name in (table, *instance.ancestors(table))))
    if allowed is None:
        return left_out
    return left_out | (frozenset(instance.fields(table)) - allowed)
