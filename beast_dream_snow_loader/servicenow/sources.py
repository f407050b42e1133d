"""The CIs behind our native keys (cmdb-model 2.6), and how many there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from beast_dream_snow_loader.core.identity import SourceKey, SysId, parse_sys_id
from beast_dream_snow_loader.servicenow.apis.stats import StatsApi
from beast_dream_snow_loader.servicenow.apis.table import TableRead
from beast_dream_snow_loader.servicenow.calling import Caller
from beast_dream_snow_loader.servicenow.query import Query
from beast_dream_snow_loader.servicenow.reading import UNREADABLE, Reader, chunks
from beast_dream_snow_loader.servicenow.rows import Row

_OF_SOURCE = ("name", "id", "target_sys_id")
_OF_CI = ("correlation_id", "discovery_source", "duplicate_of")


def find(caller: Caller, reader: Reader, keys: Sequence[SourceKey] | None) -> Mapping[SourceKey, tuple[SysId, ...]]:
    """The CIs behind these keys, or behind all of ours, that exist and are no duplicates.

    Where sys_object_source is closed to the account, ``correlation_id`` stands in: it holds the same text on the CIs
    we created. Raises NotAuthorised, Rejected when that fails too, and the errors of a call.
    """
    if keys is not None and not keys:
        return {}
    source = caller.settings.data_source
    try:
        pairs = _pairs(reader, Query().equals("name", source), keys, "id", "sys_object_source", _OF_SOURCE)
        named = [(row.get("id", ""), row.get("target_sys_id", "")) for row in pairs if row.get("name") == source]
        there = alive(reader, {sys_id for _, sys_id in named})
        return _by_key(((key, sys_id) for key, sys_id in named if sys_id in there), keys)
    except UNREADABLE:
        rows = _pairs(reader, Query().equals("discovery_source", source), keys, "correlation_id", "cmdb_ci", _OF_CI)
        own = ((row.get("correlation_id", ""), row["sys_id"]) for row in rows if not row.get("duplicate_of"))
        return _by_key(own, keys)


def owners(caller: Caller, reader: Reader, sys_ids: Iterable[SysId]) -> Mapping[SysId, tuple[SourceKey, ...]]:
    """The native keys that lead to these CIs; none for a CI that is nobody's. Raises NotAuthorised, Rejected."""
    query = Query().equals("name", caller.settings.data_source)
    reads = [
        TableRead(table="sys_object_source", query=query.is_in("target_sys_id", chunk), fields=_OF_SOURCE)
        for chunk in chunks(sys_ids)
    ]
    found: dict[SysId, tuple[SourceKey, ...]] = {}
    for row in reader.all_of(reads):
        key, sys_id = _key(row.get("id", "")), parse_sys_id(row.get("target_sys_id", ""))
        if key is not None and sys_id is not None and row.get("name") == caller.settings.data_source:
            found[sys_id] = (*found.get(sys_id, ()), key)
    return found


def count(caller: Caller, reader: Reader) -> int | None:
    """How many native keys of ours the instance holds; None when the account may not see."""
    query = Query().equals("name", caller.settings.data_source)
    try:
        counted = StatsApi(caller).count("sys_object_source", query)
    except UNREADABLE:
        counted = None
    if counted is not None:
        return counted
    try:
        return reader.table.total(TableRead(table="sys_object_source", query=query, fields=()))
    except UNREADABLE:
        return None


def _pairs(
    reader: Reader, query: Query, keys: Sequence[SourceKey] | None, element: str, table: str, fields: tuple[str, ...]
) -> list[Row]:
    if keys is None:
        return reader.rows(TableRead(table=table, query=query, fields=fields))
    asked = [query.is_in(element, chunk) for chunk in chunks(map(str, keys))]
    return reader.all_of([TableRead(table=table, query=one, fields=fields) for one in asked])


def alive(reader: Reader, sys_ids: Iterable[str]) -> frozenset[str]:
    """Those that exist and are not marked as the duplicate of another: such CIs never match (servicenow-api 5.3)."""
    wanted = sorted(sys_id for sys_id in sys_ids if parse_sys_id(sys_id))
    reads = [
        TableRead(table="cmdb_ci", query=Query().is_in("sys_id", chunk), fields=("duplicate_of",))
        for chunk in chunks(wanted)
    ]
    return frozenset(row["sys_id"] for row in reader.all_of(reads) if not row.get("duplicate_of"))


def _by_key(pairs: Iterable[tuple[str, str]], keys: Sequence[SourceKey] | None) -> dict[SourceKey, tuple[SysId, ...]]:
    wanted = None if keys is None else frozenset(keys)
    found: dict[SourceKey, dict[SysId, None]] = {}
    for text, sys_id in pairs:
        key, parsed = _key(text), parse_sys_id(sys_id)
        if key is not None and parsed is not None and (wanted is None or key in wanted):
            found.setdefault(key, {})[parsed] = None
    return {key: tuple(sorted(ids)) for key, ids in found.items()}


def _key(text: str) -> SourceKey | None:
    try:
        return SourceKey.parse(text)
    except ValueError:
        return None
