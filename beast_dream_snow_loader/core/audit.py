"""What the audit trail says of one modification of the CMDB: who changed what, from what to what, and what came of it
(R5.2). Values are in here only until they are digested (operations/audit.py)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from beast_dream_snow_loader.core.changes import Change, ChangeType, ItemChange, LinkChange, UnlinkChange
from beast_dream_snow_loader.core.identity import SysId
from beast_dream_snow_loader.core.receipts import Receipt
from beast_dream_snow_loader.core.shown import shown

EDGES = "cmdb_rel_ci"
"""The table of the CMDB's edges."""
COMPANIONS = "cmdb_serial_number, cmdb_ci_network_adapter"
"""What hangs on a CI and goes with it."""


class Kind(StrEnum):
    """What an entry of the trail is."""

    BEGUN = "begun"
    """A chain begins. There is one, unless a key was lost or the database was set back."""
    INTENDED = "intended"
    """The request is about to leave."""
    SETTLED = "settled"
    """What came of it."""
    SEALED = "sealed"
    """Everything up to here is signed, and the key that did so is no more."""
    PRUNED = "pruned"
    """Older entries were removed; where what is left begins stands here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """``user`` of the operating system on ``host``; ``account`` is the login at ServiceNow by name, no secret."""

    user: str = ""
    host: str = ""
    account: str = ""


Fields = Mapping[str, tuple[str | None, str | None]]
"""By field, what it held before and what is to be in it; None: not known, or nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One modification. ``change`` is what was planned, ``operation`` what ServiceNow did; ``outcome`` is empty until
    it is settled."""

    key: str
    change: str
    table: str = ""
    sys_id: str | None = None
    fields: Fields = field(default_factory=dict)
    outcome: str = ""
    operation: str = ""
    code: str = ""

    def settled(self, outcome: str, *, operation: str = "", sys_id: str | None = None, code: str = "") -> Deed:
        """The same, with what came of it."""
        return replace(self, outcome=outcome, operation=operation, sys_id=sys_id or self.sys_id, code=code)


class Link(NamedTuple):
    """One entry of the chain as it is kept, a row of its table: ``body`` is JSON, ``digest`` covers it and all before
    it, ``proof`` is keyed (of a sealed one: a signature). A trail has millions."""

    number: int
    segment: int
    kind: str
    body: str
    digest: str
    proof: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The end of the chain at one moment, small enough to be kept elsewhere. ``key`` is the public key that signed
    entry ``number``."""

    chain: str
    number: int
    digest: str
    at: datetime
    run_id: str
    key: str

    def document(self) -> dict[str, Any]:
        return {
            "schema": "snowload.audit-head/1",
            "chain": self.chain,
            "number": self.number,
            "digest": self.digest,
            "at": f"{self.at:%Y-%m-%dT%H:%M:%SZ}",
            "run_id": self.run_id,
            "key": self.key,
        }


def swept_deed(sys_id: SysId, swept: Collection[SysId] | None = None) -> Deed:
    """What hangs on a CI that is deleted is removed: intended, or settled by those of which nothing is left."""
    deed = Deed(key=sys_id, change="sweep", table=COMPANIONS, sys_id=sys_id)
    if swept is None:
        return deed
    return deed.settled("done", operation="deleted") if sys_id in swept else deed.settled("unknown")


def deed_of(change: Change, receipt: Receipt | None = None) -> Deed:
    """What a change is to do or, with its receipt, has done."""
    deed = _planned(change)
    if receipt is None:
        return deed
    table = receipt.class_name or deed.table
    operation, code = receipt.operation.value, shown(receipt.code, limit=100)
    return replace(deed, table=table).settled(
        receipt.outcome.value, operation=operation, sys_id=receipt.sys_id, code=code
    )


def _planned(change: Change) -> Deed:
    kind = change.type.value
    if isinstance(change, LinkChange):
        return Deed(key=change.subject, change=kind, table=EDGES, fields={"type": (None, change.relation.type)})
    if isinstance(change, UnlinkChange):
        edge = change.known
        return Deed(
            key=change.subject, change=kind, table=EDGES, sys_id=edge.sys_id, fields={"type": (edge.type, None)}
        )
    return Deed(
        key=change.subject,
        change=kind,
        table=change.item.class_name,
        sys_id=change.known.sys_id if change.known is not None else None,
        fields=_fields(change),
    )


def _fields(change: ItemChange) -> Fields:
    """Before, as far as it was read: the stored values, else what a person is shown of the difference."""
    stored: Mapping[str, str] = (change.known.stored if change.known is not None else None) or {}
    if change.type is ChangeType.DELETE:
        return {element: (value, None) for element, value in stored.items() if value}
    shown = {one.element: one.old for one in change.fields}
    return {element: (stored.get(element, shown.get(element)), new) for element, new in change.send.items()}
