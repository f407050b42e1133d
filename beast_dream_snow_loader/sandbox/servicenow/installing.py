"""What an administrator adds to an instance that runs: the classes of a Store app or a plugin, a field."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from beast_dream_snow_loader.sandbox.servicenow.dictionary import (
    Dictionary,
    TableDefinition,
    load_dictionary,
    parse_field,
)
from beast_dream_snow_loader.sandbox.servicenow.records import Instance
from beast_dream_snow_loader.sandbox.servicenow.shipped import described


def install(instance: Instance, *, class_models: bool = False, only: Iterable[str] = ()) -> None:
    """Tables the instance lacks: those of the base system, with ``class_models`` those of the Store app CMDB CI Class
    Models too. ``only``: no more than these and what they extend."""
    offered = load_dictionary(class_models=class_models)
    wanted = {name for table in only for name in (table, *offered.ancestors(table))} or set(offered.tables)
    added = [table for name, table in offered.tables.items() if name in wanted and name not in instance.tables]
    _redefine(instance, [*instance.tables.values(), *added], added)


def add_field(instance: Instance, table: str, line: str) -> None:
    """``line`` as in the data files: ``firmware_version string:255``."""
    definition = instance.tables[table]
    field = parse_field(table, line)
    changed = replace(definition, own={**definition.own, field.element: field})
    tables = [changed if name == table else other for name, other in instance.tables.items()]
    _redefine(instance, tables, [replace(changed, own={field.element: field})])


def remove_field(instance: Instance, table: str, element: str) -> None:
    """As on an instance whose dictionary never had it; values stored in it are not seen any longer."""
    definition = instance.tables[table]
    kept = {name: field for name, field in definition.own.items() if name != element}
    tables = [replace(definition, own=kept) if name == table else other for name, other in instance.tables.items()]
    _redefine(instance, tables, [])


def _redefine(instance: Instance, tables: Iterable[TableDefinition], added: Iterable[TableDefinition]) -> None:
    with instance.lock:
        instance.redefine(Dictionary(tables))
        for table, values in described(added):
            if not instance.get(table, str(values["sys_id"])):
                instance.insert(table, values)
        instance.flush()
