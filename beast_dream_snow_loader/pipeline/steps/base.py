"""CIs of the base class, which the engine never saw: found by correlation id, and by nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.identity import SourceKey, SysId, parse_sys_id
from beast_dream_snow_loader.core.known import Candidate, KnownState
from beast_dream_snow_loader.pipeline.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseLook:
    """``gone``: no longer in the CMDB, or marked there as the duplicate of another CI."""

    gone: tuple[SourceKey, ...] = ()
    findings: tuple[Finding, ...] = ()


def look_at_base(world: World, known: KnownState, keys: Sequence[SourceKey]) -> BaseLook:
    """Whether the CIs of the base class are still there, and once each: one request, a second for those not found."""
    there = world.cmdb.find_base(keys)
    missing = [known.items[key] for key in keys if key not in there]
    seen = world.cmdb.read_back([item.sys_id for item in missing], ("duplicate_of",)) if missing else {}
    gone = (item.key for item in missing if item.sys_id not in seen or seen[item.sys_id].get("duplicate_of"))
    return BaseLook(
        gone=tuple(gone), findings=tuple(_double(key, rows) for key, rows in there.items() if len(rows) > 1)
    )


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
