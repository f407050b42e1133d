"""What is no longer kept: old runs with what they settled, old snapshots; and the history of runs taken together as it
gets older. A bounded part at a time, in small transactions.

Nothing that waits is ever removed (intended, unknown, queued or parked), nor a run that something waiting belongs to,
nor the last good load. A run goes with its journal: what can be rolled back can be rolled back whole.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, and_, delete, func, or_, select

from beast_dream_snow_loader.clock import parse_rfc3339, rfc3339
from beast_dream_snow_loader.core.run import RunStatus
from beast_dream_snow_loader.state.engine import is_sqlite, reading, writing
from beast_dream_snow_loader.state.history import Compaction
from beast_dream_snow_loader.state.on_sqlite import fold_log
from beast_dream_snow_loader.state.schema import OVER, STANDING, console_snapshots, journal, leases, meta, runs
from beast_dream_snow_loader.state.statements import upsert

ROWS_AT_ONCE = 1000
"""Of one transaction: milliseconds for whoever waits to write."""
ROWS_PER_SWEEP = 20_000
RUNS_PER_SWEEP = 500
PAGES_PER_SWEEP = 10_000
"""Given back to the file system at most, 40 MB."""
_JUMP = timedelta(days=7)
"""What a clock may have gone on since the last run, for this."""
_FORGOTTEN = "runs_forgotten_until"
_GOING = "run_going"
"""The run of which a part is gone already, should the sweep have been cut short in the middle of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Runs are kept for so many days, and so many of one target at most; snapshots of consoles for so many days."""

    runs_days: float = 90
    runs: int = 1000
    snapshots_days: float = 30


@dataclass(slots=True, kw_only=True)
class Swept:
    """What was removed: ``runs`` by id, journal ``entries``, ``snapshots``. ``compacted``: rows of the history taken
    together, or too old. ``more``: something is left to do."""

    runs: list[str] = field(default_factory=list)
    entries: int = 0
    snapshots: int = 0
    compacted: int = 0
    more: bool = False


def sweeping_time(engine: Engine, target: str, holder: str, now: datetime) -> datetime:
    """``now``, but at most a week after the newest run before ``holder``: a clock that has jumped makes nothing old.
    After a real pause the next run goes on from this one."""
    c = runs.c
    before = select(func.max(c.started_at).label("at")).where(c.target == target, c.id != holder)
    with reading(engine) as connection:
        newest = connection.scalar(before)
    return now if newest is None else min(now, newest + _JUMP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweeper:
    """Sweeps for one target, while the run ``holder`` has its lease."""

    engine: Engine
    target: str
    holder: str
    now: datetime
    rule: Retention

    def sweep(self, stopping: Callable[[], bool] = lambda: False) -> Swept:
        """Ends early, with ``more``, when it is told to, when it has done enough, or when another run has taken the
        target over."""
        swept, due = Swept(), self._due()
        for run_id, started_at in due[:RUNS_PER_SWEEP]:
            if stopping() or swept.entries >= ROWS_PER_SWEEP or not self._forget(run_id, started_at, swept):
                break
        swept.more = len(swept.runs) < len(due)
        swept.snapshots = self._old_snapshots()
        compaction = Compaction(engine=self.engine, target=self.target, now=self.now)
        swept.compacted = compaction.compact(self._is_ours, stopping)
        if is_sqlite(self.engine.url):
            _give_back(self.engine)
        return swept

    def _due(self) -> Sequence[tuple[str, datetime]]:
        """Oldest first, at most one more than is done at once."""
        c, mine = runs.c, runs.c.target == self.target
        newest = select(c.id).where(mine).order_by(c.started_at.desc(), c.id.desc()).limit(self.rule.runs)
        good = and_(mine, c.command == "load", c.status == RunStatus.OK)
        last_good = select(c.id).where(good).order_by(c.started_at.desc(), c.id.desc()).limit(1)
        waiting = select(journal.c.run_id).where(STANDING)
        old = c.started_at < self.now - timedelta(days=self.rule.runs_days)
        query = (
            select(c.id, c.started_at)
            .where(mine, c.finished_at.is_not(None), or_(old, c.id.not_in(newest)))
            .where(c.id.not_in(last_good), c.id.not_in(waiting))
            .order_by(c.started_at, c.id)
            .limit(RUNS_PER_SWEEP + 1)
        )
        with reading(self.engine) as connection:
            return [(row.id, row.started_at) for row in connection.execute(query)]

    def _forget(self, run_id: str, started_at: datetime, swept: Swept) -> bool:
        """Its entries in small transactions, the run itself with the last of them. False when the lease is lost."""
        c = journal.c
        some = select(c.id).where(c.run_id == run_id, c.state.in_(OVER)).limit(ROWS_AT_ONCE)
        while True:
            with writing(self.engine) as connection:
                if not self._is_ours(connection):
                    return False
                removed = connection.execute(delete(journal).where(c.id.in_(some))).rowcount
                swept.entries += removed
                upsert(connection, meta, [{"key": f"{_GOING} {self.target}", "value": run_id}])
                if removed < ROWS_AT_ONCE:
                    connection.execute(delete(runs).where(runs.c.id == run_id))
                    connection.execute(delete(meta).where(meta.c.key == f"{_GOING} {self.target}"))
                    _remember_forgotten(connection, self.target, started_at)
                    swept.runs.append(run_id)
                    return True

    def _is_ours(self, connection: Connection) -> bool:
        return connection.scalar(select(leases.c.run_id).where(leases.c.target == self.target)) == self.holder

    def _old_snapshots(self) -> int:
        old = console_snapshots.c.taken_at < self.now - timedelta(days=self.rule.snapshots_days)
        with reading(self.engine) as connection:
            if not connection.scalar(select(func.count()).select_from(console_snapshots).where(old)):
                return 0
        with writing(self.engine) as connection:
            return connection.execute(delete(console_snapshots).where(old)).rowcount


def forgotten_until(engine: Engine, target: str) -> datetime | None:
    """When the newest run began that is no longer kept; None when all are."""
    with reading(engine) as connection:
        said = connection.scalar(select(meta.c.value).where(meta.c.key == f"{_FORGOTTEN} {target}"))
    return parse_rfc3339(said) if said is not None else None


def half_gone(engine: Engine, target: str, run_id: str) -> bool:
    """Whether a sweep ended in the middle of this run: what it did is not known whole any more."""
    with reading(engine) as connection:
        return connection.scalar(select(meta.c.value).where(meta.c.key == f"{_GOING} {target}")) == run_id


def _remember_forgotten(connection: Connection, target: str, started_at: datetime) -> None:
    key = f"{_FORGOTTEN} {target}"
    before = connection.scalar(select(meta.c.value).where(meta.c.key == key)) or ""
    upsert(connection, meta, [{"key": key, "value": max(before, rfc3339(started_at))}])


def _give_back(engine: Engine) -> None:
    """Free pages to the file system, the log into the file, as far as nobody has to be waited for."""
    with closing(engine.raw_connection()) as raw, suppress(sqlite3.Error):
        raw.cursor().execute(f"PRAGMA incremental_vacuum({PAGES_PER_SWEEP})").fetchall()
    fold_log(engine)
