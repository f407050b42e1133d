"""Removes relations, one call each, through the CMDB Instance API (servicenow-api 6.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from beast_dream_snow_loader.core.changes import UnlinkChange
from beast_dream_snow_loader.core.receipts import Operation, Outcome, Receipt
from beast_dream_snow_loader.core.shown import shown
from beast_dream_snow_loader.errors import (
    CmdbAsleep,
    NotAuthenticated,
    NotAuthorised,
    Rejected,
    SnowloadError,
    TransportError,
)
from beast_dream_snow_loader.servicenow import edges
from beast_dream_snow_loader.servicenow.answers import AnswerKind, Refusal
from beast_dream_snow_loader.servicenow.calling import Caller
from beast_dream_snow_loader.servicenow.reading import Reader
from beast_dream_snow_loader.servicenow.receipts import fate
from beast_dream_snow_loader.servicenow.rows import Row

_REMEDY = (
    "Let the account delete rows of cmdb_rel_ci (usually the role itil), or remove this relation by hand; then run "
    "the command again."
)


class Unlinker:
    """Thread-safe. Looks first: what is gone is done; what was there before us or another source recorded too stays."""

    def __init__(self, caller: Caller, reader: Reader) -> None:
        self._caller, self._reader = caller, reader

    def unlink(self, changes: Sequence[UnlinkChange]) -> list[Receipt]:
        """One receipt per change, in order. Raises NotAuthenticated only.

        A refusal by rights, or an outage, speaks for the rest too: it is not about one edge.
        """
        try:
            rows = edges.find(self._reader, (change.known for change in changes))
            ids = [row["sys_id"] for row in rows.values()]
            others = edges.recorded_by_others(self._reader, ids, self._caller.settings.data_source)
        except (TransportError, CmdbAsleep) as error:
            return [_unsent(change, error) for change in changes]
        stopped: SnowloadError | None = None
        receipts: list[Receipt] = []
        for change in changes:
            receipt = _settled_already(change, rows.get(change.subject), others)
            if receipt is None and stopped is None:
                receipt, stopped = self._delete(change, rows[change.subject])
            receipts.append(receipt or _unsent(change, stopped))
        return receipts

    def _delete(self, change: UnlinkChange, row: Row) -> tuple[Receipt, SnowloadError | None]:
        """The receipt, and the error when nothing more should be tried."""
        parent = row.get("parent") or change.known.parent_sys_id
        path = f"/api/now/cmdb/instance/cmdb_ci/{parent}/relation/{row['sys_id']}"
        try:
            answer = self._caller.delete(path, "relation.delete")
            if answer.kind is AnswerKind.SUCCESS or answer.refusal is Refusal.NOT_FOUND:
                return _done(change, Operation.UNLINKED), None
            raise self._caller.error(answer, f"removing the relation {change.subject}")
        except NotAuthenticated:
            raise
        except Rejected as error:
            return _receipt(change, Outcome.REFUSED, error), None
        except (TransportError, CmdbAsleep) as error:
            return _receipt(change, fate(error), error), error


def _settled_already(change: UnlinkChange, row: Row | None, others: Mapping[str, str]) -> Receipt | None:
    """The receipt of an edge that needs no call."""
    if not change.known.ours:
        message = "It was there before us: remove it by hand if it is no longer true."
        return _done(change, Operation.NONE, "unlink.not_ours", message)
    if row is None:
        return _done(change, Operation.UNLINKED, "unlink.gone", "It was gone already.")
    if row["sys_id"] in others:
        message = f"{shown(others[row['sys_id']])} recorded this relation too: it stays, and is no longer ours."
        return _done(change, Operation.NONE, "unlink.shared", message)
    return None


def _done(change: UnlinkChange, operation: Operation, code: str = "", message: str = "") -> Receipt:
    return Receipt(subject=change.subject, outcome=Outcome.DONE, operation=operation, code=code, message=message)


def _unsent(change: UnlinkChange, error: SnowloadError | None) -> Receipt:
    """Nothing was sent for it: refused by rights, queued for anything that may pass."""
    if isinstance(error, NotAuthenticated):
        raise error
    outcome = Outcome.REFUSED if isinstance(error, (NotAuthorised, Rejected)) else Outcome.LATER
    return _receipt(change, outcome, error)


def _receipt(change: UnlinkChange, outcome: Outcome, error: SnowloadError | None) -> Receipt:
    code, message = (error.code, str(error)) if error is not None else ("", "")
    if isinstance(error, NotAuthorised):
        message = f"{error.message} {_REMEDY}"
    return Receipt(subject=change.subject, outcome=outcome, code=code, message=message)
