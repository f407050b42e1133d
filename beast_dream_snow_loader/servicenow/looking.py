"""One look at CIs and relations of ours, at where native keys lead and at the discovery source: one request for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from beast_dream_snow_loader.core.healing import MOD_COUNT, Look, seen_of
from beast_dream_snow_loader.core.identity import SourceKey, SysId, parse_sys_id
from beast_dream_snow_loader.core.known import KnownRelation
from beast_dream_snow_loader.errors import SnowloadError
from beast_dream_snow_loader.servicenow import edges
from beast_dream_snow_loader.servicenow.apis.table import TableRead
from beast_dream_snow_loader.servicenow.calling import Caller
from beast_dream_snow_loader.servicenow.query import Query
from beast_dream_snow_loader.servicenow.reading import Reader, Rows, chunks
from beast_dream_snow_loader.servicenow.registration import registration_read, unregistered

_OF_CI = ("sys_class_name", "duplicate_of", MOD_COUNT)
_Answers = Sequence[Rows | SnowloadError]


def look(caller: Caller, reader: Reader, wanted: Mapping[SourceKey, SysId], drawn: Sequence[KnownRelation]) -> Look:
    """Each record's CI, each edge's row. Raises NotAuthorised, Rejected when CIs cannot be read; what else is closed is
    left out."""
    source = Query().equals("name", caller.settings.data_source)
    cis = [
        TableRead(table="cmdb_ci", query=Query().is_in("sys_id", chunk), fields=_OF_CI)
        for chunk in chunks(wanted.values())
    ]
    keys = [
        TableRead(table="sys_object_source", query=source.is_in("id", chunk), fields=("id", "target_sys_id"))
        for chunk in chunks(map(str, wanted))
    ]
    answers = reader.many([*cis, *keys, *edges.reads(drawn), registration_read()])
    rows = {row["sys_id"]: row for row in _required(answers[: len(cis)])}
    targets = _targets(answers[len(cis) : len(cis) + len(keys)])
    return Look(
        cis={
            key: seen_of(rows.get(sys_id), None if targets is None else targets.get(str(key), ()))
            for key, sys_id in wanted.items()
        },
        edges=_edges(drawn, answers[len(cis) + len(keys) : -1]),
        unregistered=unregistered(answers[-1], caller.settings.data_source),
    )


def _required(answers: _Answers) -> Rows:
    found: Rows = []
    for answer in answers:
        if isinstance(answer, SnowloadError):
            raise answer
        found += answer
    return found


def _targets(answers: _Answers) -> dict[str, tuple[SysId, ...]] | None:
    """By native key; None when the table is closed, which may look like an empty one (servicenow-api 6.1)."""
    found: dict[str, tuple[SysId, ...]] = {}
    for answer in answers:
        if isinstance(answer, SnowloadError):
            return None
        for row in answer:
            if (sys_id := parse_sys_id(row.get("target_sys_id", ""))) is not None:
                found[row.get("id", "")] = tuple(dict.fromkeys((*found.get(row.get("id", ""), ()), sys_id)))
    return found or None


def _edges(drawn: Sequence[KnownRelation], answers: _Answers) -> dict[str, SysId] | None:
    rows: Rows = []
    for answer in answers:
        if isinstance(answer, SnowloadError):
            return None
        rows += answer
    return {key: SysId(row["sys_id"]) for key, row in edges.found(drawn, rows).items()}
