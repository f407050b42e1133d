"""Tables, their fields, and where they inherit from: what sys_db_object and sys_dictionary describe.

Field lists and lengths follow the public dictionary of the base system as far as it is known.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files

CLASS_MODELS = "class_models"
_TABLE_FILES = ("platform.toml", "classes.toml")
_DEFAULT_LENGTH = 40
_REFERENCE_LENGTH = 32
_REFERENCE_TYPES = frozenset({"reference", "domain_id"})
_ACRONYMS = {"ip": "IP", "mac": "MAC", "id": "ID", "os": "OS", "cpu": "CPU", "dns": "DNS", "sys": "System"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldDefinition:
    """A column. ``table`` is where it is declared; ``choice``: its values are rows of sys_choice."""

    table: str
    element: str
    type: str = "string"
    label: str = ""
    max_length: int = _DEFAULT_LENGTH
    reference: str = ""
    mandatory: bool = False
    read_only: bool = False
    unique: bool = False
    display: bool = False
    choice: bool = False
    default: str = ""

    @property
    def is_reference(self) -> bool:
        return self.type in _REFERENCE_TYPES


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDefinition:
    """A table. ``own`` holds the fields it declares itself; inherited ones are with its ancestors."""

    name: str
    label: str
    parent: str = ""
    extendable: bool = False
    own: Mapping[str, FieldDefinition] = field(default_factory=dict)


class Dictionary:
    """All tables, with inheritance resolved once."""

    def __init__(self, tables: Iterable[TableDefinition]) -> None:
        self.tables: Mapping[str, TableDefinition] = {table.name: table for table in tables}
        self._ancestors = {name: self._walk_up(name) for name in self.tables}
        self._descendants: dict[str, list[str]] = {name: [] for name in self.tables}
        for name, ancestors in self._ancestors.items():
            for ancestor in ancestors:
                self._descendants[ancestor].append(name)
        self._fields = {name: self._inherit(name) for name in self.tables}
        self._display = {name: self._display_element(name) for name in self.tables}

    def ancestors(self, table: str) -> tuple[str, ...]:
        """From the parent up to the root, nearest first."""
        return self._ancestors.get(table, ())

    def descendants(self, table: str) -> tuple[str, ...]:
        """Every table below, in order of declaration."""
        return tuple(self._descendants.get(table, ()))

    def children(self, table: str) -> tuple[str, ...]:
        return tuple(name for name, definition in self.tables.items() if definition.parent == table)

    def is_a(self, table: str, ancestor: str) -> bool:
        return table == ancestor or ancestor in self._ancestors.get(table, ())

    def root(self, table: str) -> str:
        return self._ancestors[table][-1] if self._ancestors[table] else table

    def fields(self, table: str) -> Mapping[str, FieldDefinition]:
        """Own and inherited."""
        return self._fields[table]

    def display_element(self, table: str) -> str:
        """The field whose value stands for the record; ``sys_id`` when none is declared."""
        return self._display[table]

    def _walk_up(self, table: str) -> tuple[str, ...]:
        parent = self.tables[table].parent
        return (parent, *self._walk_up(parent)) if parent else ()

    def _inherit(self, table: str) -> dict[str, FieldDefinition]:
        merged: dict[str, FieldDefinition] = {}
        for name in (*reversed(self._ancestors[table]), table):
            merged.update(self.tables[name].own)
        return merged

    def _display_element(self, table: str) -> str:
        return next((element for element, found in self._fields[table].items() if found.display), "sys_id")


def load_dictionary(*, class_models: bool = False, without: frozenset[str] = frozenset()) -> Dictionary:
    """The dictionary of an instance.

    ``class_models`` adds the classes of the Store app CMDB CI Class Models; ``without`` removes tables, and what
    extends them, as on an instance that lacks a plugin.
    """
    definitions = [entry for name in _TABLE_FILES for entry in _read(name)]
    kept: dict[str, TableDefinition] = {}
    for definition, app in definitions:
        installed = class_models or app != CLASS_MODELS
        orphaned = bool(definition.parent) and definition.parent not in kept
        if installed and definition.name not in without and not orphaned:
            kept[definition.name] = definition
    return Dictionary(kept.values())


def _read(file_name: str) -> list[tuple[TableDefinition, str]]:
    text = files(f"{__package__}.data").joinpath(file_name).read_text(encoding="utf-8")
    return [(_table(name, entry), str(entry.get("app", ""))) for name, entry in tomllib.loads(text).items()]


def _table(name: str, entry: Mapping[str, object]) -> TableDefinition:
    parent = str(entry.get("parent", ""))
    extendable = bool(entry.get("extendable", False))
    own = {} if parent else _system_fields(name, extendable)
    for line in str(entry.get("fields", "")).strip().splitlines():
        parsed = parse_field(name, line)
        own[parsed.element] = parsed
    return TableDefinition(name=name, label=str(entry["label"]), parent=parent, extendable=extendable, own=own)


def _system_fields(table: str, extendable: bool) -> dict[str, FieldDefinition]:
    lines = [
        "sys_id GUID:32 | Sys ID",
        "sys_created_on glide_date_time | Created",
        "sys_created_by string:40 | Created by",
        "sys_updated_on glide_date_time | Updated",
        "sys_updated_by string:40 | Updated by",
        "sys_mod_count integer | Updates",
        "sys_tags related_tags:40 | Tags",
    ]
    if extendable:
        lines.append("sys_class_name sys_class_name:80 | Class")
    return {parsed.element: parsed for parsed in (parse_field(table, line) for line in lines)}


def parse_field(table: str, line: str) -> FieldDefinition:
    """One line of the data files: ``element type[:length][>table] [flag ...] [default=value] [| label]``."""
    head, _, label = line.partition("|")
    head, _, default = head.partition(" default=")
    element, kind, *flags = head.split()
    kind, _, reference = kind.partition(">")
    kind, _, length = kind.partition(":")
    is_reference = kind in _REFERENCE_TYPES
    return FieldDefinition(
        table=table,
        element=element,
        type=kind,
        label=label.strip() or _label(element),
        max_length=int(length) if length else (_REFERENCE_LENGTH if is_reference else _DEFAULT_LENGTH),
        reference=reference,
        default=default.strip(),
        **dict.fromkeys(flags, True),
    )


def _label(element: str) -> str:
    words = element.split("_")
    first = _ACRONYMS.get(words[0], words[0].capitalize())
    return " ".join([first, *(_ACRONYMS.get(word, word) for word in words[1:])])
