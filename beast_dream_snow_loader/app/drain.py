"""The use case behind ``snowload replay-queue``."""

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
from beast_dream_snow_loader.core.bindings import read_bindings
from beast_dream_snow_loader.core.events import Listener
from beast_dream_snow_loader.core.exit_codes import ExitCode, exit_code_of
from beast_dream_snow_loader.core.report import RunReport, status_of
from beast_dream_snow_loader.core.run import Run, RunStatus
from beast_dream_snow_loader.errors import ReadOnlyMode, SnowloadError
from beast_dream_snow_loader.pipeline.guard import AWAY
from beast_dream_snow_loader.pipeline.replay import Replayed, replay
from beast_dream_snow_loader.pipeline.world import Order
from beast_dream_snow_loader.state.store import Store

_COMMAND = "replay-queue"


def replay_queue(place: Place, *, dry_run: bool, limit: int | None, listener: Listener) -> Result:
    """Never raises a SnowloadError: what stopped it is in the result."""
    try:
        with ground(place) as here, opened(here) as store, stop_on_signals(here.clock) as stop:
            run = _run(here)
            with listening(here, run.id, listener, Heard(), place.verbosity) as told:
                wiring = wire(here, store, told, dry_run=dry_run, stopping=stop)
                if dry_run:
                    return _replay(here, store, wiring, stop, limit, dry_run=True)
                return _recorded(here, store, wiring, stop, limit, run)
    except SnowloadError as error:
        return failed(_COMMAND, error, environment=place.environment or "")


def _run(here: Ground) -> Run:
    started = here.clock.now()
    return Run(
        id=new_run_id(started),
        command=_COMMAND,
        environment=here.environment,
        target=here.target,
        started_at=started,
    )


def _recorded(here: Ground, store: Store, wiring: Wiring, stop: Stop, limit: int | None, run: Run) -> Result:
    with holding(here, store, wiring, run) as held:
        result = replace(_replay(here, store, held, stop, limit, run=run), run_id=run.id)
        store.memory.finish_run(
            replace(
                run,
                finished_at=here.clock.now(),
                status=RunStatus(result.status),
                exit_code=int(result.exit_code),
                report=document(result),
            )
        )
    return result


def _replay(
    here: Ground,
    store: Store,
    wiring: Wiring,
    stop: Stop,
    limit: int | None,
    *,
    run: Run | None = None,
    dry_run: bool = False,
) -> Result:
    started = run.started_at if run is not None else here.clock.now()
    settings = here.settings.servicenow
    order = Order(
        run_id=run.id if run is not None else "",
        target=here.target,
        rules=mapping_rules(here.settings),
        bindings=read_bindings(here.settings.bindings),
        dry_run=dry_run,
        read_only=settings.read_only,
        lanes=settings.concurrency,
        batch_size=settings.batch_size,
        batch_size_max=settings.batch_size_max,
        check_within_runs=settings.check_within_runs,
        recheck_after=settings.recheck_seconds,
        retire=here.settings.retire.policy(),
    )
    error: SnowloadError | None = None
    replayed: Replayed | None = None
    if any(store.journal.pending().values()):  # what was sent without an answer is looked up first
        try:
            replayed = _replayed(wiring, order, limit)
        except SnowloadError as stopped:
            error = stopped
    report = RunReport(
        started_at=started,
        finished_at=here.clock.now(),
        plan=replayed.plan if replayed else None,
        settlements=replayed.settlements if replayed else (),
        held=replayed.held if replayed else (),
        parked=replayed.parked if replayed else (),
        requests=wiring.meter.counts(),
        error=error,
        interrupted=stop.exit_code,
        run_id=order.run_id,
    )
    return _result(here, store, report, replayed, error, dry_run=dry_run)


def _replayed(wiring: Wiring, order: Order, limit: int | None) -> Replayed:
    if order.read_only and not order.dry_run:
        raise ReadOnlyMode("servicenow.mode is read-only: nothing was sent, the queue is as it was.")
    return replay(wiring.world, order, limit)


def _result(
    here: Ground,
    store: Store,
    report: RunReport,
    replayed: Replayed | None,
    error: SnowloadError | None,
    *,
    dry_run: bool,
) -> Result:
    status, code = status_of(report)
    if isinstance(error, AWAY):
        status, code = RunStatus.QUEUED, ExitCode.QUEUED
    elif error is not None:
        code = exit_code_of(error)
    body = report.document()
    body["sent"] = sum(body["written"].values())
    body["left"] = body["queued"] = len(store.journal.queued())
    body["changes"] = list(plan_rows(replayed.plan)) if dry_run and replayed else []
    return Result(
        command=_COMMAND,
        status=status.value,
        exit_code=code,
        environment=here.environment,
        generated_at=rfc3339(report.finished_at),
        body=body,
        error=error,
    )
