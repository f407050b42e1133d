"""A run from its beginning to its record: the same for every command that reads or writes the CMDB."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from beast_dream_snow_loader.app.auditing import sealed
from beast_dream_snow_loader.app.check import settings_in_force
from beast_dream_snow_loader.app.errors_told import Ending, errors_told
from beast_dream_snow_loader.app.ground import Ground
from beast_dream_snow_loader.app.healed import cache_warmed, queue_drained
from beast_dream_snow_loader.app.result import Result, document
from beast_dream_snow_loader.app.run_ids import new_run_id
from beast_dream_snow_loader.app.signals import Stop
from beast_dream_snow_loader.app.wiring import Wiring
from beast_dream_snow_loader.core.changes import Change
from beast_dream_snow_loader.core.exit_codes import exit_code_of
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.receipts import Outcome
from beast_dream_snow_loader.core.report import RunReport
from beast_dream_snow_loader.core.report_rows import told_finding
from beast_dream_snow_loader.core.run import Run, RunStatus
from beast_dream_snow_loader.errors import AuditDamaged, SnowloadError
from beast_dream_snow_loader.pipeline.outcome import LoadOutcome
from beast_dream_snow_loader.state.store import Store

UNSEALED = "audit.unsealed"
"""The rule of a finding: the trail was not sealed, or its head not written to the operator's file."""


def begun(command: str, here: Ground, report: Mapping[str, Any] | None = None) -> Run:
    """A new run; ``report`` is what is remembered of it should it never end."""
    now = here.clock.now()
    return Run(
        id=new_run_id(now),
        command=command,
        environment=here.environment,
        target=here.target,
        started_at=now,
        report=report or {},
    )


def closed(store: Store, run: Run, result: Result, here: Ground) -> Result:
    """Seal what it left in the audit trail, and write down how it ended. The result with the head of the trail, or with
    what is wrong with it."""
    told, trouble = sealed(store, run.id, here)
    result = _with_trouble(replace(result, body={**result.body, "audit": told}), trouble)
    store.memory.finish_run(
        replace(
            run,
            finished_at=here.clock.now(),
            status=RunStatus(result.status),
            exit_code=int(result.exit_code),
            report={**document(result), "configuration": _configured(here)},
        )
    )
    return result


def _with_trouble(result: Result, trouble: SnowloadError | None) -> Result:
    """A damaged trail is the severest end there is. What the next run makes good is a finding; where the command has
    none, its error."""
    if trouble is None:
        return result
    if isinstance(trouble, AuditDamaged):
        failed, code = RunStatus.FAILED.value, exit_code_of(trouble)
        return replace(result, status=failed, exit_code=code, error=result.error or trouble)
    if "findings" not in result.body:
        return replace(result, exit_code=result.exit_code or exit_code_of(trouble), error=result.error or trouble)
    finding = Finding(record="audit", rule=UNSEALED, severity=Severity.WARNING, message=str(trouble))
    return replace(result, body={**result.body, "findings": [*result.body["findings"], told_finding(finding)]})


def _configured(here: Ground) -> list[dict[str, object]]:
    """The settings in force that are no defaults, with their sources; secrets hidden."""
    return [one for one in settings_in_force(here) if one["source"] != "default"]


def healings_of(wiring: Wiring, report: RunReport, store: Store) -> list[dict[str, Any]]:
    """What was put right on the way (X5), the queue and the snapshots included."""
    if written_any(report):
        queue_drained(wiring.waited, store.journal.pending()["later"], wiring.healings)
    cache_warmed(report.findings, wiring.healings)
    return wiring.healings.rows()


def written_any(report: RunReport) -> bool:
    """Whether ServiceNow took anything."""
    return any(settlement.receipt.outcome is Outcome.DONE for settlement in report.settlements)


def report_of(
    outcome: LoadOutcome,
    wiring: Wiring,
    run: Run,
    here: Ground,
    error: SnowloadError | None,
    stop: Stop,
    unmade: Sequence[Change] = (),
) -> RunReport:
    """What the run found out and did, whatever stopped it, and what was heard on the way. ``unmade`` are changes that
    were not made because of ``error`` and of which nothing was settled."""
    stopped = [trouble for trouble in (error, outcome.away) if trouble is not None]
    ending = Ending(
        stopped=stopped,
        unread=outcome.snapshot.findings if outcome.snapshot is not None else (),
        unmade=unmade if stopped else (),
        left_alone=wiring.heard.left_alone(),
    )
    told = errors_told(wiring.heard.troubles, outcome.settlements, ending)
    report = RunReport(
        started_at=run.started_at,
        finished_at=here.clock.now(),
        snapshot=outcome.snapshot,
        desired=outcome.desired,
        plan=outcome.plan,
        settlements=outcome.settlements,
        unlinked=outcome.unlinked,
        findings=[*outcome.findings, *wiring.heard.findings],
        held=outcome.held,
        steps=outcome.steps,
        requests=wiring.meter.counts(),
        breakers=wiring.heard.breakers,
        checked=outcome.checked,
        integrity=outcome.integrity,
        attendance=outcome.attendance,
        reduced=outcome.reduced,
        parked=outcome.parked,
        away=outcome.away,
        error=error,
        interrupted=stop.exit_code,
        errors=told.errors,
        errors_omitted=told.omitted,
        incidents=told.incidents,
        operations=[one.document() for one in wiring.heard.metrics.operations()],
    )
    wiring.heard.report = report
    return report
