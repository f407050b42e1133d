"""What a database driver says, said as one of our errors. Statements and values stay out of the message."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path
from typing import NoReturn

from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError

from beast_dream_snow_loader.errors import StateDamaged, StateError, StateFull, StateLocked

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_LOCK_NOT_AVAILABLE = "55P03"
_DISK_FULL = "53100"
_PRIMARY = 0xFF
"""SQLite's extended result codes keep the primary one in the lowest byte."""


def unwritten(file: Path, fault: OSError) -> StateError:
    """The error for a file that could not be written."""
    if fault.errno in (errno.ENOSPC, errno.EDQUOT):
        return StateFull(
            f"File {file} cannot be written: the disk is full.",
            next_step="Free space and run the command again: what was not saved is done anew.",
        )
    return StateError(
        f"File {file} cannot be written: {fault.strerror}.", next_step="Mend its rights, or name another file."
    )


def translate_faults(engine: Engine, name: str, way_back: str) -> None:
    """Every driver error of ``engine`` becomes a StateError. ``name`` is how people know the database,
    ``way_back`` what to do when it is damaged."""

    @event.listens_for(engine, "handle_error")
    def translate(context: ExceptionContext) -> None:
        fault = context.original_exception
        if context.is_pre_ping:
            return  # the pool is only asking whether the connection still lives
        if isinstance(fault, sqlite3.Error):
            _raise_sqlite(fault, name, way_back)
        if isinstance(context.sqlalchemy_exception, DBAPIError):
            _raise_server(fault, name)


def _raise_sqlite(fault: sqlite3.Error, name: str, way_back: str) -> NoReturn:
    code = getattr(fault, "sqlite_errorcode", 0) & _PRIMARY
    if code in _DAMAGED:
        raise StateDamaged(f"Database {name} is damaged: {fault}.", next_step=way_back) from fault
    if code in _BUSY:
        raise StateLocked(
            f"Database {name} is held by another process.", next_step="Run the command again when that has ended."
        ) from fault
    if code == sqlite3.SQLITE_FULL:
        raise StateFull(
            f"Database {name} cannot grow: the disk is full.",
            next_step="Free space and run the command again: what was not saved is done anew.",
        ) from fault
    raise StateError(f"Database {name}: {fault}.", next_step="Run `snowload health --check database`.") from fault


def _raise_server(fault: BaseException, name: str) -> NoReturn:
    state = getattr(fault, "sqlstate", None)
    if state == _LOCK_NOT_AVAILABLE:
        raise StateLocked(
            f"Database {name} is held by another process.", next_step="Run the command again when that has ended."
        ) from fault
    if state == _DISK_FULL:
        raise StateFull(
            f"Database {name} cannot grow: the server's disk is full.",
            next_step="Free space there and run the command again: what was not saved is done anew.",
        ) from fault
    why = f"{type(fault).__name__} {state}" if state else f"{type(fault).__name__} (no answer from the server)"
    raise StateError(
        f"Database {name} did not do what was asked: {why}.",
        next_step="Check SNOWLOAD_STATE_URL and that the server runs, then run the command again.",
    ) from fault
