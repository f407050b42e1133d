"""The rows an instance comes with: its own description, choices, properties, relationship types, roles."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files

from beast_dream_snow_loader.sandbox.servicenow.dictionary import Dictionary, FieldDefinition, TableDefinition

ROLES = ("admin", "itil", "asset", "snc_platform_rest_api_access", "snc_basic_auth_api_access", "rate_limit_admin")
_CHOICE_LIST = "3"

Insert = tuple[str, Mapping[str, object]]
"""Table and values."""


def stable_sys_id(*parts: str) -> str:
    """The same on every sandbox, as shipped records are on every instance."""
    return hashlib.md5("/".join(parts).encode(), usedforsecurity=False).hexdigest()


def shipped_rows(dictionary: Dictionary, sources: Iterable[str]) -> Iterator[Insert]:
    """In an order that can be inserted as it is. ``sources`` are registered as choices of discovery_source."""
    data = tomllib.loads(files(f"{__package__}.data").joinpath("shipped.toml").read_text(encoding="utf-8"))
    for name, value in data["properties"].items():
        yield "sys_properties", {"sys_id": stable_sys_id("property", name), "name": name, "value": value}
    yield from described(dictionary.tables.values())
    yield from _choices(data["choices"])
    for position, source in enumerate(sources):
        yield choice("cmdb_ci", "discovery_source", source, source, 100 + position)
    yield from _relation_types(data["relation_types"])
    for table, names in data["named"].items():
        yield from ((table, {"sys_id": stable_sys_id(table, name), "name": name}) for name in names)
    for role in ROLES:
        yield "sys_user_role", {"sys_id": stable_sys_id("role", role), "name": role}
    yield "sys_user_group", {"sys_id": "global", "name": "global"}


def choice(table: str, element: str, value: str, label: str, sequence: int = 0) -> Insert:
    """A row of sys_choice, as an administrator registers a source."""
    return "sys_choice", {
        "sys_id": stable_sys_id("choice", table, element, value),
        "name": table,
        "element": element,
        "value": value,
        "label": label,
        "language": "en",
        "sequence": str(sequence),
        "inactive": "false",
    }


def _choices(choices: Mapping[str, Mapping[str, Mapping[str, str]]]) -> Iterator[Insert]:
    for table, elements in choices.items():
        for element, labels in elements.items():
            for position, (value, label) in enumerate(labels.items()):
                yield choice(table, element, value, label, position)


def _relation_types(types: Mapping[str, str]) -> Iterator[Insert]:
    for name, sys_id in types.items():
        parent, _, child = name.partition("::")
        values = {"name": name, "sys_name": name, "parent_descriptor": parent, "child_descriptor": child}
        yield "cmdb_rel_type", {"sys_id": sys_id or stable_sys_id("cmdb_rel_type", name), **values}


def described(tables: Iterable[TableDefinition]) -> Iterator[Insert]:
    """What sys_db_object and sys_dictionary say of these tables."""
    for table in tables:
        yield _table_row(table)
        yield _collection_row(table)
        for definition in table.own.values():
            yield _field_row(definition)


def _table_row(table: TableDefinition) -> Insert:
    return "sys_db_object", {
        "sys_id": stable_sys_id("table", table.name),
        "name": table.name,
        "label": table.label,
        "sys_name": table.label,
        "super_class": stable_sys_id("table", table.parent) if table.parent else "",
        "is_extendable": table.extendable,
    }


def _collection_row(table: TableDefinition) -> Insert:
    sys_id = stable_sys_id("dictionary", table.name)
    return "sys_dictionary", {
        "sys_id": sys_id,
        "name": table.name,
        "column_label": table.label,
        "internal_type": "collection",
    }


def _field_row(definition: FieldDefinition) -> Insert:
    return "sys_dictionary", {
        "sys_id": stable_sys_id("dictionary", definition.table, definition.element),
        "name": definition.table,
        "element": definition.element,
        "column_label": definition.label,
        "internal_type": definition.type,
        "max_length": str(definition.max_length),
        "reference": definition.reference,
        "mandatory": definition.mandatory,
        "read_only": definition.read_only,
        "unique": definition.unique,
        "display": definition.display,
        "choice": _CHOICE_LIST if definition.choice else "",
        "default_value": definition.default,
    }
