"""The one thing the doctor may write, and only when told: the row that makes our discovery source known."""

from __future__ import annotations

from beast_dream_snow_loader.core.checkup import Check, fail, failed, ok
from beast_dream_snow_loader.core.exit_codes import ExitCode
from beast_dream_snow_loader.core.receipts import Outcome
from beast_dream_snow_loader.errors import NotAuthorised, OutcomeUnknown, Rejected, ServerFault, SnowloadError
from beast_dream_snow_loader.servicenow.calling import encode
from beast_dream_snow_loader.servicenow.examining.engine import choice_row, registered, row_text
from beast_dream_snow_loader.servicenow.examining.instance import GUIDE, Instance
from beast_dream_snow_loader.transport.port import Transport


def stands(instance: Instance) -> Check | None:
    """Why nothing is to be added; None when the row is missing and may be. Reads only."""
    source, listed = instance.settings.data_source, registered(instance)
    if listed is None:
        fix = (
            f"Give the account a read rule on sys_choice ({GUIDE}, Tables), or add the row by hand: {row_text(source)}"
        )
        return fail("sys_choice is not readable, so nothing was added", fix, exit_code=ExitCode.AUTH)
    if listed == source:
        return ok(f"{source} is registered already: nothing was added")
    if listed:
        fix = f"Set SERVICENOW_DATA_SOURCE={listed}, or have that row renamed; two spellings of one source help nobody."
        return fail(f"{listed} is registered, {source} is asked for: nothing was added", fix)
    return None


def add(instance: Instance, writing: Transport) -> tuple[Check, Outcome]:
    """One POST, never repeated; an outcome that is not known is looked up. The line, and what came of the row. Raises
    the errors of a call that was not sent, and of a login."""
    row, caller = choice_row(instance.settings.data_source), instance.calling(writing)
    try:
        answer = caller.post("/api/now/table/sys_choice", "table.insert", encode(row))
        caller.result(answer, "the new row in sys_choice")
    except (NotAuthorised, Rejected) as error:
        fix = f"An administrator adds it by hand: {row_text(instance.settings.data_source)}"
        return fail(f"{error.message} Nothing was added.", fix, exit_code=ExitCode.AUTH), Outcome.REFUSED
    except (OutcomeUnknown, ServerFault) as error:
        return _looked_up(instance, error.message)
    return _looked_up(instance, "the instance took the row and does not show it")


def _looked_up(instance: Instance, otherwise: str) -> tuple[Check, Outcome]:
    source = instance.settings.data_source
    try:
        if registered(instance) == source:
            return ok(f"added to sys_choice: {row_text(source)}"), Outcome.DONE
    except SnowloadError as error:
        return failed(error, fix="Look into sys_choice before trying again."), Outcome.UNKNOWN
    fix = "Look into sys_choice; then run snowload doctor --check servicenow.discovery-source"
    return fail(otherwise, fix), Outcome.UNKNOWN
