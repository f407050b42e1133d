"""What is in the CMDB, read straight from the tables: for checks that must not trust the tool's own report.

Nothing here looks at the engine or at an answer of the APIs, and nothing is changed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from beast_dream_snow_loader.sandbox.servicenow.records import Instance

Groups = Mapping[str, tuple[str, ...]]
"""A shared value to the sys_ids that share it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigItem:
    """``native_keys`` of one source, or of all when none was asked for; ``values``: fields that hold something."""

    sys_id: str
    class_name: str
    name: str
    native_keys: tuple[str, ...]
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Edge:
    """A relation; its ends are native keys, or sys_ids of CIs that have none."""

    parent: str
    type: str
    child: str


def config_items(instance: Instance, source: str = "", below: str = "cmdb_ci") -> list[ConfigItem]:
    """Every CI of the class ``below`` and its heirs, in order of insertion."""
    with instance.lock:
        keys = _keys_by_ci(instance, source)
        return [
            ConfigItem(
                sys_id=row["sys_id"],
                class_name=row["sys_class_name"],
                name=row["name"],
                native_keys=tuple(keys.get(row["sys_id"], ())),
                values=dict(row),
            )
            for row in instance.rows(below)
        ]


def by_native_key(instance: Instance, source: str) -> Mapping[str, ConfigItem]:
    """The CIs of a source. ValueError when a key leads to several, or a CI is known by several keys."""
    found: dict[str, ConfigItem] = {}
    for item in config_items(instance, source):
        if len(item.native_keys) > 1:
            raise ValueError(f"CI {item.sys_id} is known by {', '.join(item.native_keys)}")
        for key in item.native_keys:
            if key in found:
                raise ValueError(f"{key} leads to CIs {found[key].sys_id} and {item.sys_id}")
            found[key] = item
    return found


def edges(instance: Instance, source: str = "") -> list[Edge]:
    """Every row of cmdb_rel_ci, sorted; rows that say the same come as often as they are there."""
    with instance.lock:
        keys = {sys_id: min(listed) for sys_id, listed in _keys_by_ci(instance, source).items()}
        types = {row["sys_id"]: row["name"] for row in instance.rows("cmdb_rel_type")}
        return sorted(
            Edge(
                parent=keys.get(row["parent"], row["parent"]),
                type=types.get(row["type"], row["type"]),
                child=keys.get(row["child"], row["child"]),
            )
            for row in instance.rows("cmdb_rel_ci")
        )


def duplicate_keys(instance: Instance, source: str = "") -> Groups:
    """Native keys (``source key``) that have several rows or lead to several CIs."""
    with instance.lock:
        rows = instance.rows("sys_object_source")
        told = [(f"{row['name']} {row['id']}", row["target_sys_id"]) for row in rows if source in ("", row["name"])]
    return _shared(told)


def duplicate_serials(instance: Instance, below: str = "cmdb_ci_hardware") -> Groups:
    """Serial numbers of several CIs, compared without case."""
    with instance.lock:
        return _shared((row["serial_number"].casefold(), row["sys_id"]) for row in instance.rows(below))


def duplicate_names(instance: Instance, below: str = "cmdb_ci_hardware") -> Groups:
    """Names of several CIs, compared without case."""
    with instance.lock:
        return _shared((row["name"].casefold(), row["sys_id"]) for row in instance.rows(below))


def duplicate_edges(instance: Instance) -> Groups:
    """Relations (``parent type child``) that are there more than once."""
    with instance.lock:
        rows = instance.rows("cmdb_rel_ci")
        return _shared((f"{row['parent']} {row['type']} {row['child']}", row["sys_id"]) for row in rows)


def orphans(instance: Instance) -> list[str]:
    """Rows that point at a CI that is not there, or at none: ``table sys_id``."""
    pointers = (
        ("sys_object_source", "target_sys_id"),
        ("cmdb_serial_number", "cmdb_ci"),
        ("cmdb_ci_network_adapter", "cmdb_ci"),
        ("cmdb_key_value", "configuration_item"),
        ("cmdb_rel_ci", "parent"),
        ("cmdb_rel_ci", "child"),
    )
    with instance.lock:
        return [
            f"{table} {row['sys_id']}"
            for table, element in pointers
            for row in instance.rows(table)
            if not _leads_to_ci(instance, table, row, element)
        ]


def everything(instance: Instance) -> Mapping[str, Mapping[str, str]]:
    """All rows of all tables by ``root table sys_id``: equal before and after means that nothing was changed."""
    with instance.lock:
        roots = [name for name, table in instance.tables.items() if not table.parent]
        return {f"{root} {row['sys_id']}": dict(row) for root in roots for row in instance.rows(root)}


def _leads_to_ci(instance: Instance, table: str, row: Mapping[str, str], element: str) -> bool:
    """An adapter that came as an item of its own is tied to its device by a relation, not by the field."""
    target = row.get(element, "")
    if not target and table == "cmdb_ci_network_adapter":
        return bool(instance.find("cmdb_rel_ci", child=row["sys_id"]))
    return instance.get("cmdb_ci", target) is not None


def _keys_by_ci(instance: Instance, source: str) -> dict[str, list[str]]:
    keys: dict[str, list[str]] = defaultdict(list)
    for row in instance.rows("sys_object_source"):
        if source in ("", row["name"]):
            keys[row["target_sys_id"]].append(row["id"])
    return keys


def _shared(told: Iterable[tuple[str, str]]) -> Groups:
    groups: dict[str, list[str]] = defaultdict(list)
    for value, sys_id in told:
        if value:
            groups[value].append(sys_id)
    return {value: tuple(listed) for value, listed in groups.items() if len(listed) > 1}
