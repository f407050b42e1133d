"""The journal: what was intended, and what became of it.

Each method is one transaction. A crash before it commits leaves the entries as they were, and an entry that is open or
unknown is looked up in the CMDB before anything is sent again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, Select, bindparam, func, or_, select, update

from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.core.changes import Change, ItemChange
from beast_dream_snow_loader.core.identity import SourceKey, SysId
from beast_dream_snow_loader.core.past import PastWrite
from beast_dream_snow_loader.core.ports import JournalEntry, Settlement
from beast_dream_snow_loader.core.receipts import Operation, Outcome, Receipt
from beast_dream_snow_loader.errors import StateError
from beast_dream_snow_loader.state.codec import decode_change, encode_change
from beast_dream_snow_loader.state.engine import reading, writing
from beast_dream_snow_loader.state.lease import Fence
from beast_dream_snow_loader.state.ledger import record
from beast_dream_snow_loader.state.schema import PENDING, UNSETTLED, EntryState, journal
from beast_dream_snow_loader.state.statements import portions

_STATE_OF = {
    Outcome.DONE: EntryState.DONE,
    Outcome.REFUSED: EntryState.REFUSED,
    Outcome.UNKNOWN: EntryState.UNKNOWN,
    Outcome.LATER: EntryState.LATER,
}
_place = func.coalesce(journal.c.origin, journal.c.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pending:
    """The one entry of a subject that waits for its outcome."""

    id: int
    origin: int
    change: str
    state: str
    attempts: int


class SqlJournal:
    """The Journal port on a database."""

    def __init__(self, engine: Engine, clock: Clock, fence: Fence | None = None) -> None:
        """With a ``fence``, StateLocked from every method that writes once another run holds the target."""
        self._engine = engine
        self._clock = clock
        self._fence = fence

    def fenced(self, fence: Fence) -> SqlJournal:
        """The same journal in the hands of one holder of the target's lease."""
        return SqlJournal(self._engine, self._clock, fence)

    def intend(self, run_id: str, changes: Sequence[Change]) -> None:
        """Write the changes down before the request leaves.

        A pending entry of the same subject is superseded. Where it carried this very change (a queued write sent
        again), the new entry takes over its count of attempts and its place in the queue.
        """
        if not changes:
            return
        now = self._clock.now()
        with self._writing() as connection:
            pending = _pending(connection, (change.subject for change in changes))
            _supersede(connection, pending, now)
            connection.execute(journal.insert(), _new_rows(run_id, changes, pending, now))

    def settle(self, run_id: str, settlements: Sequence[Settlement]) -> None:
        """Write down what became of them; what is DONE goes into the ledger in the same transaction.

        StateError, and nothing written, when one of the subjects has no pending entry: it was never intended, or
        another process has taken it over.
        """
        if not settlements:
            return
        now = self._clock.now()
        with self._writing() as connection:
            pending = _pending(connection, (settlement.change.subject for settlement in settlements))
            _refuse_unintended(run_id, settlements, pending)
            rows = [_settled_row(pending[s.change.subject], s, now) for s in settlements]
            connection.execute(_SETTLE, rows)
            record(connection, settlements, now)

    def unknown(self) -> Sequence[JournalEntry]:
        """Entries whose outcome is not known, in the order they were intended."""
        return self._entries(_entries_in(*UNSETTLED))

    def queued(self, limit: int | None = None) -> Sequence[JournalEntry]:
        """Entries settled "later", oldest first; a write that was sent again in vain keeps its place."""
        return self._entries(_entries_in(EntryState.LATER).limit(limit))

    def done_in(self, run_ids: Iterable[str]) -> frozenset[str]:
        """Subjects of changes that these runs brought about and no other run has written or undone since."""
        c, done = journal.c, journal.c.state == EntryState.DONE
        theirs = c.run_id.in_(list(run_ids))
        subjects = select(c.subject).where(theirs, done)
        newest = select(func.max(c.id)).where(done, c.subject.in_(subjects)).group_by(c.subject)
        query = select(c.subject).where(theirs, c.id.in_(newest))
        with reading(self._engine) as connection:
            return frozenset(connection.scalars(query))

    def done(self, run_id: str) -> Sequence[Settlement]:
        """What a run did, in the order it was settled."""
        c = journal.c
        query = select(journal).where(c.run_id == run_id, c.state == EntryState.DONE).order_by(c.settled_at, c.id)
        with reading(self._engine) as connection:
            return [_settlement(row) for row in connection.execute(query)]

    def history(self, key: SourceKey, limit: int) -> Sequence[PastWrite]:
        """The newest changes to this record and to the edges of which it is the lower end, newest first."""
        c = journal.c
        concerns = or_(c.subject == str(key), c.subject.like(f"% {key} -> %"))
        query = select(journal).where(concerns).order_by(c.id.desc()).limit(limit)
        with reading(self._engine) as connection:
            return [_past(row) for row in connection.execute(query)]

    def supersede(self, subjects: Iterable[str]) -> int:
        """Drop the pending entries of these subjects. Returns how many there were."""
        with self._writing() as connection:
            pending = _pending(connection, subjects)
            _supersede(connection, pending, self._clock.now())
        return len(pending)

    def pending(self) -> Mapping[str, int]:
        """How many entries wait, by state: ``{"open": 0, "unknown": 0, "later": 12}``."""
        counted = (
            select(journal.c.state, func.count().label("number"))
            .where(journal.c.state.in_(PENDING))
            .group_by(journal.c.state)
        )
        with reading(self._engine) as connection:
            counts = {row.state: row.number for row in connection.execute(counted)}
        return {state.value: counts.get(state, 0) for state in PENDING}

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with writing(self._engine) as connection:
            if self._fence is not None:
                self._fence.check(connection)
            yield connection

    def _entries(self, query: Select[Any]) -> list[JournalEntry]:
        with reading(self._engine) as connection:
            return [_entry(row) for row in connection.execute(query)]


_SETTLE = (
    update(journal)
    .where(journal.c.id == bindparam("entry"))
    .values(
        {
            name: bindparam(f"new_{name}")
            for name in ("state", "settled_at", "attempts", "due_at", "code", "message", "operation", "sys_id")
        }
    )
)


def _pending(connection: Connection, subjects: Iterable[str]) -> dict[str, _Pending]:
    c = journal.c
    columns = (c.subject, c.id, _place.label("origin"), c.change, c.state, c.attempts)
    found: dict[str, _Pending] = {}
    for portion in portions(subjects):
        query = select(*columns).where(c.subject.in_(portion), c.state.in_(PENDING))
        for row in connection.execute(query):
            found[row.subject] = _Pending(
                id=row.id, origin=row.origin, change=row.change, state=row.state, attempts=row.attempts
            )
    return found


def _supersede(connection: Connection, pending: Mapping[str, _Pending], now: datetime) -> None:
    if pending:
        superseded = update(journal).where(journal.c.id == bindparam("entry"))
        connection.execute(
            superseded.values(state=EntryState.SUPERSEDED, settled_at=now),
            [{"entry": entry.id} for entry in pending.values()],
        )


def _new_rows(
    run_id: str, changes: Sequence[Change], pending: Mapping[str, _Pending], now: datetime
) -> list[dict[str, Any]]:
    """Of several changes for one subject only the last is open: it is the newest that is meant."""
    last = {change.subject: number for number, change in enumerate(changes)}
    rows = []
    for number, change in enumerate(changes):
        body = encode_change(change)
        before = pending.get(change.subject)
        again = before is not None and before.change == body
        newest = last[change.subject] == number
        rows.append(
            {
                "run_id": run_id,
                "subject": change.subject,
                "change_type": change.type.value,
                "change": body,
                "state": EntryState.OPEN if newest else EntryState.SUPERSEDED,
                "intended_at": now,
                "settled_at": None if newest else now,
                "attempts": before.attempts if before and again else 0,
                "origin": before.origin if before and again else None,
            }
        )
    return rows


def _refuse_unintended(run_id: str, settlements: Sequence[Settlement], pending: Mapping[str, _Pending]) -> None:
    missing = [s.change.subject for s in settlements if s.change.subject not in pending]
    if missing:
        raise StateError(
            f"Run {run_id} cannot settle {len(missing)} changes, the first of {missing[0]}: they are not open in the "
            "journal. Another process has taken them over.",
            next_step="Let that one finish, then run `snowload load`: it looks up what is true and goes on from there.",
        )


def _settled_row(entry: _Pending, settlement: Settlement, now: datetime) -> dict[str, Any]:
    """An entry that was unknown has been looked up, not sent: that is no attempt."""
    receipt = settlement.receipt
    later = receipt.outcome is Outcome.LATER
    return {
        "entry": entry.id,
        "new_state": _STATE_OF[receipt.outcome],
        "new_settled_at": now,
        "new_attempts": entry.attempts + (entry.state != EntryState.UNKNOWN),
        "new_due_at": now if later else None,
        "new_code": receipt.code,
        "new_message": receipt.message,
        "new_operation": receipt.operation.value,
        "new_sys_id": receipt.sys_id,
    }


def _entries_in(*states: EntryState) -> Select[Any]:
    return select(journal).where(journal.c.state.in_(states)).order_by(_place, journal.c.id)


def _settlement(row: Row[Any]) -> Settlement:
    receipt = Receipt(
        subject=row.subject,
        outcome=Outcome.DONE,
        operation=Operation(row.operation),
        sys_id=SysId(row.sys_id) if row.sys_id else None,
        code=row.code,
        message=row.message,
    )
    return Settlement(change=decode_change(row.change, row.change_type), receipt=receipt)


def _past(row: Row[Any]) -> PastWrite:
    change = decode_change(row.change, row.change_type)
    return PastWrite(
        run_id=row.run_id,
        subject=row.subject,
        change=row.change_type,
        state=row.state,
        intended_at=row.intended_at,
        settled_at=row.settled_at,
        operation=row.operation,
        code=row.code,
        message=row.message,
        fields=tuple(sorted(change.send)) if isinstance(change, ItemChange) else (),
    )


def _entry(row: Row[Any]) -> JournalEntry:
    return JournalEntry(
        id=row.id,
        run_id=row.run_id,
        change=decode_change(row.change, row.change_type),
        intended_at=row.intended_at,
        attempts=row.attempts,
        code=row.code,
        message=row.message,
    )
