"""What happens to an instance besides its APIs: CIs are merged by hand, and time goes by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from beast_dream_snow_loader.sandbox.servicenow.records import Instance, RecordMissing
from beast_dream_snow_loader.sandbox.servicenow.storage import Row
from beast_dream_snow_loader.sandbox.servicenow.values import DATE_TIME_FORMAT

_FOLLOWERS = (
    ("sys_object_source", "target_sys_id"),
    ("cmdb_serial_number", "cmdb_ci"),
    ("cmdb_ci_network_adapter", "cmdb_ci"),
    ("cmdb_key_value", "configuration_item"),
)
_DATE_TIME = "glide_date_time"


def merge_ci(instance: Instance, duplicate: str, into: str) -> Row:
    """The duplicate goes; what hung on it (sources, serial numbers, adapters, relations) hangs on the other CI.

    Relations that the other CI has already are not made twice. RecordMissing when one of the two is not there.
    """
    with instance.transaction():
        kept = instance.get("cmdb_ci", into)
        if kept is None or instance.get("cmdb_ci", duplicate) is None:
            raise RecordMissing(f"cmdb_ci/{duplicate} or {into}")
        for table, element in _FOLLOWERS:
            for row in instance.find(table, **{element: duplicate}):
                moved = {"target_table": kept["sys_class_name"]} if table == "sys_object_source" else {}
                instance.update(table, row["sys_id"], {element: into, **moved})
        _move_relations(instance, duplicate, into)
        instance.delete("cmdb_ci", duplicate)
        return kept


def _move_relations(instance: Instance, duplicate: str, into: str) -> None:
    for end, other in (("parent", "child"), ("child", "parent")):
        for row in instance.find("cmdb_rel_ci", **{end: duplicate}):
            same = instance.find("cmdb_rel_ci", **{end: into, other: row[other], "type": row["type"]})
            if same or row[other] == into:
                instance.delete("cmdb_rel_ci", row["sys_id"])
            else:
                instance.update("cmdb_rel_ci", row["sys_id"], {end: into})


def grow_older(instance: Instance, seconds: float) -> None:
    """As if so much time had gone by: every stored moment lies that much further back, and nothing else changes."""
    with instance.transaction():
        for root in [name for name, table in instance.tables.items() if not table.parent]:
            for row in list(instance.rows(root)):
                elements = instance.fields(instance.class_of(root, row))
                times = {name: row[name] for name in row if name in elements and elements[name].type == _DATE_TIME}
                moved = {name: _earlier(value, seconds) for name, value in times.items()}
                instance.put_back(root, row["sys_id"], {**row, **moved})


@lru_cache(maxsize=4096)
def _earlier(value: str, seconds: float) -> str:
    try:
        moment = datetime.strptime(value, DATE_TIME_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return value
    return (moment - timedelta(seconds=seconds)).strftime(DATE_TIME_FORMAT)
