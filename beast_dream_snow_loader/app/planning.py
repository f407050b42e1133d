"""The use case behind ``snowload plan``: a load that ends with the plan, read live, and may save it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from beast_dream_snow_loader.app import degraded, healed
from beast_dream_snow_loader.app.belonging import refuse_foreign_state
from beast_dream_snow_loader.app.failing import failed
from beast_dream_snow_loader.app.ground import Ground, ground
from beast_dream_snow_loader.app.listening import Heard, listening
from beast_dream_snow_loader.app.opening import opened
from beast_dream_snow_loader.app.options import PlanOptions
from beast_dream_snow_loader.app.orders import order_of
from beast_dream_snow_loader.app.plan_document import SEAL, applicable, plan_body, seal_of
from beast_dream_snow_loader.app.private_files import refuse_unwritable, write_file
from beast_dream_snow_loader.app.result import Result, document
from beast_dream_snow_loader.app.runs import begun, report_of
from beast_dream_snow_loader.app.signals import Stop, stop_on_signals
from beast_dream_snow_loader.app.wiring import wire
from beast_dream_snow_loader.clock import rfc3339
from beast_dream_snow_loader.core.events import Listener
from beast_dream_snow_loader.core.exit_codes import ExitCode
from beast_dream_snow_loader.core.report import RunReport, status_of
from beast_dream_snow_loader.core.saved_plan import SavedPlan
from beast_dream_snow_loader.errors import SnowloadError
from beast_dream_snow_loader.pipeline.planning import Planning
from beast_dream_snow_loader.pipeline.world import Order
from beast_dream_snow_loader.state.store import Store

_COMMAND = "plan"


def plan(options: PlanOptions, listener: Listener) -> Result:
    """Never raises a SnowloadError: what stopped it is in the result. Nothing is written to ServiceNow."""
    place = options.load.place
    try:
        refuse_unwritable(options.out)
        with ground(place) as here, opened(here) as store, stop_on_signals(here.clock) as stop:
            return _plan(options, here, store, stop, listener)
    except SnowloadError as error:
        return failed(_COMMAND, error, environment=place.environment or "")


def _plan(options: PlanOptions, here: Ground, store: Store, stop: Stop, listener: Listener) -> Result:
    run = begun(_COMMAND, here)
    refuse_foreign_state(here, store)
    heard = Heard()
    with listening(here, run.id, listener, heard, place=options.load.place, command="plan") as told:
        wiring = replace(wire(here, store, told, dry_run=True, stopping=stop), heard=heard)
        order = order_of(options.load, here, run.id)
        work = Planning(wiring.world, order)
        saved, error = None, None
        try:
            saved = work.run()
        except SnowloadError as stopped:
            error = stopped
        error = error or (_unsaveable(work) if options.out is not None else None)
        report = report_of(work.outcome, wiring, run, here, error, stop)
        result = _result(options, here, work, report, order, saved, wiring.healings.rows())
    return _saved(result, options.out)


def _unsaveable(work: Planning) -> SnowloadError | None:
    """A plan that did not see the CMDB as it is must not be applied later."""
    return work.outcome.away


def _result(
    options: PlanOptions,
    here: Ground,
    work: Planning,
    report: RunReport,
    order: Order,
    saved: SavedPlan | None,
    healings: Sequence[Mapping[str, Any]],
) -> Result:
    status, code = status_of(report, strict=options.load.strict)
    changes = report.plan is not None and not report.plan.empty
    if options.detailed and changes and code in (ExitCode.OK, ExitCode.PARTIAL):
        code = ExitCode.CHANGES
    body = {"target": here.target, **plan_body(report, work.outcome, order.rules)}
    body[degraded.NAME] = degraded.of_run(report, here)
    body[healed.NAME] = list(healings)
    if saved is not None and work.prepared is not None and work.outcome.away is None:
        body |= applicable(saved, work.prepared, options.load, here.settings)
    result = Result(
        command=_COMMAND,
        status=status.value,
        exit_code=code,
        environment=here.environment,
        run_id=order.run_id,
        generated_at=rfc3339(report.finished_at),
        body=body,
        error=report.stopped,
    )
    return replace(result, body={**body, SEAL: seal_of(document(result))})


def _saved(result: Result, out: Path | None) -> Result:
    if out is None or "apply" not in result.body:
        return result
    write_file(out, orjson.dumps(document(result), option=orjson.OPT_INDENT_2, default=str))
    return result
