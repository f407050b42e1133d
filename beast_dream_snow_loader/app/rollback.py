"""The use case behind ``snowload rollback`` and ``load --on-failure rollback`` (R3.5)."""

from __future__ import annotations

from dataclasses import replace

from beast_dream_snow_loader.app import degraded, healed
from beast_dream_snow_loader.app.belonging import refuse_foreign_state
from beast_dream_snow_loader.app.failing import failed
from beast_dream_snow_loader.app.ground import Ground, ground
from beast_dream_snow_loader.app.holding import holding
from beast_dream_snow_loader.app.listening import Heard, listening
from beast_dream_snow_loader.app.opening import opened
from beast_dream_snow_loader.app.options import Place
from beast_dream_snow_loader.app.orders import usual_order
from beast_dream_snow_loader.app.plan_rows import plan_rows
from beast_dream_snow_loader.app.result import Result
from beast_dream_snow_loader.app.run_ids import began_at
from beast_dream_snow_loader.app.runs import begun, closed, report_of
from beast_dream_snow_loader.app.signals import Stop, stop_on_signals
from beast_dream_snow_loader.app.textfile import Exposure, with_textfile
from beast_dream_snow_loader.app.wiring import Wiring, wire
from beast_dream_snow_loader.clock import rfc3339
from beast_dream_snow_loader.core.events import Listener
from beast_dream_snow_loader.core.inverse import Created
from beast_dream_snow_loader.core.receipts import Operation
from beast_dream_snow_loader.core.report import RunReport, status_of
from beast_dream_snow_loader.core.run import UNDOES, Run
from beast_dream_snow_loader.errors import BadArgument, ReadOnlyMode, SnowloadError
from beast_dream_snow_loader.pipeline.outcome import LoadOutcome
from beast_dream_snow_loader.pipeline.rollback import RolledBack, roll_back
from beast_dream_snow_loader.state.store import Store

COMMAND = "rollback"
_RECENT = 5
_KEPT = "How long runs are kept, and can be rolled back, is set by state.keep_runs_days and state.keep_runs."


def rollback(place: Place, run_id: str, *, dry_run: bool, created: Created | None, listener: Listener) -> Result:
    """Never raises a SnowloadError: what stopped it is in the result."""
    exposure = Exposure(command=COMMAND, place=place, recorded=not dry_run)
    return with_textfile(exposure, lambda: _attempted(exposure, run_id, listener, created, dry_run=dry_run))


def _attempted(
    exposure: Exposure, run_id: str, listener: Listener, created: Created | None, *, dry_run: bool
) -> Result:
    place = exposure.place
    try:
        with (
            ground(place) as here,
            opened(here) as store,
            exposure.at(here, store),
            stop_on_signals(here.clock) as stop,
        ):
            refuse_foreign_state(here, store)
            undone = _to_undo(here, store, run_id)
            run, heard = begun(COMMAND, here, {UNDOES: undone.id}), Heard()
            with listening(here, run.id, listener, heard, place=place, command=COMMAND) as told:
                wiring = replace(wire(here, store, told, dry_run=dry_run, stopping=stop), heard=heard)
                if dry_run:
                    return undo_run(here, wiring, undone.id, run, stop, created=created, dry_run=True)
                with holding(here, store, wiring, run) as held:
                    result = _held(here, store, held, undone.id, run, stop, created)
                    return closed(store, run, result, here)
    except SnowloadError as error:
        return failed(COMMAND, error, environment=place.environment or "")


def _held(
    here: Ground, store: Store, wiring: Wiring, run_id: str, run: Run, stop: Stop, created: Created | None
) -> Result:
    """Looked at once more: who held the target until now may have swept it out."""
    try:
        _to_undo(here, store, run_id)
    except BadArgument as gone:
        return replace(failed(COMMAND, gone, environment=here.environment), run_id=run.id)
    return undo_run(here, wiring, run_id, run, stop, created=created)


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
        order = usual_order(here, run.id, dry_run=dry_run)
        if order.read_only and not dry_run:
            raise ReadOnlyMode("servicenow.mode is read-only: nothing was undone.", f"snowload rollback {run_id}")
        undone = roll_back(wiring.world, order, run_id, created or here.settings.rollback.created)
    except SnowloadError as stopped:
        error = stopped
    report = report_of(_outcome(undone), wiring, run, here, error, stop)
    result = _result(here, run, run_id, report, undone, dry_run=dry_run)
    return replace(result, body={**result.body, healed.NAME: wiring.healings.rows()})


def _outcome(undone: RolledBack | None) -> LoadOutcome:
    if undone is None:
        return LoadOutcome()
    return LoadOutcome(
        plan=undone.plan,
        settlements=undone.settlements,
        unlinked=undone.unlinked,
        findings=list(undone.plan.findings),
    )


def _result(
    here: Ground, run: Run, run_id: str, report: RunReport, undone: RolledBack | None, *, dry_run: bool
) -> Result:
    status, code = status_of(report)
    deleted = sum(1 for s in report.settlements if s.receipt.operation is Operation.DELETED)
    body = {
        UNDOES: run_id,
        "dry_run": dry_run,
        **report.document(),
        degraded.NAME: degraded.of_run(report, here),
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


def _to_undo(here: Ground, store: Store, run_id: str) -> Run:
    run = store.memory.run(run_id)
    if run is None:
        _refuse_forgotten(here, store, run_id)
    elif store.half_gone(here.target, run_id):
        raise BadArgument(
            f"Run {run_id} is removed in part: what it changed is no longer known whole, so it cannot be rolled back.",
            next_step=_KEPT,
        )
    if run is None or run.target != here.target:
        recent = ", ".join(one.id for one in store.memory.runs(limit=_RECENT) if one.target == here.target)
        raise BadArgument(
            f"There is no run {run_id} against {here.target}.",
            next_step=f"The last ones are: {recent or 'none'}. List them with: snowload runs list",
        )
    return run


def _refuse_forgotten(here: Ground, store: Store, run_id: str) -> None:
    """BadArgument when that run is so old that it was removed."""
    until, began = store.forgotten_until(here.target), began_at(run_id)
    if until is None or began is None or began > until:
        return
    raise BadArgument(
        f"Run {run_id} is no longer kept, nor what it changed: it cannot be rolled back. Runs up to {rfc3339(until)} "
        "were removed.",
        next_step=_KEPT,
    )
