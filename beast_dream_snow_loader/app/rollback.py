"""The use case behind ``snowload rollback`` and ``load --on-failure rollback`` (R3.5)."""

from __future__ import annotations

from dataclasses import replace

from beast_dream_snow_loader.app.failing import failed
from beast_dream_snow_loader.app.ground import Ground, ground
from beast_dream_snow_loader.app.holding import holding
from beast_dream_snow_loader.app.listening import Heard, listening
from beast_dream_snow_loader.app.options import Place
from beast_dream_snow_loader.app.plan_rows import plan_rows
from beast_dream_snow_loader.app.result import Result, document
from beast_dream_snow_loader.app.run_ids import new_run_id
from beast_dream_snow_loader.app.signals import Stop, stop_on_signals
from beast_dream_snow_loader.app.wiring import Wiring, mapping_rules, opened, wire
from beast_dream_snow_loader.clock import rfc3339
from beast_dream_snow_loader.core.events import Listener
from beast_dream_snow_loader.core.inverse import Created
from beast_dream_snow_loader.core.receipts import Operation
from beast_dream_snow_loader.core.report import RunReport, status_of
from beast_dream_snow_loader.core.run import Run, RunStatus
from beast_dream_snow_loader.errors import BadArgument, ReadOnlyMode, SnowloadError
from beast_dream_snow_loader.pipeline.rollback import RolledBack, roll_back
from beast_dream_snow_loader.pipeline.world import Order
from beast_dream_snow_loader.state.store import Store

COMMAND = "rollback"
_RECENT = 5


def rollback(place: Place, run_id: str, *, dry_run: bool, created: Created | None, listener: Listener) -> Result:
    """Never raises a SnowloadError: what stopped it is in the result."""
    try:
        with ground(place) as here, opened(here) as store, stop_on_signals(here.clock) as stop:
            undone = _to_undo(here, store, run_id)
            run = run_of_rollback(here)
            with listening(here, run.id, listener, Heard(), place.verbosity) as told:
                wiring = wire(here, store, told, dry_run=dry_run, stopping=stop)
                if dry_run:
                    return undo_run(here, wiring, undone.id, run, stop, created=created, dry_run=True)
                with holding(here, store, wiring, run) as held:
                    result = undo_run(here, held, undone.id, run, stop, created=created)
                    close_run(store, run, result, here)
                    return result
    except SnowloadError as error:
        return failed(COMMAND, error, environment=place.environment or "")


def run_of_rollback(here: Ground) -> Run:
    now = here.clock.now()
    return Run(id=new_run_id(now), command=COMMAND, environment=here.environment, target=here.target, started_at=now)


def undo_run(
    here: Ground,
    wiring: Wiring,
    run_id: str,
    run: Run,
    stop: Stop,
    *,
    created: Created | None = None,
    dry_run: bool = False,
) -> Result:
    """Undo ``run_id`` as ``run``; an error that stops it is in the result."""
    error: SnowloadError | None = None
    undone: RolledBack | None = None
    try:
        order = _order(here, run, dry_run)
        if order.read_only and not dry_run:
            raise ReadOnlyMode("servicenow.mode is read-only: nothing was undone.")
        undone = roll_back(wiring.world, order, run_id, created or here.settings.rollback.created)
    except SnowloadError as stopped:
        error = stopped
    report = RunReport(
        started_at=run.started_at,
        finished_at=here.clock.now(),
        plan=undone.plan if undone else None,
        settlements=undone.settlements if undone else (),
        unlinked=undone.unlinked if undone else (),
        findings=undone.plan.findings if undone else (),
        requests=wiring.meter.counts(),
        error=error,
        interrupted=stop.exit_code,
        run_id=run.id,
    )
    return _result(here, run, run_id, report, undone, dry_run=dry_run)


def close_run(store: Store, run: Run, result: Result, here: Ground) -> None:
    store.memory.finish_run(
        replace(
            run,
            finished_at=here.clock.now(),
            status=RunStatus(result.status),
            exit_code=int(result.exit_code),
            report=document(result),
        )
    )


def _result(
    here: Ground, run: Run, run_id: str, report: RunReport, undone: RolledBack | None, *, dry_run: bool
) -> Result:
    status, code = status_of(report)
    deleted = sum(1 for s in report.settlements if s.receipt.operation is Operation.DELETED)
    body = {
        "undoes": run_id,
        "dry_run": dry_run,
        **report.document(),
        "deleted": deleted,
        "dropped": undone.dropped if undone else 0,
        "changes": list(plan_rows(undone.plan)) if undone else [],
    }
    return Result(
        command=COMMAND,
        status=status.value,
        exit_code=code,
        environment=here.environment,
        run_id=run.id,
        generated_at=rfc3339(report.finished_at),
        body=body,
        error=report.error,
    )


def _order(here: Ground, run: Run, dry_run: bool) -> Order:
    settings = here.settings.servicenow
    return Order(
        run_id=run.id,
        target=here.target,
        rules=mapping_rules(here.settings),
        dry_run=dry_run,
        read_only=settings.read_only,
        lanes=settings.concurrency,
        batch_size=settings.batch_size,
        batch_size_max=settings.batch_size_max,
    )


def _to_undo(here: Ground, store: Store, run_id: str) -> Run:
    run = store.memory.run(run_id)
    if run is None or run.target != here.target:
        recent = ", ".join(one.id for one in store.memory.runs(limit=_RECENT) if one.target == here.target)
        raise BadArgument(
            f"There is no run {run_id} against {here.target}.",
            next_step=f"The last ones are: {recent or 'none'}. List them with: snowload runs list",
        )
    return run
