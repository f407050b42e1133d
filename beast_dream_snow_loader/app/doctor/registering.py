"""``doctor --register-source``: looked at, written down as a run, written, looked at again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from beast_dream_snow_loader.app.auditing import sealed
from beast_dream_snow_loader.app.doctor.ends import Ends
from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.core.audit import Deed
from beast_dream_snow_loader.core.checkup import Check, CheckStatus, fail, failed, ok
from beast_dream_snow_loader.core.receipts import came_of
from beast_dream_snow_loader.core.run import Run, RunStatus
from beast_dream_snow_loader.errors import SnowloadError
from beast_dream_snow_loader.servicenow.examining.engine import choice_row, row_text
from beast_dream_snow_loader.servicenow.examining.instance import Instance
from beast_dream_snow_loader.servicenow.examining.registering import add, stands
from beast_dream_snow_loader.state.store import Store

NAME = "servicenow.register-source"


def register_source(ends: Ends, instance: Instance, store: Store | None, run_id: str, *, dry_run: bool) -> Check:
    """The line that says what was done, or why nothing was."""
    return replace(_registered(ends, instance, store, run_id, dry_run=dry_run), name=NAME, group="servicenow")


def _registered(ends: Ends, instance: Instance, store: Store | None, run_id: str, *, dry_run: bool) -> Check:
    try:
        if (line := stands(instance)) is not None:
            return line
        if dry_run:
            return ok(f"would add to sys_choice: {row_text(instance.settings.data_source)}")
        if store is None:
            return fail("nothing was added: it could not be written down", "Mend state.database first.")
        return _recorded(ends, instance, store, run_id)
    except SnowloadError as error:
        return failed(error, fix="Mend it, then run snowload doctor --register-source again.")


def _recorded(ends: Ends, instance: Instance, store: Store, run_id: str) -> Check:
    here, row = ends.here, choice_row(instance.settings.data_source)
    run = Run(
        id=run_id,
        command="doctor",
        environment=here.environment,
        target=here.target,
        started_at=here.clock.now(),
        report={"registering": row},
    )
    store.memory.start_run(run)
    trail, fields = store.audit.trail(None, here.target), {name: (None, value) for name, value in row.items()}
    deed = Deed(key=instance.settings.data_source, change="register", table="sys_choice", fields=fields)
    trail.intend(run_id, [deed])
    try:
        line, outcome = add(instance, ends.writing(instance.settings))
    except SnowloadError as error:
        line, outcome = failed(error, fix="Look into sys_choice before trying again."), came_of(error)
    done = line.status is CheckStatus.OK
    trail.settle(run_id, [deed.settled(outcome, operation="inserted" if done else "")])
    audit, trouble = sealed(store, run_id, here)
    store.memory.finish_run(_ended(run, line, here.clock, audit))
    return line if trouble is None or not done else failed(trouble, fix="The row is there; mend the audit trail.")


def _ended(run: Run, line: Check, clock: Clock, audit: Mapping[str, Any]) -> Run:
    done = line.status is CheckStatus.OK
    return replace(
        run,
        finished_at=clock.now(),
        status=RunStatus.OK if done else RunStatus.FAILED,
        exit_code=0 if done else int(line.exit_code),
        report={**run.report, "found": line.found, "audit": audit},
    )
