"""The rows of the journal: what stands for a subject, what is written for a change, what a settlement makes of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, false, func, or_, select, update

from beast_dream_snow_loader.core.changes import Change
from beast_dream_snow_loader.core.content import content_of
from beast_dream_snow_loader.core.parking import NOT_FOUND, QueueLimits, attempts_after, parks
from beast_dream_snow_loader.core.ports import JournalEntry, Settlement
from beast_dream_snow_loader.core.receipts import Outcome, Receipt
from beast_dream_snow_loader.errors import StateError
from beast_dream_snow_loader.redaction import masked
from beast_dream_snow_loader.state.codec import decode_change, encode_change
from beast_dream_snow_loader.state.schema import DOUBTED, OVER, PENDING, STANDING, UNSETTLED, EntryState, journal
from beast_dream_snow_loader.state.statements import portions
from beast_dream_snow_loader.state.unread import from_table

_STATE_OF = {
    Outcome.DONE: EntryState.DONE,
    Outcome.REFUSED: EntryState.REFUSED,
    Outcome.UNKNOWN: EntryState.UNKNOWN,
    Outcome.LATER: EntryState.LATER,
}
place = func.coalesce(journal.c.origin, journal.c.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The one entry of a subject that is not over. ``again``: it carries what an earlier one carried. ``next``: the
    newer write that is queued behind it, until what became of this one has been looked up."""

    id: int
    origin: int
    again: bool
    change: str
    content: str
    state: str
    attempts: int
    intended_at: datetime
    next: Standing | None = None

    @property
    def newest(self) -> Standing:
        return self.next or self

    @property
    def pending(self) -> bool:
        return self.state in PENDING

    @property
    def unsettled(self) -> bool:
        """Whether it was brought about is not known."""
        return self.state in UNSETTLED

    def same(self, content: str, body: str) -> bool:
        """Whether it is that very change. Entries of older releases have no content."""
        return self.pending and (self.content == content if self.content else self.change == body)

    def carrying(self, content: str, body: str) -> Standing | None:
        """Which of the two is that very change."""
        return next((entry for entry in (self.newest, self) if entry.same(content, body)), None)


SETTLE = (
    update(journal)
    .where(journal.c.id == bindparam("entry"))
    .values(
        {
            name: bindparam(f"new_{name}")
            for name in (
                "state",
                "settled_at",
                "attempts",
                "due_at",
                "code",
                "message",
                "operation",
                "sys_id",
                "doubted",
            )
        }
    )
)


_NOT_DOUBTED = journal.c.doubted.is_(false())
REWORD = update(journal).where(journal.c.id == bindparam("entry"), _NOT_DOUBTED).values(change=bindparam("new_change"))
"""What was looked for in vain may have been carried out since: what it says of the CI before stays (R3.5)."""


def standing_of(connection: Connection, subjects: Iterable[str]) -> dict[str, Standing]:
    c = journal.c
    body = (c.change, c.content, c.state, c.attempts, c.intended_at)
    columns = (c.subject, c.id, place.label("place"), c.origin, c.behind, *body)
    found: dict[str, Standing] = {}
    for portion in portions(subjects):
        query = select(*columns).where(c.subject.in_(portion), STANDING).order_by(c.behind.desc())
        for row in connection.execute(query):
            found[row.subject] = Standing(
                id=row.id,
                origin=row.place,
                again=row.origin is not None,
                change=row.change,
                content=row.content,
                state=row.state,
                attempts=row.attempts,
                intended_at=row.intended_at,
                next=found.get(row.subject),
            )
    return found


def queued_at(stands: Standing | None) -> dict[str, Any]:
    """Where a write is queued that is not sent: in the place of the one of its record that waited until now, and behind
    one that was sent without an answer."""
    if stands is None or not stands.pending:
        return {"behind": False}
    before = stands.newest
    taken = {} if before.unsettled else {"origin": before.origin, "intended_at": before.intended_at}
    return {"behind": stands.unsettled, **taken}


def come_up(connection: Connection, settled: Iterable[tuple[Standing, EntryState]], now: datetime) -> None:
    """What is queued behind these is next: after what was brought about, in the place of what was not. Few have one."""
    for entry, state in settled:
        if entry.next is None or state is EntryState.UNKNOWN:
            continue
        taken: dict[str, Any] = {}
        if state not in OVER:
            supersede(connection, [replace(entry, next=None)], now)
            taken = {"origin": entry.origin, "intended_at": entry.intended_at}
        connection.execute(update(journal).where(journal.c.id == entry.next.id).values(behind=False, **taken))


def supersede(connection: Connection, entries: Iterable[Standing], now: datetime) -> None:
    """With what is queued behind them. That they were sent without an answer is not forgotten."""
    rows = [{"entry": one.id} for entry in entries for one in (entry, entry.next) if one is not None]
    if rows:
        superseded = update(journal).where(journal.c.id == bindparam("entry"))
        doubted = or_(journal.c.doubted, *(journal.c.state == state for state in UNSETTLED))
        connection.execute(superseded.values(state=EntryState.SUPERSEDED, settled_at=now, doubted=doubted), rows)


def still_doubted(connection: Connection, ids: Iterable[int]) -> list[int]:
    """Those of these entries that are."""
    c = journal.c
    asked = [select(c.id).where(DOUBTED, c.id.in_(portion)) for portion in portions(ids)]
    return [number for query in asked for number in connection.scalars(query)]


def new_rows(
    run_id: str, changes: Sequence[Change], standing: Mapping[str, Standing], now: datetime
) -> list[dict[str, Any]]:
    """Of several changes for one subject only the last is open: it is the newest that is meant."""
    last = {change.subject: number for number, change in enumerate(changes)}
    rows = []
    for number, change in enumerate(changes):
        body, content = encode_change(change), content_of(change)
        stands = standing.get(change.subject)
        before = stands and stands.newest
        again = before is not None and before.same(content, body)
        newest = last[change.subject] == number
        rows.append(
            {
                "run_id": run_id,
                "subject": change.subject,
                "change_type": change.type.value,
                "change": body,
                "content": content,
                "state": EntryState.OPEN if newest else EntryState.SUPERSEDED,
                "intended_at": now,
                "settled_at": None if newest else now,
                "attempts": before.attempts if before and again else 0,
                "origin": before.origin if before and again else None,
            }
        )
    return rows


def refuse_unintended(run_id: str, settlements: Sequence[Settlement], pending: Mapping[str, Standing]) -> None:
    missing = [s.change.subject for s in settlements if s.change.subject not in pending]
    if missing:
        raise StateError(
            f"Run {run_id} cannot settle {len(missing)} changes, the first of {missing[0]}: they are not open in the "
            "journal. Another process has taken them over.",
            next_step="Let that one finish, then run `snowload load`: it looks up what is true and goes on from there.",
        )


def settled_row(entry: Standing, settlement: Settlement, now: datetime, limits: QueueLimits) -> dict[str, Any]:
    receipt = settlement.receipt
    state, attempts = _settled(entry, receipt.outcome, limits, own=settlement.own)
    return {**_row(entry.id, state, receipt, now), "new_attempts": attempts}


def done_row(number: int, settlement: Settlement, now: datetime) -> dict[str, Any]:
    return {**_row(number, EntryState.DONE, settlement.receipt, now), "new_attempts": 0}


def _row(number: int, state: EntryState, receipt: Receipt, now: datetime) -> dict[str, Any]:
    return {
        "entry": number,
        "new_state": state,
        "new_settled_at": now,
        "new_due_at": now if state is EntryState.LATER else None,
        "new_code": masked(receipt.code),
        "new_message": masked(receipt.message),
        "new_operation": receipt.operation.value,
        "new_sys_id": receipt.sys_id,
        "new_doubted": receipt.code == NOT_FOUND,
    }


def _settled(entry: Standing, outcome: Outcome, limits: QueueLimits, *, own: bool) -> tuple[EntryState, int]:
    """The state and the attempts that follow. What was unknown has been looked up, not sent."""
    looked_up = entry.state == EntryState.UNKNOWN
    attempts = attempts_after(entry.attempts, outcome, limits, own=own, looked_up=looked_up)
    if parks(outcome, attempts, limits, from_queue=entry.again, looked_up=looked_up):
        return EntryState.DEAD, attempts
    if outcome is Outcome.REFUSED and entry.again:
        return EntryState.LATER, attempts
    return _STATE_OF[outcome], attempts


@from_table("journal")
def entry_of(row: Row[Any]) -> JournalEntry:
    return JournalEntry(
        id=row.id,
        run_id=row.run_id,
        change=decode_change(row.change, row.change_type),
        intended_at=row.intended_at,
        attempts=row.attempts,
        code=row.code,
        message=row.message,
        state=row.state,
        settled_at=row.settled_at,
        content=row.content,
    )
