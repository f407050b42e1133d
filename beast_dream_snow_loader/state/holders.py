"""Who holds a lease, and whether they are alive."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import psutil
from sqlalchemy import Connection, Row, func, select

from beast_dream_snow_loader.clock import Clock, rfc3339
from beast_dream_snow_loader.state.machine import processes

LEASE = timedelta(seconds=30)
"""How long a holder on another host may be silent before it counts as dead."""


def shared_now(connection: Connection, clock: Clock) -> datetime:
    """The instant by the clock that all users of this database have in common: the server's, where hosts share one, for
    theirs may differ; ``clock``'s for a file."""
    if connection.dialect.name == "sqlite":
        return clock.now()
    now: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    return now


def dead(row: Row[Any], clock: Clock, connection: Connection) -> bool:
    """On this host its process is asked after; on another, or in another container, only its silence tells. Who shares
    a file has the lock of the system (locks.py) by now, so a container that was started anew need not wait."""
    mine = processes()
    shares_file = connection.dialect.name == "sqlite" and row.host.partition("/")[0] == mine.partition("/")[0]
    if row.host == mine or shares_file:
        return not _runs(row.pid, row.process_started)
    return bool(shared_now(connection, clock) - row.heartbeat_at > LEASE)


def _runs(pid: int, started: float) -> bool:
    try:
        process = psutil.Process(pid)
        return process.create_time() == started and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def described(row: Row[Any] | None) -> str:
    """For people."""
    if row is None or not row.run_id:
        return "nobody"
    return f"run {row.run_id} (process {row.pid} on {row.host.partition('/')[0]}, alive at {rfc3339(row.heartbeat_at)})"
