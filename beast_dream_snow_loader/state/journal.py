"""The journal: what was intended, and what became of it.

Each method is one transaction. A crash before it commits leaves the entries as they were, and an entry that is open or
unknown is looked up in the CMDB before anything is sent again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import Connection, Engine, Row, Select, func, or_, select, update

from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.core.audit import Deed, Kind, deed_of
from beast_dream_snow_loader.core.changes import Change, ChangeType, ItemChange
from beast_dream_snow_loader.core.content import content_of
from beast_dream_snow_loader.core.identity import SourceKey, SysId
from beast_dream_snow_loader.core.parking import QueueLimits
from beast_dream_snow_loader.core.past import PastWrite
from beast_dream_snow_loader.core.ports import JournalEntry, Settlement
from beast_dream_snow_loader.core.postmortem import Settled
from beast_dream_snow_loader.core.receipts import Operation, Outcome, Receipt
from beast_dream_snow_loader.errors import QueueFull, ReadOnlyMode
from beast_dream_snow_loader.redaction import masked
from beast_dream_snow_loader.state.audit_log import SqlAuditLog
from beast_dream_snow_loader.state.codec import decode_change, encode_change
from beast_dream_snow_loader.state.engine import reading
from beast_dream_snow_loader.state.journal_rows import (
    REWORD,
    SETTLE,
    come_up,
    done_row,
    entry_of,
    new_rows,
    place,
    queued_at,
    refuse_unintended,
    settled_row,
    standing_of,
    still_doubted,
    supersede,
)
from beast_dream_snow_loader.state.lease import Fence, writing_under
from beast_dream_snow_loader.state.queue import SqlQueue
from beast_dream_snow_loader.state.recording import record
from beast_dream_snow_loader.state.schema import DOUBTED, PENDING, STANDING, UNSETTLED, EntryState, journal
from beast_dream_snow_loader.state.statements import portions
from beast_dream_snow_loader.state.unread import from_table

_AT_ONCE = 1000
_ANSWERED = "Once ServiceNow answers,"
_FIRST = {ReadOnlyMode.code: 'Set servicenow.mode to "normal"; then'}
"""What comes before a full queue can be sent, by why its writes wait."""


class SqlJournal:
    """The Journal port on a database."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        audit: SqlAuditLog,
        fence: Fence | None = None,
        limits: QueueLimits = QueueLimits(),
    ) -> None:
        """With a ``fence``, StateLocked from every method that writes once another run holds the target."""
        self._engine = engine
        self._clock = clock
        self._audit = audit
        self._fence = fence
        self._limits = limits

    def fenced(self, fence: Fence) -> SqlJournal:
        """The same journal in the hands of one holder of the target's lease."""
        return SqlJournal(self._engine, self._clock, self._audit, fence, self._limits)

    def intend(self, run_id: str, changes: Sequence[Change]) -> None:
        """Write the changes down before the request leaves, in the audit trail too.

        An entry of the same subject that is not over is superseded. Where it waited with this very change (a queued
        write sent again), the new entry takes over its count of attempts and its place in the queue.
        """
        if not changes:
            return
        now = self._clock.now()
        with self._writing() as connection:
            standing = standing_of(connection, (change.subject for change in changes))
            supersede(connection, standing.values(), now)
            connection.execute(journal.insert(), new_rows(run_id, changes, standing, now))
            self._record(connection, run_id, Kind.INTENDED, [deed_of(change) for change in changes])

    def enqueue(self, run_id: str, changes: Sequence[Change], code: str, message: str) -> None:
        """Queue changes that are not even tried.

        One that waits already with the same content stays where it is, in the newest wording unless it is doubted; one
        that was sent without an answer stays to be looked up, whatever it carries: what it brought about would pass
        for a person's doing otherwise. A newer one waits behind it until then. Any other entry of the subject is
        superseded: what takes over from a write that waited takes over its place in the queue, and since when its
        record has waited.
        QueueFull, and nothing queued, when more would wait than may.
        """
        latest = {change.subject: change for change in changes}
        if not latest:
            return
        now = self._clock.now()
        with self._writing() as connection:
            standing = standing_of(connection, latest)
            bodies = {subject: (content_of(c), encode_change(c)) for subject, c in latest.items()}
            same = {subject: entry.carrying(*bodies[subject]) for subject, entry in standing.items()}
            kept = {subject: entry for subject, entry in same.items() if entry is not None}
            new = [change for subject, change in latest.items() if subject not in kept]
            newest = {subject: entry.newest for subject, entry in standing.items() if not entry.newest.unsettled}
            replaced = [entry for subject, entry in newest.items() if kept.get(subject) is not entry]
            self._refuse_overflow(connection, len(new) - sum(entry.pending for entry in replaced), code)
            supersede(connection, replaced, now)
            if new:
                later = {
                    "state": EntryState.LATER,
                    "settled_at": now,
                    "due_at": now,
                    "code": code,
                    "message": masked(message),
                }
                rows = [
                    {**row, **later, **queued_at(standing.get(row["subject"]))}
                    for row in new_rows(run_id, new, {}, now)
                ]
                connection.execute(journal.insert(), rows)
            waiting = {subject: entry for subject, entry in kept.items() if entry.state == EntryState.LATER}
            if waiting:
                rows = [{"entry": entry.id, "new_change": bodies[subject][1]} for subject, entry in waiting.items()]
                connection.execute(REWORD, rows)

    def settle(self, run_id: str, settlements: Sequence[Settlement]) -> None:
        """Write down what became of them; what is DONE goes into the ledger in the same transaction, and all of it into
        the audit trail.

        StateError, and nothing written, when one of the subjects has no pending entry: it was never intended, or
        another process has taken it over.
        """
        if not settlements:
            return
        now = self._clock.now()
        with self._writing() as connection:
            standing = standing_of(connection, (settlement.change.subject for settlement in settlements))
            pending = {subject: entry for subject, entry in standing.items() if entry.pending}
            refuse_unintended(run_id, settlements, pending)
            rows = [settled_row(pending[s.change.subject], s, now, self._limits) for s in settlements]
            connection.execute(SETTLE, rows)
            record(connection, settlements, now)
            settled = [(pending[s.change.subject], row["new_state"]) for s, row in zip(settlements, rows, strict=True)]
            come_up(connection, settled, now)
            self._record(connection, run_id, Kind.SETTLED, [deed_of(s.change, s.receipt) for s in settlements])

    def carried_out(self, run_id: str, late: Mapping[int, Settlement]) -> None:
        """Doubted entries, by id, that were carried out after all: done, as :meth:`settle` has it. What has taken their
        place since goes on waiting. One that is settled by now is left out."""
        now = self._clock.now()
        with self._writing() as connection:
            done = {number: late[number] for number in still_doubted(connection, late)}
            if not done:
                return
            connection.execute(SETTLE, [done_row(number, settlement, now) for number, settlement in done.items()])
            record(connection, list(done.values()), now)
            self._record(connection, run_id, Kind.SETTLED, [deed_of(s.change, s.receipt) for s in done.values()])

    def end_doubt(self, entry_ids: Iterable[int]) -> None:
        """These cannot be carried out any more."""
        with self._writing() as connection:
            for portion in portions(entry_ids):
                connection.execute(update(journal).where(DOUBTED, journal.c.id.in_(portion)).values(doubted=False))

    def unknown(self) -> Sequence[JournalEntry]:
        """Entries whose outcome is not known, in the order they were intended."""
        return self._entries(_entries_in(*UNSETTLED))

    def doubted(self) -> Sequence[JournalEntry]:
        """What was sent without an answer and was not there when it was looked for, until it cannot come any more;
        whether it waits to be sent again, or another has taken its place since, and was done."""
        few = self._entries(select(journal).where(DOUBTED))  # asked for in an order, SQLite would read all of them
        return sorted(few, key=lambda entry: entry.id)

    def queued(self, limit: int | None = None) -> Sequence[JournalEntry]:
        """Entries settled "later", oldest first; a write that was sent again in vain keeps its place. Those behind one
        that is to be looked up are among them."""
        return self._entries(_entries_in(EntryState.LATER).limit(limit))

    def suspects(self) -> frozenset[str]:
        """Subjects of pending changes that the next attempt in vain parks."""
        c = journal.c
        tried = select(c.subject).where(STANDING, c.attempts >= self._limits.max_attempts - 1)
        with reading(self._engine) as connection:
            return frozenset(connection.scalars(tried.where(c.state.in_(PENDING))))

    def parked(self) -> Sequence[JournalEntry]:
        """Dead letters, oldest first."""
        return self._entries(_entries_in(EntryState.DEAD))

    def done_in(self, run_ids: Iterable[str]) -> frozenset[str]:
        """Subjects of changes that these runs brought about and no other run has written or undone since."""
        c, done = journal.c, journal.c.state == EntryState.DONE
        theirs = c.run_id.in_(list(run_ids))
        subjects = select(c.subject).where(theirs, done)
        newest = select(func.max(c.id)).where(done, c.subject.in_(subjects)).group_by(c.subject)
        query = select(c.subject).where(theirs, c.id.in_(newest))
        with reading(self._engine) as connection:
            return frozenset(connection.scalars(query))

    def settled(self, run_id: str) -> list[Settled]:
        """What became of the changes of this run, counted; the earliest intent first."""
        c = journal.c
        how = (c.change_type, c.state, c.code)
        first = func.min(c.intended_at).label("first")
        counted = select(*how, func.count().label("number"), first, func.max(c.settled_at).label("last"))
        query = counted.where(c.run_id == run_id).group_by(*how).order_by(first, *how)
        with reading(self._engine) as connection:
            return [
                Settled(
                    change=row.change_type, state=row.state, code=row.code, count=row.number, first=row.first,
                    last=row.last,
                )
                for row in connection.execute(query)
            ]  # fmt: skip

    def done(self, run_id: str) -> Sequence[Settlement]:
        """What a run did, in the order it was intended: of one record that is the order it was done in, whatever the
        clock did meanwhile."""
        c = journal.c
        query = select(journal).where(c.run_id == run_id, c.state == EntryState.DONE).order_by(c.id)
        with reading(self._engine) as connection:
            return [_settlement(row) for row in connection.execute(query)]

    def since(self, run_id: str) -> Iterator[JournalEntry]:
        """Whatever was intended from the beginning of this run on, by any run, of the records that it wrote, and every
        edge, which may have named them; in order, read a part at a time: months of signs of life may be among it."""
        c, theirs = journal.c, journal.c.run_id == run_id
        first = select(func.min(c.id)).where(theirs).scalar_subquery()
        concerned = or_(c.subject.in_(select(c.subject).where(theirs)), c.change_type == ChangeType.LINK)
        query = select(journal).where(c.id >= first, concerned).order_by(c.id)
        with reading(self._engine) as connection:
            for row in connection.execution_options(yield_per=_AT_ONCE).execute(query):
                yield entry_of(row)

    def history(self, key: SourceKey, limit: int) -> Sequence[PastWrite]:
        """The newest changes to this record and to the edges of which it is the lower end, newest first."""
        c = journal.c
        concerns = or_(c.subject == str(key), c.subject.like(f"% {key} -> %"))
        query = select(journal).where(concerns).order_by(c.id.desc()).limit(limit)
        with reading(self._engine) as connection:
            return [_past(row) for row in connection.execute(query)]

    def supersede(self, subjects: Iterable[str]) -> int:
        """What waits for these subjects, dead letters too, is not wanted any more. Where something is queued behind a
        write without an answer, that goes and the other stays. Returns how many there were."""
        with self._writing() as connection:
            standing = standing_of(connection, subjects)
            supersede(connection, [entry.newest for entry in standing.values()], self._clock.now())
        return len(standing)

    def pending(self) -> Mapping[str, int]:
        """How many entries wait, by state: ``{"open": 0, "unknown": 0, "later": 12}``."""
        counted = (
            select(journal.c.state, func.count().label("number"))
            .where(STANDING, journal.c.state.in_(PENDING))
            .group_by(journal.c.state)
        )
        with reading(self._engine) as connection:
            counts = {row.state: row.number for row in connection.execute(counted)}
        return {state.value: counts.get(state, 0) for state in PENDING}

    def _refuse_overflow(self, connection: Connection, more: int, why: str) -> None:
        if more <= 0:
            return
        waiting = select(func.count()).select_from(journal).where(STANDING, journal.c.state.in_(PENDING))
        there = connection.scalar(waiting) or 0
        if there + more > self._limits.max_entries:
            raise QueueFull(
                f"{more} writes cannot be queued: {there} wait already and queue.max_entries is "
                f"{self._limits.max_entries}. What waits stays.",
                next_step=f"{_FIRST.get(why, _ANSWERED)} run `snowload replay-queue`; or raise queue.max_entries.",
            )

    @property
    def queue(self) -> SqlQueue:
        """The same entries as people handle them."""
        return SqlQueue(self._engine, self._clock, self._writing)

    def _record(self, connection: Connection, run_id: str, kind: Kind, deeds: Sequence[Deed]) -> None:
        self._audit.write(connection, run_id, self._fence.target if self._fence is not None else "", kind, deeds)

    def _writing(self) -> AbstractContextManager[Connection]:
        return writing_under(self._fence, self._engine)

    def _entries(self, query: Select[Any]) -> list[JournalEntry]:
        with reading(self._engine) as connection:
            return [entry_of(row) for row in connection.execute(query)]


def _entries_in(*states: EntryState) -> Select[Any]:
    """Of what is not over."""
    return select(journal).where(STANDING, journal.c.state.in_(states)).order_by(place, journal.c.id)


@from_table("journal")
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


@from_table("journal")
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
