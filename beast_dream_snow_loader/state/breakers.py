"""Breakers as all processes know them that share this state (X1).

A wait is written down as the seconds that remain, beside two readings to count from: the monotonic clock, which every
process of one boot of one machine shares and no change of the time touches, and the wall clock of the database's server
(of this machine for SQLite), for other machines and after a restart. A wall clock that went back is noticed and the row
counted anew from now: the wait grows by its own length at most, once.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, Row, Select, select
from sqlalchemy.exc import SQLAlchemyError

from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.errors import StateError
from beast_dream_snow_loader.operations.breaker_memory import CircuitState, Remembered
from beast_dream_snow_loader.state.engine import HASTE_SECONDS, hastily, reading
from beast_dream_snow_loader.state.holders import shared_now
from beast_dream_snow_loader.state.machine import boot_id
from beast_dream_snow_loader.state.schema import breakers
from beast_dream_snow_loader.state.statements import upsert

_SLACK_SECONDS = 0.05
"""Between a breaker's own end of the wait and the one it wrote down a moment later."""


class SqlBreakers:
    """Implements :class:`~.operations.breaker_memory.BreakerMemory`. ``boot`` names this boot of this machine; empty
    where that is not known: then only the wall clock counts."""

    def __init__(self, engine: Engine, clock: Clock, boot: str | None = None) -> None:
        self._engine, self._clock = engine, clock
        self._boot = boot_id() if boot is None else boot
        self._me = secrets.token_hex(8)

    def all(self) -> Mapping[str, Remembered]:
        """By name. One statement, and on a server one more when another machine wrote."""
        return {one.name: one for one in self._read(select(breakers).order_by(breakers.c.name))}

    def look(self, name: str) -> Remembered | None:
        found = self._read(select(breakers).where(breakers.c.name == name))
        return found[0] if found else None

    def keep(self, found: Remembered) -> Remembered:
        with _impatient(self._engine) as connection:
            before = self._row(connection, found.name)
            standing = self._remembered(connection, before) if before is not None else None
            if standing is not None and _held(standing) and not found.by_hand:
                return standing
            self._write(connection, found, before)
        return found

    def claim(self, name: str, seconds: float) -> Remembered | None:
        with _impatient(self._engine) as connection:
            before = self._row(connection, name)
            standing = self._remembered(connection, before) if before is not None else None
            if before is not None and standing is not None and self._in_the_way(before, standing):
                return standing
            trying = Remembered(
                name=name,
                state=CircuitState.HALF_OPEN,
                left=seconds,
                reason=standing.reason if standing is not None else "",
                openings=standing.openings if standing is not None else 1,
            )
            self._write(connection, trying, before, holder=self._me)
        return None

    def reset(self, names: Iterable[str] | None = None) -> Sequence[str]:
        """By hand: those of ``names`` (all when None) that were not closed, now closed; returned by name."""
        with _impatient(self._engine) as connection:
            rows = connection.execute(select(breakers).order_by(breakers.c.name)).all()
            chosen = [row for row in rows if names is None or row.name in set(names)]
            open_ones = [row for row in chosen if row.state != CircuitState.CLOSED.value]
            for row in open_ones:
                closed = Remembered(name=row.name, state=CircuitState.CLOSED, by_hand=True, reason="reset by hand")
                self._write(connection, closed, row)
        return [row.name for row in open_ones]

    def _in_the_way(self, row: Row[Any], standing: Remembered) -> bool:
        waits = standing.left is None or standing.left > _SLACK_SECONDS
        if standing.state is CircuitState.HALF_OPEN:
            return bool(waits and row.holder != self._me)
        return standing.state is CircuitState.CLOSED or waits

    def _row(self, connection: Connection, name: str) -> Row[Any] | None:
        return connection.execute(select(breakers).where(breakers.c.name == name)).one_or_none()

    def _read(self, query: Select[Any]) -> list[Remembered]:
        try:
            with reading(self._engine) as connection:
                rows = connection.execute(query).all()
                found = [self._remembered(connection, row) for row in rows]
                gone_back = [row for row in rows if self._elapsed(connection, row) < 0]
        except SQLAlchemyError as error:
            raise _unreachable(error) from error
        if gone_back:
            self._count_anew(gone_back)
        return found

    def _remembered(self, connection: Connection, row: Row[Any]) -> Remembered:
        return Remembered(
            name=row.name,
            state=CircuitState(row.state),
            left=None if row.left_seconds is None else row.left_seconds - max(0.0, self._elapsed(connection, row)),
            by_hand=row.by_hand,
            reason=row.reason,
            openings=row.openings,
            since=row.since,
        )

    def _elapsed(self, connection: Connection, row: Row[Any]) -> float:
        """Seconds since the row was written; negative when the clock went back since."""
        if row.state == CircuitState.CLOSED.value:
            return 0.0
        if row.boot and row.boot == self._boot:
            return self._clock.monotonic() - float(row.monotonic)
        return float(shared_now(connection, self._clock).timestamp() - row.wall)

    def _count_anew(self, rows: Sequence[Row[Any]]) -> None:
        """From now on by readings of today's, unless somebody wrote meanwhile."""
        c = breakers.c
        with _impatient(self._engine) as connection:
            for row in rows:
                same = breakers.update().where(c.name == row.name, c.boot == row.boot, c.monotonic == row.monotonic)
                connection.execute(same.values(self._readings(connection)))

    def _write(self, connection: Connection, found: Remembered, before: Row[Any] | None, *, holder: str = "") -> None:
        begins = before is None or before.state == CircuitState.CLOSED.value or found.state is CircuitState.CLOSED
        row = {
            "name": found.name,
            "state": found.state.value,
            "by_hand": found.by_hand,
            "reason": found.reason,
            "openings": found.openings,
            "left_seconds": found.left,
            **self._readings(connection),
            "holder": holder,
            "since": self._clock.now() if begins or before is None else before.since,
        }
        upsert(connection, breakers, [row])

    def _readings(self, connection: Connection) -> dict[str, Any]:
        wall = shared_now(connection, self._clock).timestamp()
        return {"boot": self._boot, "monotonic": self._clock.monotonic(), "wall": wall}


def _held(standing: Remembered) -> bool:
    return standing.by_hand and standing.state is CircuitState.OPEN and (standing.left is None or standing.left > 0)


@contextmanager
def _impatient(engine: Engine) -> Iterator[Connection]:
    """A short transaction. StateError for whatever the database does, so that nobody has to know which one it is."""
    try:
        with hastily(engine, HASTE_SECONDS) as connection:
            yield connection
    except SQLAlchemyError as error:
        raise _unreachable(error) from error


def _unreachable(error: SQLAlchemyError) -> StateError:
    return StateError(f"What is known of the breakers cannot be reached: {type(error).__name__}.")
