"""The use case behind ``snowload load``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from beast_dream_snow_loader.app import degraded, healed
from beast_dream_snow_loader.app.belonging import refuse_foreign_state
from beast_dream_snow_loader.app.earlier_runs import RESUMES, Resumed, as_asked, refuse_mixed, to_resume, with_failed
from beast_dream_snow_loader.app.failing import failed
from beast_dream_snow_loader.app.failures import NOT_UNDONE, as_lines
from beast_dream_snow_loader.app.ground import Ground, ground
from beast_dream_snow_loader.app.holding import holding
from beast_dream_snow_loader.app.listening import Heard, listening
from beast_dream_snow_loader.app.not_undone import not_undone
from beast_dream_snow_loader.app.notifying import Telling, with_telling
from beast_dream_snow_loader.app.opening import opened
from beast_dream_snow_loader.app.options import LoadOptions
from beast_dream_snow_loader.app.orders import order_of
from beast_dream_snow_loader.app.places import report_file
from beast_dream_snow_loader.app.plan_file import PlanFile, ordered, read_plan, refuse_elsewhere, refuse_filters
from beast_dream_snow_loader.app.plan_rows import plan_rows
from beast_dream_snow_loader.app.private_files import refuse_unwritable, write_file
from beast_dream_snow_loader.app.result import Result, document
from beast_dream_snow_loader.app.rollback import COMMAND as ROLLBACK
from beast_dream_snow_loader.app.rollback import undo_run
from beast_dream_snow_loader.app.runs import begun, closed, healings_of, report_of
from beast_dream_snow_loader.app.signals import Stop, stop_on_signals
from beast_dream_snow_loader.app.sweeping import swept
from beast_dream_snow_loader.app.textfile import Exposure, with_textfile
from beast_dream_snow_loader.app.waiting import time_to_wait
from beast_dream_snow_loader.app.wiring import Wiring, wire
from beast_dream_snow_loader.clock import rfc3339
from beast_dream_snow_loader.core.events import Listener
from beast_dream_snow_loader.core.exit_codes import exit_code_of
from beast_dream_snow_loader.core.report import status_of
from beast_dream_snow_loader.core.run import UNDOES, Run, RunStatus
from beast_dream_snow_loader.errors import BadArgument, SnowloadError
from beast_dream_snow_loader.pipeline.outcome import LoadOutcome
from beast_dream_snow_loader.pipeline.runner import Load
from beast_dream_snow_loader.state.store import Store

_NAMED = "report_file"
"""Of the document: where it is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One load as it was asked for. ``file`` is the saved plan to apply, ``resumed`` the run to be finished."""

    options: LoadOptions
    file: PlanFile | None = None
    resumed: Resumed | None = None

    def begun(self) -> dict[str, Any]:
        """What is remembered of the run from its start: a killed one can be finished from it."""
        told: dict[str, Any] = {"asked": self.options.asked}
        if self.file is not None:
            told["from_plan"] = self.file.told()
        if self.resumed is not None:
            told[RESUMES] = {"run_id": self.resumed.run.id}
        return told


def load(options: LoadOptions, listener: Listener) -> Result:
    """Never raises a SnowloadError: what stopped it is in the result. The file of errors comes first, for it may
    change how it ends, then that of metrics, which tells that; people are told last."""
    telling = Telling("load", options.place, mute=options.dry_run)
    exposure = Exposure(command="load", place=options.place, recorded=not options.dry_run)
    return with_telling(
        telling, lambda: with_textfile(exposure, lambda: _with_errors(options, listener, exposure, telling))
    )


def _with_errors(options: LoadOptions, listener: Listener, exposure: Exposure, telling: Telling) -> Result:
    result = _attempted(options, listener, exposure, telling)
    if options.errors_file is None or isinstance(result.error, BadArgument):
        return result
    return _kept(result, options.errors_file, as_lines(result))


def _attempted(options: LoadOptions, listener: Listener, exposure: Exposure, telling: Telling) -> Result:
    try:
        refuse_unwritable(options.report_file, options.errors_file)
        refuse_mixed(options)
        file = _plan_file(options)
        with ground(options.place) as here:
            telling.begins(here)
            with opened(here) as store, exposure.at(here, store), stop_on_signals(here.clock, telling.stop) as stop:
                return _load(_task(options, file, here, store), here, store, stop, listener, telling)
    except SnowloadError as error:
        return failed("load", error, environment=options.place.environment or "", stop=telling.stop)


def _plan_file(options: LoadOptions) -> PlanFile | None:
    if options.plan_file is None:
        return None
    refuse_filters(options)
    return read_plan(options.plan_file)


def _task(options: LoadOptions, file: PlanFile | None, here: Ground, store: Store) -> Task:
    resumed = to_resume(options, here, store)
    if resumed is None:
        return Task(options=with_failed(options, here, store), file=file)
    options = as_asked(options, resumed.run)
    return Task(options=options, file=_plan_file(options), resumed=resumed)


def _load(task: Task, here: Ground, store: Store, stop: Stop, listener: Listener, telling: Telling) -> Result:
    if task.file is not None:
        refuse_elsewhere(task.file, here)
    run = begun("load", here, task.begun())
    heard = Heard()
    options = task.options
    with listening(here, run.id, listener, heard, place=options.place, command="load") as told:
        telling.starts(run.id)
        wiring = wire(here, store, told, dry_run=options.dry_run, stopping=stop, max_requests=options.max_requests)
        return _recorded(task, here, store, replace(wiring, heard=heard), run, stop)


def _recorded(task: Task, here: Ground, store: Store, wiring: Wiring, run: Run, stop: Stop) -> Result:
    options, file = task.options, task.file
    order = order_of(options, here, run.id)
    if options.dry_run:
        refuse_foreign_state(here, store, adopt=options.adopt_instance)
        work = Load(wiring.world, order, ordered(file, store) if file is not None else None)
        result = _run(task, here, store, wiring, work, run, stop)
        return _reported(result, filter(None, (options.report_file,)))
    wait = time_to_wait(options.lock_timeout, "--lock-timeout", "5m").total_seconds()
    with holding(here, store, wiring, run, wait, adopt=options.adopt_instance) as held:
        saved = ordered(file, store) if file is not None else None
        result = _run(task, here, store, held, Load(held.world, order, saved), run, stop)
        if options.on_failure == "rollback" and _went_wrong(result) and not stop():
            result = _undone(here, store, held, run, result, stop)
        if options.on_failure == "rollback":
            result = _with_what_stays(result, task, run, store, stop)
        return _finished(options, here, store, run, result, stop)


def _went_wrong(result: Result) -> bool:
    """Whether something was refused or broke off; what waits in the queue or for a person has not failed."""
    wrote = any(result.body.get("written", {}).values())
    return wrote and bool(result.body.get("failed") or result.error is not None)


def _with_what_stays(result: Result, task: Task, run: Run, store: Store, stop: Stop) -> Result:
    resumed = task.resumed.run if task.resumed is not None else None
    stopped = stop() and (result.status == RunStatus.INTERRUPTED or _went_wrong(result))
    stays = not_undone(result, run, resumed, store, stopped=stopped)
    return replace(result, body={**result.body, NOT_UNDONE: stays})


def _undone(here: Ground, store: Store, wiring: Wiring, run: Run, result: Result, stop: Stop) -> Result:
    """The load's result with that of the rollback in it, which is a run of its own."""
    undoing = begun(ROLLBACK, here, {UNDOES: run.id})
    store.memory.start_run(undoing)
    undo = undo_run(here, wiring, run.id, undoing, stop)
    undo = closed(store, undoing, undo, here)
    return replace(result, body={**result.body, "rollback": document(undo)})


def _run(task: Task, here: Ground, store: Store, wiring: Wiring, work: Load, run: Run, stop: Stop) -> Result:
    options, file = task.options, task.file
    error: SnowloadError | None = None
    try:
        work.run()
    except SnowloadError as stopped:
        error = stopped
    unmade = () if options.dry_run or error is None else work.outcome.unsettled
    report = report_of(work.outcome, wiring, run, here, error, stop, unmade)
    status, code = status_of(report, strict=options.strict)
    changes = list(plan_rows(report.plan)) if options.dry_run and report.plan is not None else []
    modes = {"dry_run": options.dry_run, "read_only": here.settings.servicenow.read_only}
    body = {**modes, "asked": options.asked, **report.document(), "changes": changes}
    body[degraded.NAME] = degraded.of_run(report, here)
    body[healed.NAME] = healings_of(wiring, report, store)
    if file is not None:
        body["from_plan"] = {**file.told(), **_renewed(work.outcome)}
    if task.resumed is not None:
        body[RESUMES] = task.resumed.told(store)
    return Result(
        command="load",
        status=status.value,
        exit_code=code,
        environment=here.environment,
        run_id=run.id,
        generated_at=rfc3339(report.finished_at),
        body=body,
        error=report.stopped,
    )


def _renewed(outcome: LoadOutcome) -> dict[str, Any]:
    stale = [
        {"record": one.record, "key": one.subject, "change": one.change.value, "reason": one.reason}
        for one in outcome.stale
    ]
    return {"done_before": outcome.done_before, "stale": stale}


def _finished(options: LoadOptions, here: Ground, store: Store, run: Run, result: Result, stop: Stop) -> Result:
    """The run closed in the state first, then old ones swept out; then its report kept as a file and, if asked, where
    the user said."""
    kept = report_file(here.settings, run.id)
    result = replace(result, body={**result.body, _NAMED: str(options.report_file or kept)})
    result = closed(store, run, result, here)
    result = replace(result, body={**result.body, "state": swept(here, store, run, stop)})
    return _reported(result, filter(None, (kept, options.report_file)))


def _reported(result: Result, files: Iterable[Path]) -> Result:
    """Written to each, and naming the last of them that it could be written to."""
    named: Path | None = None
    for file in files:
        lost = _unwritten(file, orjson.dumps(document(result), option=orjson.OPT_INDENT_2, default=str))
        named = file if lost is None else named
        result = _less(result, lost)
    told = {_NAMED: str(named)} if named is not None else {}
    others = {name: value for name, value in result.body.items() if name != _NAMED}
    return replace(result, body={**others, **told}) if _NAMED in result.body else result


def _kept(result: Result, file: Path, data: bytes) -> Result:
    return _less(result, _unwritten(file, data))


def _unwritten(file: Path, data: bytes) -> SnowloadError | None:
    try:
        write_file(file, data)
    except SnowloadError as error:
        return error
    return None


def _less(result: Result, lost: SnowloadError | None) -> Result:
    """The result, with the error when a file could not be written: what was done is done and recorded."""
    if lost is None:
        return result
    return replace(result, error=result.error or lost, exit_code=result.exit_code or exit_code_of(lost))
