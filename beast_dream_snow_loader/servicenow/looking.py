"""One look at CIs of ours and at where their native keys lead: one request for hundreds of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from beast_dream_snow_loader.core.healing import MOD_COUNT, Seen, seen_of
from beast_dream_snow_loader.core.identity import SourceKey, SysId, parse_sys_id
from beast_dream_snow_loader.errors import SnowloadError
from beast_dream_snow_loader.servicenow.apis.table import TableRead
from beast_dream_snow_loader.servicenow.calling import Caller
from beast_dream_snow_loader.servicenow.query import Query
from beast_dream_snow_loader.servicenow.reading import Reader, Rows, chunks

_OF_CI = ("sys_class_name", "duplicate_of", MOD_COUNT)


def look(caller: Caller, reader: Reader, wanted: Mapping[SourceKey, SysId]) -> dict[SourceKey, Seen]:
    """Each record's CI. Raises NotAuthorised, Rejected when CIs cannot be read; closed native keys are left out."""
    source = Query().equals("name", caller.settings.data_source)
    cis = [
        TableRead(table="cmdb_ci", query=Query().is_in("sys_id", chunk), fields=_OF_CI)
        for chunk in chunks(wanted.values())
    ]
    keys = [
        TableRead(table="sys_object_source", query=source.is_in("id", chunk), fields=("id", "target_sys_id"))
        for chunk in chunks(map(str, wanted))
    ]
    answers = reader.many([*cis, *keys])
    rows = {row["sys_id"]: row for row in _required(answers[: len(cis)])}
    targets = _targets(answers[len(cis) :])
    return {
        key: seen_of(rows.get(sys_id), None if targets is None else targets.get(str(key), ()))
        for key, sys_id in wanted.items()
    }


def _required(answers: Sequence[Rows | SnowloadError]) -> Rows:
    found: Rows = []
    for answer in answers:
        if isinstance(answer, SnowloadError):
            raise answer
        found += answer
    return found


def _targets(answers: Sequence[Rows | SnowloadError]) -> dict[str, tuple[SysId, ...]] | None:
    """By native key; None when the table is closed, which may look like an empty one (servicenow-api 6.1)."""
    found: dict[str, tuple[SysId, ...]] = {}
    for answer in answers:
        if isinstance(answer, SnowloadError):
            return None
        for row in answer:
            if (sys_id := parse_sys_id(row.get("target_sys_id", ""))) is not None:
                found[row.get("id", "")] = tuple(dict.fromkeys((*found.get(row.get("id", ""), ()), sys_id)))
    return found or None
