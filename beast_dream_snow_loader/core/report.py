"""What a load comes to: its numbers, its status, its exit code (product.md, output)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from beast_dream_snow_loader.clock import rfc3339
from beast_dream_snow_loader.core.changes import LinkChange, Plan
from beast_dream_snow_loader.core.desired import DesiredState
from beast_dream_snow_loader.core.edge_checks import REMOVED
from beast_dream_snow_loader.core.events import BreakerChanged, StepFinished
from beast_dream_snow_loader.core.exit_codes import ExitCode, exit_code_of, severest
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.integrity import Integrity
from beast_dream_snow_loader.core.known import Held
from beast_dream_snow_loader.core.linking import END_HELD
from beast_dream_snow_loader.core.observed import Snapshot
from beast_dream_snow_loader.core.parking import END_DROPPED, END_UNKNOWN, OF_A_ROLLBACK
from beast_dream_snow_loader.core.ports import JournalEntry, Settlement
from beast_dream_snow_loader.core.presence import Attendance
from beast_dream_snow_loader.core.receipts import OPEN, Outcome
from beast_dream_snow_loader.core.report_counts import planned, sent_items, written
from beast_dream_snow_loader.core.report_rows import (
    source_counts,
    stale_consoles,
    told_breakers,
    told_failure,
    told_finding,
    told_held,
    told_letter,
    told_step,
)
from beast_dream_snow_loader.core.run import RunStatus
from beast_dream_snow_loader.core.shown import shown
from beast_dream_snow_loader.errors import NotAuthenticated, SnowloadError

_MEND_LOGIN = "The rest was read all the same. Mend that login, then check it with: snowload doctor"
NOT_KEPT = "cmdb.write_not_kept"

_LEFT_ALONE = (END_DROPPED, OF_A_ROLLBACK)
_OF_ROLLBACKS = "rollback."

_STATUS: Mapping[ExitCode, RunStatus] = {
    ExitCode.OK: RunStatus.OK,
    ExitCode.CHANGES: RunStatus.OK,
    ExitCode.PARTIAL: RunStatus.PARTIAL,
    ExitCode.QUEUED: RunStatus.QUEUED,
    ExitCode.REFUSED: RunStatus.REFUSED,
    ExitCode.UNAVAILABLE: RunStatus.UNAVAILABLE,
    ExitCode.INTERRUPTED: RunStatus.INTERRUPTED,
    ExitCode.TERMINATED: RunStatus.INTERRUPTED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """Everything the ``load`` document is made of. Durations are in seconds.

    ``error`` stopped the run; ``interrupted`` is the signal's exit code, should one have come.
    """

    started_at: datetime
    finished_at: datetime
    snapshot: Snapshot | None = None
    desired: DesiredState | None = None
    plan: Plan | None = None
    settlements: Sequence[Settlement] = ()
    unlinked: Sequence[LinkChange] = ()
    findings: Sequence[Finding] = ()
    held: Sequence[Held] = ()
    steps: Sequence[StepFinished] = ()
    requests: Mapping[str, Any] = field(default_factory=dict)
    breakers: Sequence[BreakerChanged] = ()
    checked: int = 0
    integrity: Integrity = field(default_factory=Integrity)
    attendance: Attendance | None = None
    reduced: int = 0
    parked: Sequence[JournalEntry] = ()
    """Dead letters among what was to be written."""
    away: SnowloadError | None = None
    """Why the target could not be worked with, though the run went on."""
    error: SnowloadError | None = None
    interrupted: ExitCode | None = None
    errors: Sequence[Mapping[str, Any]] = ()
    errors_omitted: int = 0
    incidents: Sequence[Mapping[str, Any]] = ()
    operations: Sequence[Mapping[str, Any]] = ()
    """Requests by operation; none when metrics are off."""

    def document(self) -> dict[str, Any]:
        """The part of the JSON document that is the load's own; the envelope is put around it by the command line."""
        return {
            "started_at": rfc3339(self.started_at),
            "finished_at": rfc3339(self.finished_at),
            "duration_seconds": round((self.finished_at - self.started_at).total_seconds(), 3),
            "stale_source": self.stale_source,
            "stale_consoles": stale_consoles(self.snapshot),
            "source": source_counts(self.snapshot),
            "findings": [told_finding(finding) for finding in self.findings],
            "plan": planned(self.plan),
            "written": written(self.settlements),
            "items": sent_items(self.settlements),
            "attendance": self.attendance.counts() if self.attendance is not None else {},
            "failed": [told_failure(settlement) for settlement in self.settlements if _is_failed(settlement)],
            "held": [told_held(record) for record in self.held],
            "parked": [told_letter(entry) for entry in self.parked],
            "reduced": self.reduced,
            "queued": sum(1 for s in self.settlements if s.receipt.outcome in OPEN),
            "queued_because": _because(self),
            "links": links(self),
            "requests": dict(self.requests),
            "operations": list(self.operations),
            "breakers": told_breakers(self.breakers),
            "steps": [told_step(step) for step in self.steps],
            "verify": {
                "checked": self.checked,
                "mismatches": sum(f.rule == NOT_KEPT for f in self.findings),
                **self.integrity.document(),
            },
            "errors": list(self.errors),
            "errors_omitted": self.errors_omitted,
            "incidents": list(self.incidents),
        }

    @property
    def stale_source(self) -> float | None:
        """The age of the oldest snapshot that stands in for a console, in seconds; None when all was read now."""
        return self.snapshot.stale_seconds if self.snapshot is not None else None

    @property
    def stopped(self) -> SnowloadError | None:
        """What the run ended with: its error, or that nothing could be done because the target is away."""
        lost = self.away is not None and not _outcomes(self) & OPEN
        return self.error or (self.away if lost else self.unaccepted)

    @property
    def unaccepted(self) -> NotAuthenticated | None:
        """A key or an account that a source does not accept: a person has to mend it, whatever stood in for it."""
        return unaccepted(self.findings)


def unaccepted(findings: Iterable[Finding]) -> NotAuthenticated | None:
    """The error that a refused login is, though a run goes on with what else there is."""
    refused = (one.message for one in findings if one.rule == NotAuthenticated.code)
    return next((NotAuthenticated(told, next_step=_MEND_LOGIN) for told in refused), None)


def status_of(report: RunReport, *, strict: bool = False) -> tuple[RunStatus, ExitCode]:
    """How the run ended. When several things apply the severest decides; ``strict``: a stale source is partial."""
    if report.interrupted is not None:
        return RunStatus.INTERRUPTED, report.interrupted
    code = severest(_codes(report, strict=strict))
    return _STATUS.get(code, RunStatus.FAILED), code


def _outcomes(report: RunReport) -> frozenset[Outcome]:
    return frozenset(settlement.receipt.outcome for settlement in report.settlements)


def _codes(report: RunReport, *, strict: bool) -> Iterable[ExitCode]:
    if report.error is not None:
        yield exit_code_of(report.error)
    if report.unaccepted is not None:
        yield ExitCode.AUTH
    if any(finding.severity is Severity.ERROR for finding in report.findings) or report.held:
        yield ExitCode.PARTIAL
    if any(left_alone(finding.rule) for finding in report.findings):
        yield ExitCode.PARTIAL
    if report.snapshot is not None and report.snapshot.partial:
        yield ExitCode.PARTIAL
    if strict and report.stale_source is not None:
        yield ExitCode.PARTIAL
    yield from _codes_of_writes(report)


def _codes_of_writes(report: RunReport) -> Iterable[ExitCode]:
    """A replay's edges that wait are queued still; of a load it is those that wait for nothing that is."""
    outcomes = _outcomes(report)
    if Outcome.REFUSED in outcomes or report.parked:
        yield ExitCode.PARTIAL
    if outcomes & OPEN:
        yield ExitCode.QUEUED
    elif report.away is not None:
        yield ExitCode.UNAVAILABLE
    elif any(_ends_are_ours(link) for link in report.unlinked):
        yield ExitCode.PARTIAL


def _ends_are_ours(link: LinkChange) -> bool:
    """That of a client found in the CMDB waits for a device that some load will bring."""
    return link.lower_sys_id is None


def left_alone(rule: str) -> bool:
    """Whether a finding of this rule says that a rollback or a replay left something as it is for good reason."""
    return rule in _LEFT_ALONE or rule.startswith(_OF_ROLLBACKS)


def links(report: RunReport) -> dict[str, Any]:
    """Edges wanted, those that exist now, and those without an end (a client without a CI is one). A plan not carried
    out has only the old ones; a run that came to no plan does not know which there are. A replay and a rollback want
    what they plan.

    ``rate`` is the share of the wanted ones that exist, None when none is wanted or that is not known.
    """
    desired, plan = report.desired, report.plan
    to_draw = len(plan.links) + len(plan.client_links) if plan is not None else 0
    wanted = len(desired.relations) + len(desired.client_links) if desired is not None else to_draw
    orphans = len(desired.orphans) if desired is not None else 0
    todo = to_draw if plan is not None else wanted
    waiting = sum(finding.rule in (END_HELD, REMOVED) for finding in plan.findings) if plan is not None else 0
    waiting += plan.client_orphans if plan is not None else 0
    waiting += sum(1 for entry in report.parked if isinstance(entry.change, LinkChange)) if desired is not None else 0
    done = written(report.settlements)
    linked = max(0, wanted - todo - waiting) + done["linked"] + done["links_unchanged"]
    return {
        "wanted": wanted + orphans,
        "linked": linked,
        "orphans": orphans + waiting + len(report.unlinked),
        "rate": round(linked / (wanted + orphans), 4) if plan is not None and wanted + orphans else None,
    }


def _is_failed(settlement: Settlement) -> bool:
    return settlement.receipt.outcome in (Outcome.REFUSED, Outcome.UNKNOWN)


def _because(report: RunReport) -> dict[str, str] | None:
    """Why writes wait: what most of them say, None when none waits."""
    left = Counter((s.receipt.code, s.receipt.message) for s in report.settlements if s.receipt.outcome in OPEN)
    causes = [why for why, _ in left.most_common()]
    if not causes:
        return None
    code, message = next((why for why in causes if why[0] != END_UNKNOWN), causes[0])
    return {"code": code, "message": shown(message, 500)}
