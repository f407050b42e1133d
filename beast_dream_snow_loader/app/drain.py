"""The use case behind ``snowload replay-queue``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

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
from beast_dream_snow_loader.app.runs import begun, closed, healings_of, report_of
from beast_dream_snow_loader.app.signals import Stop, stop_on_signals
from beast_dream_snow_loader.app.textfile import Exposure, with_textfile
from beast_dream_snow_loader.app.wiring import Wiring, wire
from beast_dream_snow_loader.clock import rfc3339
from beast_dream_snow_loader.core.events import Listener
from beast_dream_snow_loader.core.exit_codes import ExitCode, exit_code_of
from beast_dream_snow_loader.core.report import RunReport, status_of
from beast_dream_snow_loader.core.run import Run, RunStatus
from beast_dream_snow_loader.errors import ReadOnlyMode, SnowloadError
from beast_dream_snow_loader.pipeline.guard import AWAY
from beast_dream_snow_loader.pipeline.replay import Replay
from beast_dream_snow_loader.state.store import Store

_COMMAND = "replay-queue"


def replay_queue(
    place: Place, *, dry_run: bool, limit: int | None, listener: Listener, max_requests: int | None = None
) -> Result:
    """Never raises a SnowloadError: what stopped it is in the result."""
    exposure = Exposure(command=_COMMAND, place=place, recorded=not dry_run)
    return with_textfile(exposure, lambda: _attempted(exposure, limit, listener, max_requests, dry_run=dry_run))


def _attempted(
    exposure: Exposure, limit: int | None, listener: Listener, max_requests: int | None, *, dry_run: bool
) -> Result:
    place = exposure.place
    try:
        with (
            ground(place) as here,
            opened(here) as store,
            exposure.at(here, store),
            stop_on_signals(here.clock) as stop,
        ):
            run, heard = begun(_COMMAND, here), Heard()
            with listening(here, run.id, listener, heard, place=place, command=_COMMAND) as told:
                wired = wire(here, store, told, dry_run=dry_run, stopping=stop, max_requests=max_requests)
                wiring = replace(wired, heard=heard)
                if dry_run:
                    refuse_foreign_state(here, store)
                    return _replay(here, store, wiring, stop, limit, run, dry_run=True)
                return _recorded(here, store, wiring, stop, limit, run)
    except SnowloadError as error:
        return failed(_COMMAND, error, environment=place.environment or "")


def _recorded(here: Ground, store: Store, wiring: Wiring, stop: Stop, limit: int | None, run: Run) -> Result:
    with holding(here, store, wiring, run) as held:
        result = replace(_replay(here, store, held, stop, limit, run, dry_run=False), run_id=run.id)
        return closed(store, run, result, here)


def _replay(
    here: Ground, store: Store, wiring: Wiring, stop: Stop, limit: int | None, run: Run, *, dry_run: bool
) -> Result:
    work = Replay(wiring.world, usual_order(here, run.id, dry_run=dry_run), limit)
    error: SnowloadError | None = None
    try:
        if any(store.journal.pending().values()):  # what was sent without an answer is looked up first
            _refuse_read_only(here, dry_run=dry_run)
            work.run()
    except SnowloadError as stopped:
        error = stopped
    work.outcome.parked = store.journal.parked()  # also those of before: no replay sends them, so it is not all done
    unmade = [] if dry_run or error is None else [entry.change for entry in store.journal.queued()]
    report = report_of(work.outcome, wiring, run, here, error, stop, unmade)
    return _result(here, store, report, healings_of(wiring, report, store), dry_run=dry_run)


def _refuse_read_only(here: Ground, *, dry_run: bool) -> None:
    if here.settings.servicenow.read_only and not dry_run:
        raise ReadOnlyMode("servicenow.mode is read-only: nothing was sent, the queue is as it was.")


def _result(
    here: Ground, store: Store, report: RunReport, healings: Sequence[Mapping[str, Any]], *, dry_run: bool
) -> Result:
    status, code = status_of(report)
    if isinstance(report.error, AWAY):
        status, code = RunStatus.QUEUED, ExitCode.QUEUED
    elif report.error is not None:
        code = exit_code_of(report.error)
    body = report.document()
    body[healed.NAME] = list(healings)
    body[degraded.NAME] = degraded.of_run(report, here)
    body["sent"] = sum(body["written"].values())
    body["left"] = body["queued"] = sum(store.journal.pending().values())
    body["changes"] = list(plan_rows(report.plan)) if dry_run and report.plan is not None else []
    return Result(
        command=_COMMAND,
        status=status.value,
        exit_code=code,
        environment=here.environment,
        generated_at=rfc3339(report.finished_at),
        body=body,
        error=report.error,
    )
