"""Deletes CIs, one call each, by the Table API: only a rollback does, of what the run itself had made (R3.5)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from beast_dream_snow_loader.core.changes import ItemChange
from beast_dream_snow_loader.core.identity import SysId
from beast_dream_snow_loader.core.ports import Deleted
from beast_dream_snow_loader.core.receipts import Operation, Outcome, Receipt
from beast_dream_snow_loader.errors import (
    CmdbAsleep,
    NotAuthenticated,
    NotAuthorised,
    Rejected,
    SnowloadError,
    TransportError,
)
from beast_dream_snow_loader.servicenow.answers import Answer, AnswerKind, Refusal
from beast_dream_snow_loader.servicenow.apis.table import TableRead
from beast_dream_snow_loader.servicenow.calling import Caller
from beast_dream_snow_loader.servicenow.query import Query, checked_table
from beast_dream_snow_loader.servicenow.reading import Reader, chunks
from beast_dream_snow_loader.servicenow.receipts import fate

_COMPANIONS = ("cmdb_serial_number", "cmdb_ci_network_adapter")
_REMEDY = "Let the account delete CIs, or set rollback.created to retire; then run the rollback again."


def delete_items(caller: Caller, reader: Reader, changes: Sequence[ItemChange]) -> Deleted:
    """One receipt per change, in order. Raises NotAuthenticated only. What one refusal by rights or one outage says is
    said for the rest too. Serial numbers and adapters of what was deleted go with it: they would point at nothing."""
    stopped: SnowloadError | None = None
    receipts: list[Receipt] = []
    swept: list[SysId] = []
    hanging, all_read = _hanging(reader, [change.known.sys_id for change in changes if change.known is not None])
    for change in changes:
        receipt, stopped = _delete(caller, change) if stopped is None else (_unsent(change, stopped), stopped)
        there = change.known.sys_id if change.known is not None and receipt.outcome is Outcome.DONE else None
        if there is not None and _sweep(caller, hanging.get(there, ())) and all_read:
            swept.append(there)
        receipts.append(receipt)
    return Deleted(receipts=receipts, swept=swept)


def sweep(caller: Caller, reader: Reader, sys_ids: Sequence[SysId]) -> list[SysId]:
    """Remove the serial numbers and adapters that deleted CIs left behind. The CIs of which nothing is left."""
    hanging, all_read = _hanging(reader, sys_ids)
    swept = [sys_id for sys_id in sys_ids if _sweep(caller, hanging.get(sys_id, ()))]
    return swept if all_read else []


def _hanging(reader: Reader, sys_ids: Sequence[SysId]) -> tuple[dict[str, list[str]], bool]:
    """The paths of their serial numbers and adapters, by CI, as far as they can be read, and whether all were."""
    found: dict[str, list[str]] = {}
    with suppress(TransportError, CmdbAsleep):  # what is left behind is an orphan, which the instance's health shows
        for table in _COMPANIONS:
            for portion in chunks(sys_ids):
                read = TableRead(table=table, query=Query().is_in("cmdb_ci", portion), fields=("sys_id", "cmdb_ci"))
                for row in reader.rows(read):
                    found.setdefault(row["cmdb_ci"], []).append(f"/api/now/table/{table}/{row['sys_id']}")
        return found, True
    return found, False


def _sweep(caller: Caller, paths: Sequence[str]) -> bool:
    """Whether all of them are gone."""
    with suppress(TransportError, CmdbAsleep):
        return not sum(not _is_gone(caller.delete(path, "table.delete")) for path in paths)  # each is tried
    return False


def _is_gone(answer: Answer) -> bool:
    return answer.kind is AnswerKind.SUCCESS or answer.refusal is Refusal.NOT_FOUND


def _delete(caller: Caller, change: ItemChange) -> tuple[Receipt, SnowloadError | None]:
    """The receipt, and the error when nothing more should be tried."""
    if change.known is None:
        raise ValueError(f"{change.subject} is not known to be a CI")
    path = f"/api/now/table/{checked_table(change.item.class_name)}/{change.known.sys_id}"
    try:
        answer = caller.delete(path, "table.delete")
        if _is_gone(answer):
            return Receipt(subject=change.subject, outcome=Outcome.DONE, operation=Operation.DELETED), None
        raise caller.error(answer, f"deleting the CI of {change.subject}")
    except NotAuthenticated:
        raise
    except Rejected as error:
        return _receipt(change, Outcome.REFUSED, error), None
    except (TransportError, CmdbAsleep) as error:
        return _receipt(change, fate(error), error), error


def _unsent(change: ItemChange, error: SnowloadError) -> Receipt:
    refused = isinstance(error, (NotAuthorised, Rejected))
    return _receipt(change, Outcome.REFUSED if refused else Outcome.LATER, error)


def _receipt(change: ItemChange, outcome: Outcome, error: SnowloadError) -> Receipt:
    message = f"{error.message} {_REMEDY}" if isinstance(error, NotAuthorised) else error.message
    return Receipt(subject=change.subject, outcome=outcome, code=error.code, message=message)
