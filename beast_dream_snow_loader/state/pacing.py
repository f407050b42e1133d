"""What processes tell each other so as not to ask too much of a service: retry tokens, cool-downs, hourly quotas.

All of it is asked rarely: tokens only by who wants to retry, quotas in portions. Only cool-downs concern every request;
for SQLite a look at the file tells whether anything was written since the last one, a server is asked every 50 ms at
most. Who asks holds up every lane of its service, so none waits long for another writer. Wall-clock times are bounded
by the wait they stand for: after a step of the clock nobody waits longer than was asked.
"""

from __future__ import annotations

import time
from collections.abc import Container, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Connection, Engine, Row, select

from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.operations.pace import CoolDown, CoolDownInForce
from beast_dream_snow_loader.operations.retry_budget import FLOOR, LEASE_SECONDS
from beast_dream_snow_loader.state.engine import HASTE_SECONDS, hastily, is_sqlite, reading
from beast_dream_snow_loader.state.schema import cool_downs, request_quotas, retry_tokens
from beast_dream_snow_loader.state.statements import upsert

_TICK_NANOSECONDS = 50_000_000
"""Two writes within one tick of a file system's clock look like one."""

_LOOK_SECONDS = 0.05
"""A look at a server costs a millisecond of processor time: not more often than the instance answers anyway."""


class SqlPacing:
    """``target`` is the instance: cool-downs of one are not those of another. Every method raises StateError."""

    def __init__(self, engine: Engine, clock: Clock, target: str, floor: int = FLOOR) -> None:
        self._engine = engine
        self._clock = clock
        self._target = target
        self._floor = floor
        self._log = Path(f"{engine.url.database}-wal") if is_sqlite(engine.url) else None

    def stamp(self) -> object:
        """On PostgreSQL another one every :data:`_LOOK_SECONDS`."""
        if self._log is None:
            return self._clock.monotonic() // _LOOK_SECONDS
        try:
            seen = self._log.stat()
        except OSError:
            return object()
        young = time.time_ns() - seen.st_mtime_ns < _TICK_NANOSECONDS
        return object() if young else (seen.st_ino, seen.st_mtime_ns, seen.st_size)

    def lease(self, service: str, holder: str) -> int | float:
        name = self._name(service)
        with hastily(self._engine, HASTE_SECONDS) as connection:
            left = dict.fromkeys(range(self._floor), 0.0)
            for row in connection.execute(select(retry_tokens).where(retry_tokens.c.service == name)):
                left[row.number] = self._left(row, LEASE_SECONDS)
            number = min(left, key=left.__getitem__)
            if left[number] > 0:
                return left[number]
            self._give(connection, name, number, holder)
            return number

    def renew(self, service: str, holder: str, number: int) -> bool:
        name, c = self._name(service), retry_tokens.c
        with hastily(self._engine, HASTE_SECONDS) as connection:
            mine = select(c.holder).where(c.service == name, c.number == number)
            if connection.scalar(mine) != holder:
                return False
            self._give(connection, name, number, holder)
            return True

    def cool_down(self, service: str) -> CoolDown | None:
        with reading(self._engine) as connection:
            row = self._cooling(connection, service)
        return None if row is None else CoolDown(seconds=self._left(row, row.seconds), streak=row.streak)

    def cool(self, service: str, seconds: float, streak: int) -> None:
        with hastily(self._engine, HASTE_SECONDS) as connection:
            row = self._cooling(connection, service)
            if row is not None and self._left(row, row.seconds) >= seconds:
                return
            until = self._clock.now() + timedelta(seconds=seconds)
            new = {"service": self._name(service), "until": until, "seconds": seconds, "streak": streak}
            upsert(connection, cool_downs, [new])

    def in_force(self) -> Sequence[CoolDownInForce]:
        """By service."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(cool_downs).order_by(cool_downs.c.service)).all()
        mine = [row for row in rows if row.service.endswith(self._name(""))]
        return [
            CoolDownInForce(service=row.service.removesuffix(self._name("")), seconds=left, whole=row.seconds)
            for row in mine
            if (left := self._left(row, row.seconds)) > 0
        ]

    def end(self, services: Container[str]) -> Sequence[str]:
        """By hand: those of ``services`` that were left alone may be asked again by all processes; returned by name."""
        ended = [one.service for one in self.in_force() if one.service in services]
        with hastily(self._engine, HASTE_SECONDS) as connection:
            connection.execute(cool_downs.delete().where(cool_downs.c.service.in_([self._name(s) for s in ended])))
        return ended

    def used(self, service: str) -> Mapping[str, int]:
        """Requests that were given out in the windows under way, by rule."""
        name, c = self._name(service), request_quotas.c
        query = select(request_quotas).where(c.service == name, c.until > self._clock.now()).order_by(c.rule)
        with reading(self._engine) as connection:
            return {row.rule: row.used for row in connection.execute(query)}

    def portion(self, service: str, rule: str, limit: int, seconds: float, wanted: int) -> int:
        name, c = self._name(service), request_quotas.c
        with hastily(self._engine, HASTE_SECONDS) as connection:
            row = connection.execute(select(request_quotas).where(c.service == name, c.rule == rule)).one_or_none()
            under_way = row is not None and self._left(row, seconds + 1.0) > seconds / 2
            used = row.used if row is not None and under_way else 1  # the one that told of the rule
            granted = max(0, min(wanted, limit - used))
            until = row.until if row is not None and under_way else self._clock.now() + timedelta(seconds=seconds)
            new = {"service": name, "rule": rule, "until": until, "used": used + granted}
            upsert(connection, request_quotas, [new])
            return granted

    def _cooling(self, connection: Connection, service: str) -> Row[tuple[object, ...]] | None:
        return connection.execute(select(cool_downs).where(cool_downs.c.service == self._name(service))).one_or_none()

    def _give(self, connection: Connection, name: str, number: int, holder: str) -> None:
        until = self._clock.now() + timedelta(seconds=LEASE_SECONDS)
        upsert(connection, retry_tokens, [{"service": name, "number": number, "holder": holder, "until": until}])

    def _left(self, row: Row[tuple[object, ...]], most: float) -> float:
        """Seconds until the row's time; more than ``most`` were never asked for: the clock has been set back."""
        left = (row.until - self._clock.now()).total_seconds()
        return max(0.0, left) if left <= most + 1.0 else 0.0

    def _name(self, service: str) -> str:
        return f"{service} {self._target}"
