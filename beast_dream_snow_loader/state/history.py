"""The history of runs as it is kept: each run for some weeks, then hours, then days (X8)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Row, Select, delete, select, tuple_

from beast_dream_snow_loader.core.buckets import Bucket, Grain, Timing, buckets_of, coarser
from beast_dream_snow_loader.core.digest import Digest, digest_of
from beast_dream_snow_loader.core.run import Run, RunStatus
from beast_dream_snow_loader.state.codec import decode_document, encode_document
from beast_dream_snow_loader.state.engine import reading, writing
from beast_dream_snow_loader.state.run_rows import run_of
from beast_dream_snow_loader.state.schema import history, history_buckets, runs
from beast_dream_snow_loader.state.statements import portions, upsert
from beast_dream_snow_loader.state.unread import from_table

_BODY = ("counts", "failures", "rules", "incidents", "rate", "stale_seconds", "level", "opened")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ages:
    """How long each run is remembered by itself, each hour, and each day."""

    runs: timedelta = timedelta(days=30)
    hours: timedelta = timedelta(days=90)
    days: timedelta = timedelta(days=730)


class SqlHistory:
    """The part of the memory that is about many runs. What is in ``runs`` alone
    (under way, or older than this table) is read from there."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def history(self, since: datetime, until: datetime | None = None) -> tuple[list[Digest], list[Bucket]]:
        """Runs with ``since <= started_at < until``, newest first, and the hours and days, oldest first, that begin in
        the same time; as of one moment."""
        h, r, b = history.c, runs.c, history_buckets.c
        kept = select(history).where(h.started_at >= since).order_by(h.started_at.desc(), h.run_id.desc())
        only = select(runs).where(r.in_history.is_(False), r.started_at >= since)
        sums = select(history_buckets).where(b.at >= since).order_by(b.at, b.target, b.command)
        if until is not None:
            kept, only = kept.where(h.started_at < until), only.where(r.started_at < until)
            sums = sums.where(b.at < until)
        with reading(self._engine) as connection:
            digests = [_digest(row) for row in connection.execute(kept)]
            digests += [digest_of(run_of(row)) for row in connection.execute(only)]
            buckets = [_bucket(row) for row in connection.execute(sums)]
        digests.sort(key=lambda one: (one.started_at, one.run_id), reverse=True)
        return digests, buckets


def remember(connection: Connection, run: Run) -> None:
    """A run that has ended, in the transaction that closes it."""
    told = digest_of(run)
    body = {name: value for name in _BODY if (value := getattr(told, name)) or value == 0}
    row = {
        "run_id": run.id,
        "command": run.command,
        "target": run.target,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "status": run.status.value,
        "exit_code": run.exit_code,
        "body": encode_document({**body, "steps": [[name, *one] for name, one in told.steps.items()]}),
    }
    upsert(connection, history, [row])


@dataclass(frozen=True, slots=True, kw_only=True)
class Compaction:
    """Runs become hours, hours become days, days go: whole hours and days of ``target`` alone."""

    engine: Engine
    target: str
    now: datetime
    ages: Ages = Ages()
    at_once: int = 1000
    at_most: int = 20_000

    def compact(self, allowed: Callable[[Connection], bool], stopping: Callable[[], bool]) -> int:
        """How many rows were taken together or removed. ``allowed`` is asked in each transaction."""
        gone = 0
        for old, step in ((self._old_runs, self._runs), (self._old_hours, self._hours), (self._old_days, self._days)):
            while gone < self.at_most and not stopping() and self._any(old()):
                with writing(self.engine) as connection:
                    if not allowed(connection):
                        return gone
                    gone += step(connection)
        return gone

    def _any(self, old: Select[Any]) -> bool:
        """Asked first, so that a sweep with nothing to do writes nothing."""
        with reading(self.engine) as connection:
            return connection.execute(old.limit(1)).first() is not None

    def _old_runs(self) -> Select[Any]:
        c, before = history.c, Grain.HOUR.start(self.now - self.ages.runs)
        mine = select(history).where(c.target == self.target, c.started_at < before)
        return mine.order_by(c.started_at, c.run_id)

    def _old_hours(self) -> Select[Any]:
        return self._old(Grain.HOUR, Grain.DAY.start(self.now - self.ages.hours))

    def _old_days(self) -> Select[Any]:
        return self._old(Grain.DAY, self.now - self.ages.days)

    def _old(self, grain: Grain, before: datetime) -> Select[Any]:
        c = history_buckets.c
        mine = select(history_buckets).where(c.target == self.target, c.grain == grain, c.at < before)
        return mine.order_by(c.at, c.command)

    def _runs(self, connection: Connection) -> int:
        digests = [_digest(row) for row in connection.execute(self._old_runs().limit(self.at_once))]
        _add(connection, buckets_of(digests, Grain.HOUR))
        for some in portions(one.run_id for one in digests):
            connection.execute(delete(history).where(history.c.run_id.in_(some)))
        return len(digests)

    def _hours(self, connection: Connection) -> int:
        buckets = [_bucket(row) for row in connection.execute(self._old_hours().limit(self.at_once))]
        _add(connection, coarser(buckets, Grain.DAY))
        return _drop(connection, buckets)

    def _days(self, connection: Connection) -> int:
        return _drop(connection, [_bucket(row) for row in connection.execute(self._old_days().limit(self.at_once))])


def _add(connection: Connection, buckets: Sequence[Bucket]) -> None:
    """To what is there of the same hours or days."""
    if not buckets:
        return
    c, grain = history_buckets.c, buckets[0].grain
    span = (c.grain == grain, c.at >= buckets[0].at, c.at <= buckets[-1].at, c.target == buckets[0].target)
    there = [_bucket(row) for row in connection.execute(select(history_buckets).where(*span))]
    upsert(connection, history_buckets, [_row(one) for one in coarser([*there, *buckets], grain)])


def _drop(connection: Connection, buckets: Sequence[Bucket]) -> int:
    c = history_buckets.c
    key = tuple_(c.grain, c.at, c.target, c.command)
    rows = [(one.grain.value, one.at, one.target, one.command) for one in buckets]
    connection.execute(delete(history_buckets).where(key.in_(rows)))
    return len(rows)


def _row(bucket: Bucket) -> dict[str, Any]:
    body = {name: dict(getattr(bucket, name)) for name in ("statuses", "counts", "failures", "rules")}
    steps = [[name, *_timing(one)] for name, one in bucket.steps.items()]
    return {
        "grain": bucket.grain.value,
        "at": bucket.at,
        "target": bucket.target,
        "command": bucket.command,
        "body": encode_document({**body, "steps": steps, "took": _timing(bucket.took)}),
    }


def _timing(timing: Timing) -> list[float]:
    return [timing.runs, round(timing.seconds, 3), timing.longest]


def _timed(told: Sequence[float]) -> Timing:
    return Timing(runs=int(told[0]), seconds=told[1], longest=told[2])


@from_table("history")
def _digest(row: Row[Any]) -> Digest:
    told = decode_document(row.body)
    steps = {name: timed for name, *timed in told.pop("steps")}
    return Digest(
        run_id=row.run_id,
        command=row.command,
        target=row.target,
        started_at=row.started_at,
        finished_at=row.finished_at,
        status=RunStatus(row.status),
        exit_code=row.exit_code,
        steps=steps,
        **told,
    )


@from_table("history_buckets")
def _bucket(row: Row[Any]) -> Bucket:
    told = decode_document(row.body)
    steps = {name: _timed(one) for name, *one in told.pop("steps")}
    return Bucket(
        at=row.at,
        grain=Grain(row.grain),
        target=row.target,
        command=row.command,
        steps=steps,
        took=_timed(told.pop("took")),
        **told,
    )
