"""CIs of the base class, which the engine never saw: found by correlation id, and by nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.identity import SourceKey, SysId, parse_sys_id
from beast_dream_snow_loader.core.known import Candidate
from beast_dream_snow_loader.pipeline.world import World


def doubles_in_base(world: World, keys: Sequence[SourceKey]) -> tuple[Finding, ...]:
    """Those that are there more than once, which the Table API cannot rule out: one request."""
    return tuple(_double(key, rows) for key, rows in world.cmdb.find_base(keys).items() if len(rows) > 1)


def sys_ids_in_base(world: World, keys: Iterable[SourceKey]) -> Mapping[SourceKey, tuple[SysId, ...]]:
    return {
        key: tuple(sys_id for row in rows if (sys_id := parse_sys_id(row.sys_id)) is not None)
        for key, rows in world.cmdb.find_base(keys).items()
    }


def _double(key: SourceKey, rows: Sequence[Candidate]) -> Finding:
    ends = ", ".join(f"…{row.sys_id[-4:]}" for row in rows)
    message = (
        f"{len(rows)} CIs carry its correlation id (sys_ids {ends}). The Table API cannot rule that out; "
        "set duplicate_of on all but one, then run `snowload load` again."
    )
    return Finding(record=str(key), rule="base.duplicate", severity=Severity.WARNING, message=message)
