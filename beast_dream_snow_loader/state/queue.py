"""The queue as people handle it: what waits and what is parked, tried again or given up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Select, Update, func, select, update

from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.core.ports import JournalEntry
from beast_dream_snow_loader.state.engine import reading
from beast_dream_snow_loader.state.journal_rows import entry_of, place
from beast_dream_snow_loader.state.schema import STANDING, EntryState, journal
from beast_dream_snow_loader.state.statements import portions

_LAST_ID = 2**63 - 1
Writing = Callable[[], AbstractContextManager[Connection]]


class SqlQueue:
    """``writing`` opens a transaction that only the holder of the target may."""

    def __init__(self, engine: Engine, clock: Clock, writing: Writing) -> None:
        self._engine, self._clock, self._writing = engine, clock, writing

    def counts(self) -> dict[str, int]:
        """How many entries there are in each state that is not over."""
        counted = select(journal.c.state, func.count().label("number")).where(STANDING).group_by(journal.c.state)
        with reading(self._engine) as connection:
            return {row.state: row.number for row in connection.execute(counted)}

    def oldest(self, state: EntryState) -> datetime | None:
        """When the change was first intended that has been in ``state`` longest; a change keeps its place however often
        it was sent."""
        c, first = journal.c, journal.alias()
        mine = select(func.coalesce(c.origin, c.id)).where(STANDING, c.state == state)
        with reading(self._engine) as connection:
            found: datetime | None = connection.scalar(
                select(func.min(first.c.intended_at)).where(first.c.id.in_(mine))
            )
        return found

    def entries(self, states: Sequence[EntryState], limit: int | None = None) -> Sequence[JournalEntry]:
        """In the order they were queued."""
        query = self._of(states).order_by(place, journal.c.id).limit(limit)
        with reading(self._engine) as connection:
            return [entry_of(row) for row in connection.execute(query)]

    def some(self, ids: Sequence[int]) -> Sequence[JournalEntry]:
        """Those of them that are not over. A number that no row can have is nobody's."""
        found: list[JournalEntry] = []
        ids = [number for number in ids if 0 < number <= _LAST_ID]
        with reading(self._engine) as connection:
            for portion in portions(ids):
                query = select(journal).where(STANDING, journal.c.id.in_(portion)).order_by(place, journal.c.id)
                found += [entry_of(row) for row in connection.execute(query)]
        return found

    def retry(self, ids: Sequence[int]) -> int:
        """Queued as if they had never been sent. What was sent without an answer stays to be looked up."""
        values = {"state": EntryState.LATER, "attempts": 0, "due_at": self._clock.now()}
        return self._change(update(journal).values(**values), ids, (EntryState.LATER, EntryState.DEAD))

    def drop(self, ids: Sequence[int]) -> int:
        """Given up. What was sent without an answer stays: nobody knows whether it happened."""
        values = {"state": EntryState.DROPPED, "settled_at": self._clock.now()}
        return self._change(update(journal).values(**values), ids, (EntryState.LATER, EntryState.DEAD))

    def _change(self, change: Update, ids: Sequence[int], states: Sequence[EntryState]) -> int:
        changed = 0
        with self._writing() as connection:
            for portion in portions(ids):
                mine = change.where(STANDING, journal.c.id.in_(portion), journal.c.state.in_(states))
                changed += connection.execute(mine).rowcount
        return changed

    @staticmethod
    def _of(states: Sequence[EntryState]) -> Select[Any]:
        return select(journal).where(STANDING, journal.c.state.in_(states))
