"""Everything a load found out and did, for the report to be made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from beast_dream_snow_loader.core.changes import Change, LinkChange, Plan
from beast_dream_snow_loader.core.desired import DesiredState
from beast_dream_snow_loader.core.events import StepFinished
from beast_dream_snow_loader.core.facts import InstanceFacts
from beast_dream_snow_loader.core.findings import Finding
from beast_dream_snow_loader.core.integrity import Integrity
from beast_dream_snow_loader.core.known import Held, KnownState
from beast_dream_snow_loader.core.observed import Snapshot
from beast_dream_snow_loader.core.ports import JournalEntry, Settlement
from beast_dream_snow_loader.core.presence import Attendance
from beast_dream_snow_loader.core.recognition import Trial
from beast_dream_snow_loader.core.staleness import Stale
from beast_dream_snow_loader.errors import SnowloadError


@dataclass(slots=True, kw_only=True)
class LoadOutcome:
    """Filled step by step, so that a load that stops half way still reports what it did."""

    snapshot: Snapshot | None = None
    live: bool = True
    """Something was read now; else everything in ``snapshot`` is remembered."""
    mapped: DesiredState | None = None
    """What the CMDB should hold, before it was cut to what the instance has."""
    facts: InstanceFacts | None = None
    desired: DesiredState | None = None
    known: KnownState | None = None
    """What we believe the CMDB holds, as the plan was made from."""
    trials: Sequence[Trial] = ()
    plan: Plan | None = None
    findings: list[Finding] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    settlements: Sequence[Settlement] = ()
    unlinked: Sequence[LinkChange] = ()
    parked: Sequence[JournalEntry] = ()
    """Dead letters that this load left out of its plan or that it parked itself."""
    stale: Sequence[Stale] = ()
    """Changes of a saved plan that no longer fit."""
    done_before: int = 0
    """Changes of a saved plan that an earlier run of it made."""
    reduced: int = 0
    """CIs of ours that are in the base class, for want of a better one."""
    away: SnowloadError | None = None
    checked: int = 0
    integrity: Integrity = field(default_factory=Integrity)
    attendance: Attendance | None = None
    steps: list[StepFinished] = field(default_factory=list)

    @property
    def unsettled(self) -> Sequence[Change]:
        """What was planned and of which nothing became, good or bad: the run ended before."""
        if self.plan is None:
            return ()
        plan, settled = self.plan, {settlement.change.subject for settlement in self.settlements}
        planned: tuple[Change, ...] = (*plan.items, *plan.links, *plan.client_links, *plan.unlinks, *plan.retirements)
        return [change for change in planned if change.subject not in settled]
