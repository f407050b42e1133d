"""Writing without the engine: CIs of class ``cmdb_ci`` and their edges by the Table API, each looked up before.

The last resort, where an instance refuses even ``cmdb_ci_hardware`` or the engine itself (product: base class). The
Table API cannot write exactly once, so ``correlation_id`` is looked up right before each write, an answer that was lost
is looked up by the next run, and what has become double nevertheless is reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from beast_dream_snow_loader.core.changes import ChangeType, ItemChange, LinkChange
from beast_dream_snow_loader.core.identity import SourceKey, SysId, parse_sys_id
from beast_dream_snow_loader.core.known import Candidate
from beast_dream_snow_loader.core.mapping_tables import BASE_CLASS, BASE_FIELDS
from beast_dream_snow_loader.core.parking import END_UNKNOWN
from beast_dream_snow_loader.core.ports import Batch
from beast_dream_snow_loader.core.receipts import OPEN, Operation, Outcome, Receipt
from beast_dream_snow_loader.errors import CmdbAsleep, SnowloadError, TransportError
from beast_dream_snow_loader.servicenow.apis.table import TableApi, TableRead
from beast_dream_snow_loader.servicenow.batches import subjects
from beast_dream_snow_loader.servicenow.calling import Caller
from beast_dream_snow_loader.servicenow.query import Query
from beast_dream_snow_loader.servicenow.reading import Reader, chunks
from beast_dream_snow_loader.servicenow.receipts import fate

_SHOWN = ("correlation_id", "sys_class_name", "name", "serial_number", "mac_address", "ip_address", "discovery_source")
_FOUND_NOTHING: tuple[Candidate, ...] = ()
_NOT_OURS = (
    "Only CIs that snowload made are written without the identification engine: this one was there before. "
    "It is written when the account may use the engine."
)


def find(reader: Reader, keys: Iterable[SourceKey]) -> dict[SourceKey, tuple[Candidate, ...]]:
    """The CIs of any class that carry these keys as ``correlation_id`` and are no duplicates.

    A row whose correlation id is spelt otherwise, which IN finds too, is not ours. Raises NotAuthorised, Rejected and
    the errors of a call.
    """
    wanted = {str(key): key for key in keys}
    asked = [
        TableRead(table=BASE_CLASS, query=Query().is_in("correlation_id", chunk), fields=(*_SHOWN, "duplicate_of"))
        for chunk in chunks(wanted)
    ]
    found: dict[SourceKey, tuple[Candidate, ...]] = {}
    for rows in reader.many(asked):
        if isinstance(rows, SnowloadError):
            raise rows
        for row in rows:
            key = wanted.get(row.get("correlation_id", ""))
            if key is not None and not row.get("duplicate_of"):
                found[key] = (*found.get(key, ()), _candidate(row))
    return found


def _candidate(row: Mapping[str, str]) -> Candidate:
    return Candidate(
        sys_id=row["sys_id"],
        class_name=row.get("sys_class_name", ""),
        name=row.get("name", ""),
        serial_number=row.get("serial_number", ""),
        mac_address=row.get("mac_address", ""),
        ip_address=row.get("ip_address", ""),
        discovery_source=row.get("discovery_source", ""),
    )


@dataclass(slots=True)
class _Written:
    """Receipts so far, and the sys_ids that edges can be drawn between. ``away``: nothing more is sent."""

    receipts: dict[str, Receipt] = field(default_factory=dict)
    sys_ids: dict[SourceKey, SysId] = field(default_factory=dict)
    away: SnowloadError | None = None


class BaseClassWriter:
    """Thread-safe but for one record being written twice at once, which lanes rule out."""

    def __init__(self, caller: Caller, reader: Reader) -> None:
        self._caller, self._reader = caller, reader
        self._table = TableApi(caller)
        self._types: dict[str, str] = {}

    def apply(self, batch: Batch, written: Mapping[SourceKey, SysId]) -> list[Receipt]:
        """One receipt per item and link. ``written``: CIs that were just written otherwise. NotAuthenticated."""
        done = _Written(sys_ids={**_known(batch), **written})
        try:
            there = find(self._reader, self._to_look_up(batch, done))
        except (TransportError, CmdbAsleep) as error:
            return [_failed(subject, error, sent=False) for subject in subjects(batch)]
        for key, rows in there.items():
            if len(rows) == 1 and (sys_id := parse_sys_id(rows[0].sys_id)):
                done.sys_ids.setdefault(key, sys_id)
        for change in batch.items:
            self._noted(done, self._item(change, there.get(change.item.key, _FOUND_NOTHING), done))
        for link, row in zip(batch.links, self._edges(batch.links, done), strict=True):
            self._noted(done, self._link(link, row, done))
        return list(done.receipts.values())

    def _to_look_up(self, batch: Batch, done: _Written) -> list[SourceKey]:
        ends = {end for link in batch.links for end in (link.relation.parent, link.relation.child)}
        own = {change.item.key for change in batch.items}
        return sorted(own | (ends - done.sys_ids.keys()))

    @staticmethod
    def _noted(done: _Written, receipt: Receipt) -> None:
        done.receipts[receipt.subject] = receipt

    def _item(self, change: ItemChange, there: Sequence[Candidate], done: _Written) -> Receipt:
        subject, known = change.subject, change.known
        if known is not None and not known.created_by_us:
            return _refused(subject, "base.not_ours", _NOT_OURS)
        if len(there) > 1:
            ends = ", ".join(f"…{row.sys_id[-4:]}" for row in there)
            message = f"{len(there)} CIs carry {subject} as correlation id (sys_ids {ends}). Retire all but one."
            return _refused(subject, "base.several", message)
        sys_id = parse_sys_id(there[0].sys_id) if there else known.sys_id if known is not None else None
        if sys_id is not None:
            receipt = self._update(change, sys_id, there[0].class_name if there else BASE_CLASS, done)
            if receipt is not None:
                return receipt
        if change.type in (ChangeType.RETIRE, ChangeType.RESTORE):
            return _refused(subject, "base.gone", "The CI is no longer in the CMDB, and is not made anew for this.")
        return self._insert(change.anew() if known is not None else change, done)

    def _update(self, change: ItemChange, sys_id: SysId, class_name: str, done: _Written) -> Receipt | None:
        """None when there is no such CI any longer."""
        values = self._values(change)
        if not values:
            return _done(change.subject, Operation.UNCHANGED, sys_id, class_name)
        try:
            if done.away is not None:
                return _failed(change.subject, done.away, sent=False)
            if not self._table.update(BASE_CLASS, sys_id, values):
                return None
        except (TransportError, CmdbAsleep) as error:
            return self._stopped(change.subject, error, done)
        done.sys_ids[change.item.key] = sys_id
        return _done(change.subject, Operation.UPDATED, sys_id, class_name)

    def _insert(self, change: ItemChange, done: _Written) -> Receipt:
        source = {"discovery_source": self._caller.settings.data_source, "correlation_id": str(change.item.key)}
        try:
            if done.away is not None:
                return _failed(change.subject, done.away, sent=False)
            sys_id = self._table.insert(BASE_CLASS, {**self._values(change), **source})
        except (TransportError, CmdbAsleep) as error:
            return self._stopped(change.subject, error, done)
        if sys_id is None:
            message = "The answer names no record."
            return Receipt(subject=change.subject, outcome=Outcome.UNKNOWN, code="base.no_record", message=message)
        done.sys_ids[change.item.key] = sys_id
        return _done(change.subject, Operation.INSERTED, sys_id, BASE_CLASS)

    @staticmethod
    def _values(change: ItemChange) -> dict[str, str]:
        """Fields the table has: a change made for this class is fitted to it, another one to its own."""
        fitted, empties = change.item.class_name == BASE_CLASS, change.type is ChangeType.RESTORE
        known = ((name, value) for name, value in change.send.items() if fitted or name in BASE_FIELDS)
        return {name: value for name, value in known if value or empties}

    def _edges(self, links: Sequence[LinkChange], done: _Written) -> list[Sequence[Mapping[str, str]] | SnowloadError]:
        """What cmdb_rel_ci holds for each link already; empty where it cannot be asked."""
        try:
            reads = [self._edge(link, done) for link in links]
            answers = iter(self._reader.many([read for read in reads if read is not None]))
            return [next(answers) if read is not None else [] for read in reads]
        except (TransportError, CmdbAsleep) as error:
            return [error for _ in links]

    def _edge(self, link: LinkChange, done: _Written) -> TableRead | None:
        values = self._edge_values(link, done)
        if values is None:
            return None
        query = Query()
        for name, value in values.items():
            query = query.equals(name, value)
        return TableRead(table="cmdb_rel_ci", query=query, fields=tuple(values))

    def _edge_values(self, link: LinkChange, done: _Written) -> dict[str, str] | None:
        ends = (done.sys_ids.get(link.relation.parent), done.sys_ids.get(link.relation.child))
        kind = self._type(link.relation.type)
        return None if None in ends or not kind else {"parent": ends[0] or "", "child": ends[1] or "", "type": kind}

    def _type(self, name: str) -> str:
        """sys_id of a relation type; empty when there is not just one of that name."""
        if name not in self._types:
            read = TableRead(table="cmdb_rel_type", query=Query().equals("name", name), fields=("name",))
            rows = self._reader.rows(read)
            self._types[name] = rows[0]["sys_id"] if len(rows) == 1 else ""
        return self._types[name]

    def _link(self, link: LinkChange, there: Sequence[Mapping[str, str]] | SnowloadError, done: _Written) -> Receipt:
        if isinstance(there, SnowloadError):
            return _failed(link.subject, there, sent=False)
        values = self._edge_values(link, done)
        waiting = [end for end in (link.relation.parent, link.relation.child) if _open(done, end)]
        if values is None and waiting:
            message = f"{waiting[0]} was sent without an answer."
            return Receipt(subject=link.subject, outcome=Outcome.UNKNOWN, code=END_UNKNOWN, message=message)
        if values is None:
            return _refused(link.subject, "link.end_missing", "One end was not written, or its type is gone.")
        if there:
            return _done(link.subject, Operation.UNCHANGED, parse_sys_id(there[0]["sys_id"]), "")
        try:
            if done.away is not None:
                return _failed(link.subject, done.away, sent=False)
            sys_id = self._table.insert("cmdb_rel_ci", values)
        except (TransportError, CmdbAsleep) as error:
            return self._stopped(link.subject, error, done)
        return _done(link.subject, Operation.LINKED, sys_id, "")

    @staticmethod
    def _stopped(subject: str, error: SnowloadError, done: _Written) -> Receipt:
        receipt = _failed(subject, error, sent=True)
        if receipt.outcome is Outcome.LATER:
            done.away = error
        return receipt


def _open(done: _Written, key: SourceKey) -> bool:
    receipt = done.receipts.get(str(key))
    return receipt is not None and receipt.outcome in OPEN


def _known(batch: Batch) -> dict[SourceKey, SysId]:
    everything = (*batch.carried, *batch.items)
    return {change.item.key: change.known.sys_id for change in everything if change.known is not None}


def _done(subject: str, operation: Operation, sys_id: SysId | None, class_name: str) -> Receipt:
    return Receipt(subject=subject, outcome=Outcome.DONE, operation=operation, sys_id=sys_id, class_name=class_name)


def _refused(subject: str, code: str, message: str) -> Receipt:
    return Receipt(subject=subject, outcome=Outcome.REFUSED, code=code, message=message)


def _failed(subject: str, error: SnowloadError, *, sent: bool) -> Receipt:
    """``sent`` False: what failed was the look before, so nothing was written."""
    outcome = fate(error)
    if not sent and outcome is Outcome.UNKNOWN:
        outcome = Outcome.LATER
    return Receipt(subject=subject, outcome=outcome, code=error.code, message=str(error))
