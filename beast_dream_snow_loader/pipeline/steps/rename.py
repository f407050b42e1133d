"""Rename: no CI of ours is given a name that another hardware CI has (cmdb-model 2.4, guard 1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from beast_dream_snow_loader.core.changes import Plan
from beast_dream_snow_loader.core.desired import DesiredState
from beast_dream_snow_loader.core.findings import Finding
from beast_dream_snow_loader.core.known import KnownState
from beast_dream_snow_loader.core.ports import Cmdb
from beast_dream_snow_loader.core.renaming import names_taken, renamed, told, unasked
from beast_dream_snow_loader.pipeline.guard import UNREADABLE, reduced


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    desired: DesiredState
    plan: Plan
    findings: tuple[Finding, ...] = ()


def freely_named(
    cmdb: Cmdb,
    desired: DesiredState,
    known: KnownState,
    plan: Plan,
    planned: Callable[[DesiredState, KnownState], Plan],
) -> Named:
    """The plan under names that are free. New records are tried with the engine; of CIs that are there the new names
    are looked up, all at once; where that is refused they stay. May raise a TransportError."""
    asked: set[str] = set()
    findings: list[Finding] = []
    while new := unasked(plan, asked):
        asked.update(new.values())
        try:
            taken = names_taken(cmdb.by_name(new.values()), plan, known, new)
        except UNREADABLE as error:
            message = f"Whose names those of renamed CIs are cannot be read: {error.message}"
            findings.append(reduced("name.unchecked", message))
            break
        if not taken:
            break
        findings += told(desired, taken)
        desired = renamed(desired, taken)
        plan = planned(desired, known)
    return Named(desired=desired, plan=plan, findings=tuple(findings))
