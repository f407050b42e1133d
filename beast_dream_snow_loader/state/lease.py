"""The lease on a target, kept in the database: one run at a time, also when several hosts share the state.

The lock of the operating system (locks.py) decides on one host; the lease decides between hosts. Its fencing token goes
up with every holder; a holder whose token is no longer the present one can write nothing down any more, and asks before
each request that would write. How long a holder was silent is told by the database's clock, for those of two hosts may
differ.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psutil
from sqlalchemy import Connection, Engine, select, update

from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.errors import StateError, StateLocked
from beast_dream_snow_loader.state.engine import reading, writing
from beast_dream_snow_loader.state.holders import dead, described, shared_now
from beast_dream_snow_loader.state.machine import processes
from beast_dream_snow_loader.state.patience import Patience
from beast_dream_snow_loader.state.schema import leases
from beast_dream_snow_loader.state.statements import upsert

HEARTBEAT_SECONDS = 5.0
_WAIT_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """Which holder somebody is. :meth:`check` belongs into the transaction it protects."""

    target: str
    run_id: str
    token: int

    def check(self, connection: Connection) -> None:
        """StateLocked when another run has taken the target over."""
        row = connection.execute(select(leases).where(leases.c.target == self.target)).one_or_none()
        if row is None or row.token != self.token:
            raise StateLocked(
                f"Run {self.run_id} has lost target {self.target} to {described(row)}: nothing more is written.",
                next_step="Let that run end, then run `snowload load`: it goes on from what is true.",
            )


@contextmanager
def writing_under(fence: Fence | None, engine: Engine) -> Iterator[Connection]:
    """A transaction that writes. StateLocked when the target of the ``fence`` was taken over; None: nobody holds it."""
    with writing(engine) as connection:
        if fence is not None:
            fence.check(connection)
        yield connection


def confirm(fence: Fence, engine: Engine) -> None:
    """That its holder still is one. StateLocked when the target was taken over, and what else a look at the database
    raises: who cannot see it does not know either."""
    with reading(engine) as connection:
        fence.check(connection)


@contextmanager
def leased(
    engine: Engine,
    clock: Clock,
    target: str,
    run_id: str,
    patience: Patience,
    meanwhile: Callable[[], None] = lambda: None,
) -> Iterator[Fence]:
    """Hold the lease on ``target`` while the block runs, with a heartbeat beside it; ``meanwhile`` is called with each.

    Ended by SystemExit, it stays with the process until that is gone: its lanes may still be sending, and nobody has
    time to wait for the database. Raises StateLocked naming the holder, at once or at the end of ``patience``.
    """
    fence = patience.until(lambda: _try(engine, clock, target, run_id), _WAIT_SECONDS, lambda: _held(engine, target))
    ended = threading.Event()
    beating = threading.Thread(target=_beat, args=(engine, clock, fence, ended, meanwhile), daemon=True)
    beating.start()
    at_once = False
    try:
        yield fence
    except SystemExit:
        at_once = True
        raise
    finally:
        ended.set()
        if not at_once:
            beating.join()
            _give_back(engine, clock, fence)


def holder(engine: Engine, target: str) -> str | None:
    """Who holds ``target``, for people; None when nobody does."""
    with reading(engine) as connection:
        row = connection.execute(select(leases).where(leases.c.target == target)).one_or_none()
    return described(row) if row is not None and row.run_id else None


def standing(engine: Engine, clock: Clock, target: str) -> tuple[str, bool] | None:
    """Who holds ``target``, for people, and whether they are alive; None when nobody does."""
    with reading(engine) as connection:
        row = connection.execute(select(leases).where(leases.c.target == target)).one_or_none()
        return (described(row), not dead(row, clock, connection)) if row is not None and row.run_id else None


def at_work(engine: Engine, clock: Clock, target: str) -> str | None:
    """The run that holds ``target`` and is alive."""
    with reading(engine) as connection:
        row = connection.execute(select(leases).where(leases.c.target == target)).one_or_none()
        return row.run_id if row is not None and row.run_id and not dead(row, clock, connection) else None


def release_dead(engine: Engine, clock: Clock, target: str) -> str | None:
    """Give the lease back for a holder that is dead, and say who that was; None when nobody holds it, or one who lives.
    The row stays: tokens only ever go up."""
    with writing(engine) as connection:
        row = connection.execute(select(leases).where(leases.c.target == target)).one_or_none()
        if row is None or not row.run_id or not dead(row, clock, connection):
            return None
        mine = update(leases).where(leases.c.target == target, leases.c.token == row.token)
        connection.execute(mine.values(run_id=""))
        return described(row)


def _held(engine: Engine, target: str) -> StateLocked:
    return StateLocked(
        f"Target {target} is held by {holder(engine, target) or 'another run'}.",
        next_step="Wait until it has ended (`snowload runs list`), or give it time with "
        "`snowload load --lock-timeout 5m`.",
    )


def _try(engine: Engine, clock: Clock, target: str, run_id: str) -> Fence | None:
    with writing(engine) as connection:
        row = connection.execute(select(leases).where(leases.c.target == target)).one_or_none()
        if row is not None and row.run_id and not dead(row, clock, connection):
            return None
        fence = Fence(target=target, run_id=run_id, token=(row.token if row is not None else 0) + 1)
        upsert(connection, leases, [_row(fence, shared_now(connection, clock))])
        return fence


def _row(fence: Fence, now: datetime) -> dict[str, Any]:
    return {
        "target": fence.target,
        "run_id": fence.run_id,
        "token": fence.token,
        "host": processes(),
        "pid": os.getpid(),
        "process_started": psutil.Process().create_time(),
        "heartbeat_at": now,
    }


def _beat(engine: Engine, clock: Clock, fence: Fence, ended: threading.Event, meanwhile: Callable[[], None]) -> None:
    mine = update(leases).where(leases.c.target == fence.target, leases.c.token == fence.token)
    while not ended.wait(HEARTBEAT_SECONDS):
        try:
            with writing(engine) as connection:
                connection.execute(mine.values(heartbeat_at=shared_now(connection, clock)))
        except StateError:
            pass  # a busy or broken database is told by whoever needs it next
        meanwhile()


def _give_back(engine: Engine, clock: Clock, fence: Fence) -> None:
    """The row stays: tokens only ever go up."""
    mine = update(leases).where(leases.c.target == fence.target, leases.c.token == fence.token)
    with writing(engine) as connection:
        connection.execute(mine.values(run_id="", heartbeat_at=shared_now(connection, clock)))
