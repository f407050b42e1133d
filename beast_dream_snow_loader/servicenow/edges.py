"""Relations as the instance holds them: rows of cmdb_rel_ci, and who else recorded them (cmdb-model 3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from beast_dream_snow_loader.core.identity import SysId
from beast_dream_snow_loader.core.known import Drawn, KnownRelation
from beast_dream_snow_loader.core.normalize import parse_cmdb_time
from beast_dream_snow_loader.errors import SnowloadError
from beast_dream_snow_loader.servicenow.apis.table import TableRead
from beast_dream_snow_loader.servicenow.query import Query
from beast_dream_snow_loader.servicenow.reading import IDS_PER_READ, Reader, chunks
from beast_dream_snow_loader.servicenow.rows import Row

_FIELDS = ("parent", "child", "type.name")
_MADE_BY = "sys_created_by"


def find(reader: Reader, edges: Iterable[KnownRelation]) -> dict[str, Row]:
    """Their rows by relation key: found by the row's own sys_id where we know it, else by ends and type.

    A row that somebody turned into another edge is not the one we drew. Raises NotAuthorised, Rejected and the errors
    of a call.
    """
    wanted = tuple(edges)
    return found(wanted, reader.all_of(reads(wanted)))


def reads(wanted: Sequence[KnownRelation]) -> list[TableRead]:
    """What to read to find these."""
    named, unnamed = _sorted(wanted)
    by_id = [_read(Query().is_in("sys_id", chunk)) for chunk in chunks(named)]
    starts = range(0, len(unnamed), IDS_PER_READ)
    return [*by_id, *(_read(_between(unnamed[at : at + IDS_PER_READ])) for at in starts)]


def found(wanted: Sequence[KnownRelation], rows: Sequence[Row]) -> dict[str, Row]:
    """The rows of these, by relation key, among those read."""
    named, unnamed = _sorted(wanted)
    return {**_by_sys_id(rows, named), **_by_ends(rows, unnamed)}


def between(reader: Reader, wanted: Iterable[KnownRelation]) -> dict[str, tuple[SysId, ...]]:
    """All rows of each edge: more than one where the Table API took a request twice. Raises as :func:`find`."""
    unnamed = [replace(edge, sys_id=None) for edge in wanted]
    rows = reader.all_of(reads(unnamed))
    drawn = (((edge.parent_sys_id, edge.child_sys_id, edge.type), edge.relation_key) for edge in unnamed)
    ends: dict[tuple[str | None, ...], str] = dict(drawn)
    there: dict[str, tuple[SysId, ...]] = {}
    for row in rows:
        key = ends.get(tuple(row.get(field) for field in _FIELDS))
        if key is not None:
            there[key] = (*there.get(key, ()), SysId(row["sys_id"]))
    return there


def drawn_to(reader: Reader, sys_ids: Iterable[str]) -> list[Drawn]:
    """Every row that has one of these CIs for an end, once. Raises as :func:`find`."""
    fields = ("parent", "child", _MADE_BY)
    asked = [
        TableRead(table="cmdb_rel_ci", query=Query().is_in(end, chunk), fields=fields)
        for chunk in chunks(sys_ids)
        for end in ("parent", "child")
    ]
    rows = {row["sys_id"]: row for row in reader.all_of(asked)}
    return [drawn(row) for row in rows.values()]


def drawn(row: Row) -> Drawn:
    """What a row says of the relation."""
    return Drawn(
        sys_id=SysId(row["sys_id"]),
        parent=row.get("parent", ""),
        child=row.get("child", ""),
        made_by=row.get(_MADE_BY, ""),
        made_at=parse_cmdb_time(row.get("sys_created_on", "")),
    )


def _sorted(wanted: Sequence[KnownRelation]) -> tuple[dict[str, KnownRelation], list[KnownRelation]]:
    """Those whose row we know, by its sys_id, and the others."""
    named = {str(edge.sys_id): edge for edge in wanted if edge.sys_id is not None}
    unnamed = [edge for edge in wanted if edge.sys_id is None and edge.parent_sys_id and edge.child_sys_id]
    return named, unnamed


def recorded_by_others(reader: Reader, rows: Iterable[str], source: str) -> Mapping[str, str]:
    """Which of these relations (sys_ids) another source than ours recorded, and its name.

    sys_rel_source is filled only where the instance was told to; one that cannot be read says nothing (cmdb-model 3).
    """
    reads = [
        TableRead(table="sys_rel_source", query=Query().is_in("cmdb_rel_ci", chunk), fields=("cmdb_rel_ci", "name"))
        for chunk in chunks(rows)
    ]
    told = [row for answer in reader.many(reads) if not isinstance(answer, SnowloadError) for row in answer]
    return {row["cmdb_rel_ci"]: row["name"] for row in told if row.get("name") not in (None, "", source)}


def _read(query: Query) -> TableRead:
    return TableRead(table="cmdb_rel_ci", query=query, fields=(*_FIELDS, "sys_created_on"))


def _between(edges: Sequence[KnownRelation]) -> Query:
    parents = {str(edge.parent_sys_id) for edge in edges}
    return Query().is_in("parent", sorted(parents)).is_in("child", sorted({str(edge.child_sys_id) for edge in edges}))


def _by_sys_id(rows: Iterable[Row], named: Mapping[str, KnownRelation]) -> dict[str, Row]:
    ours = ((named[row["sys_id"]], row) for row in rows if row["sys_id"] in named)
    return {edge.relation_key: row for edge, row in ours if _still(row, edge)}


def _still(row: Row, edge: KnownRelation) -> bool:
    """What the row shows of itself is what we drew; a field the account may not see does not count against it."""
    drawn = (edge.parent_sys_id, edge.child_sys_id, edge.type)
    return all(not ours or row.get(field, ours) == ours for field, ours in zip(_FIELDS, drawn, strict=True))


def _by_ends(rows: Iterable[Row], unnamed: Iterable[KnownRelation]) -> dict[str, Row]:
    there = {tuple(row.get(field) for field in _FIELDS): row for row in rows}
    drawn = ((edge.relation_key, (edge.parent_sys_id, edge.child_sys_id, edge.type)) for edge in unnamed)
    return {relation_key: there[ends] for relation_key, ends in drawn if ends in there}
