"""Runs as they are remembered, with the document each printed.

A run dated in the future was made while the clock ran ahead: no later one would ever be newer, so it counts as the
oldest until its time has come.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Engine, func, select

from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.core.ahead import SLACK
from beast_dream_snow_loader.core.run import Run, RunStatus
from beast_dream_snow_loader.redaction import masked_values
from beast_dream_snow_loader.state.codec import encode_document
from beast_dream_snow_loader.state.engine import reading, writing
from beast_dream_snow_loader.state.history import remember
from beast_dream_snow_loader.state.run_rows import brief_run_of, run_of
from beast_dream_snow_loader.state.schema import history, runs
from beast_dream_snow_loader.state.statements import upsert


class SqlRuns:
    """The part of the Memory port that is about runs."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def start_run(self, run: Run) -> None:
        self._save(run)

    def finish_run(self, run: Run) -> None:
        """Also remembers a run whose start was not: a report is never lost for want of a row."""
        self._save(run)

    def run(self, run_id: str) -> Run | None:
        with reading(self._engine) as connection:
            row = connection.execute(select(runs).where(runs.c.id == run_id)).one_or_none()
            return run_of(row) if row is not None else None

    def runs(
        self, since: datetime | None = None, until: datetime | None = None, limit: int | None = None
    ) -> Sequence[Run]:
        """Newest first, those with ``since <= started_at < until``."""
        query = select(runs).order_by(*self._newest_first()).limit(limit)
        if since is not None:
            query = query.where(runs.c.started_at >= since)
        if until is not None:
            query = query.where(runs.c.started_at < until)
        with reading(self._engine) as connection:
            return [run_of(row) for row in connection.execute(query)]

    def newest(self, target: str, limit: int, command: str = "load") -> Sequence[Run]:
        """How the runs of ``command`` against ``target`` ended, newest first, without what they reported."""
        c = runs.c
        query = select(*(column for column in c if column is not c.report))
        query = query.where(c.target == target, c.command == command)
        with reading(self._engine) as connection:
            rows = connection.execute(query.order_by(*self._newest_first()).limit(limit)).all()
        return [brief_run_of(row) for row in rows]

    def last_success(self, target: str, command: str = "load") -> Run | None:
        """The newest run of ``command`` against ``target`` that ended ``ok``."""
        c = runs.c
        query = select(runs).where(c.target == target, c.command == command, c.status == RunStatus.OK)
        with reading(self._engine) as connection:
            row = connection.execute(query.order_by(*self._newest_first()).limit(1)).one_or_none()
            return run_of(row) if row is not None else None

    def last_of_each_target(self, statuses: Collection[RunStatus], command: str = "load") -> Mapping[str, datetime]:
        """When the newest run of ``command`` began that ended in one of ``statuses``, by target."""
        c = runs.c
        query = select(c.target, func.max(c.started_at).label("at")).where(c.command == command)
        query = query.where(c.status.in_([one.value for one in statuses]), c.started_at <= self._soon())
        with reading(self._engine) as connection:
            return {row.target: row.at for row in connection.execute(query.group_by(c.target).order_by(c.target))}

    def last_ended(self, target: str, command: str | None = None) -> Run | None:
        """The newest run against ``target``, of ``command`` or of any, that came to an end by itself."""
        c = runs.c
        query = select(runs).where(c.target == target, c.exit_code.is_not(None))
        query = query.where(c.command == command) if command is not None else query
        with reading(self._engine) as connection:
            row = connection.execute(query.order_by(*self._newest_first()).limit(1)).one_or_none()
            return run_of(row) if row is not None else None

    def ends(self, target: str, status: RunStatus | None = None) -> Mapping[str, datetime]:
        """When each command last ended against ``target``, with ``status`` or in any way; also of runs that only the
        history knows any more."""
        found: dict[str, datetime] = {}
        with reading(self._engine) as connection:
            for c in (runs.c, history.c):
                query = select(c.command, func.max(c.finished_at).label("ended"))
                query = query.where(c.target == target, c.finished_at <= self._soon()).group_by(c.command)
                for row in connection.execute(query.where(c.status == status) if status is not None else query):
                    found[row.command] = max(row.ended, found.get(row.command, row.ended))
        return found

    def running(self, target: str) -> Sequence[Run]:
        """Runs against ``target`` whose end is not known, the newest first."""
        query = select(runs).where(runs.c.target == target, runs.c.status == RunStatus.RUNNING)
        with reading(self._engine) as connection:
            return [run_of(row) for row in connection.execute(query.order_by(*self._newest_first()))]

    def _newest_first(self) -> tuple[ColumnElement[Any], ...]:
        c = runs.c
        return c.started_at > self._soon(), c.started_at.desc(), c.id.desc()

    def _soon(self) -> datetime:
        return self._clock.now() + SLACK

    def _save(self, run: Run) -> None:
        run = replace(run, report=masked_values(run.report))
        row = {
            "id": run.id,
            "command": run.command,
            "environment": run.environment,
            "target": run.target,
            "started_at": run.started_at,
            "finished_at": run.finished_at,
            "status": run.status.value,
            "exit_code": run.exit_code,
            "report": encode_document(run.report),
            "in_history": run.finished_at is not None,
        }
        with writing(self._engine) as connection:
            upsert(connection, runs, [row])
            if run.finished_at is not None:
                remember(connection, run)
