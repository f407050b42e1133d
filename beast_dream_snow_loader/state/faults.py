"""What a database driver says, said as one of our errors. Statements and values stay out of the message."""

from __future__ import annotations

import errno
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError

from beast_dream_snow_loader.errors import (
    StateAbsent,
    StateDamaged,
    StateError,
    StateFull,
    StateLocked,
    StateUnavailable,
)

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_LOCK_NOT_AVAILABLE = "55P03"
_DISK_FULL = "53100"
_SERVER_FAILS = ("08", "53", "57P", "58")
"""Connection lost, out of resources, shutting down or starting, and its own system fails: not what we asked for."""
_NO_TABLE = ("no such table", "no such column", "Could not decode to UTF-8")
"""What SQLite and its driver say of a schema or a text that is not what was written; the texts stay out of it."""
_UNDEFINED = ("42P01", "42703")
"""The same of PostgreSQL: no such table, no such column."""
_NO_WRITING = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_DISK_FAILS = (errno.EIO, errno.ENXIO, errno.ENODEV, errno.ETIMEDOUT, getattr(errno, "ESTALE", errno.EIO))
_MEND_DISK = "Look at the disk (`dmesg`, free space), then run the command again: what was not saved is done anew."
_MEND_READ_ONLY = (
    "See with `dmesg` why the file system is read-only, make it writable again (`mount -o remount,rw`), "
    "then run the command again."
)
_MEND_PLACE = "Move that directory aside (`mv`), or name another place, then run the command again."
_ROOM = 64 * 1024
"""Less is no room: SQLite makes its index of the log larger by half of that, and a page of the log comes on top."""
RIGHTS = "Give this user the right to write there, or name another place with SNOWLOAD_STATE_DIR."
"""What to do about a place for state that this user may not use."""


@contextmanager
def telling(what: str, mend: str) -> Iterator[None]:
    """What the system will not do within the block, as :func:`undone` tells it."""
    try:
        yield
    except OSError as fault:
        raise undone(what, fault, mend) from None


def unwritten(file: Path, fault: OSError) -> StateError:
    """The error for a file that could not be written."""
    return undone(f"File {file} cannot be written", fault, "Mend its rights, or name another file.")


def held(name: str, seconds: float) -> StateLocked:
    """Another process writes, and did not end in so long."""
    return StateLocked(
        f"Database {name} is being written by another process: {seconds:g} s were waited for it.",
        next_step="Run the command again when that has ended: `snowload runs list` shows runs under way.",
    )


def gone(name: str) -> StateUnavailable:
    """Moved, deleted or replaced while we work with it: what is written there now, nobody finds again."""
    return StateUnavailable(
        f"Database {name} was moved, deleted or replaced while it was in use.",
        next_step="Put it back where it was, or name its new place with SNOWLOAD_STATE_DIR, then run `snowload load`: "
        "what was sent is looked up, what was not saved is done anew.",
    )


def absent(name: str) -> StateAbsent:
    return StateAbsent(
        f"There is no database {name}.",
        next_step="Put it back where it was, or name its place with SNOWLOAD_STATE_DIR; a new one is made by "
        "`snowload load`.",
    )


def undone(what: str, fault: OSError | sqlite3.Error, mend: str) -> StateError:
    """The error for what the system would not do: a disk that is full or fails is no setting that ``mend`` could put
    right."""
    number, code = getattr(fault, "errno", None), _primary(fault)
    why = getattr(fault, "strerror", None) or str(fault)
    if number in _NO_ROOM or code == sqlite3.SQLITE_FULL:
        return StateFull(
            f"{what}: the disk is full.",
            next_step="Free space and run the command again: what was not saved is done anew.",
        )
    if number == errno.EROFS:
        return StateUnavailable(f"{what}: {why}.", next_step=_MEND_READ_ONLY)
    if number == errno.EISDIR:
        return StateError(f"{what}: a directory is in its place.", next_step=_MEND_PLACE)
    if number in _DISK_FAILS or code == sqlite3.SQLITE_IOERR:
        return StateUnavailable(f"{what}: {why}.", next_step=_MEND_DISK)
    return StateError(f"{what}: {why}.", next_step=mend)


def _primary(fault: BaseException) -> int:
    """SQLite's result code; its extended ones keep the primary one in the lowest byte."""
    return int(getattr(fault, "sqlite_errorcode", 0)) & 0xFF


def translate_faults(engine: Engine, name: str, way_back: str, busy_seconds: float) -> None:
    """Every driver error of ``engine`` becomes a StateError. ``name`` is how people know the database,
    ``way_back`` what to do when it is damaged, ``busy_seconds`` how long a statement waits for another process."""

    @event.listens_for(engine, "handle_error")
    def translate(context: ExceptionContext) -> None:
        fault = context.original_exception
        if context.is_pre_ping:
            return  # the pool is only asking whether the connection still lives
        if isinstance(fault, sqlite3.Error):
            _raise_sqlite(fault, name, way_back, busy_seconds)
        if isinstance(context.sqlalchemy_exception, DBAPIError):
            _raise_server(fault, name, way_back, busy_seconds)


def _raise_sqlite(fault: sqlite3.Error, name: str, way_back: str, busy_seconds: float) -> NoReturn:
    code = _primary(fault)
    if code in _DAMAGED or str(fault).startswith(_NO_TABLE):
        raise StateDamaged(f"Database {name} is damaged: {_wordless(fault)}.", next_step=way_back) from fault
    if code in _BUSY:
        raise held(name, busy_seconds) from fault
    mend = RIGHTS if code in _NO_WRITING else "Run `snowload health --check database`."
    raise undone(f"Database {name} cannot be used", _as_system(fault, Path(name)), mend) from fault


def _wordless(fault: sqlite3.Error) -> str:
    """Without the stored text, which the driver quotes."""
    found = re.match(r"Could not decode to UTF-8 column '(\w*)'", str(fault))
    return f"a text in column {found.group(1)} is not UTF-8" if found else str(fault)


def _as_system(fault: sqlite3.Error, file: Path) -> OSError | sqlite3.Error:
    """SQLite does not say whether rights or the file system keep it from writing, and calls it an I/O error that there
    is no room for its index of the log."""
    with suppress(OSError, AttributeError):  # a system without statvfs says no more
        found, code = os.statvfs(file.parent), _primary(fault)
        if code in _NO_WRITING and found.f_flag & os.ST_RDONLY:
            return OSError(errno.EROFS, os.strerror(errno.EROFS))
        if code == sqlite3.SQLITE_IOERR and found.f_bavail * found.f_frsize < _ROOM:
            return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return fault


def _raise_server(fault: BaseException, name: str, way_back: str, busy_seconds: float) -> NoReturn:
    state = getattr(fault, "sqlstate", None)
    if state == _LOCK_NOT_AVAILABLE:
        raise held(name, busy_seconds) from fault
    if state in _UNDEFINED:
        what = "a table" if state == _UNDEFINED[0] else "a column"
        raise StateDamaged(f"Database {name} is damaged: {what} is missing.", next_step=way_back) from fault
    if state == _DISK_FULL:
        raise StateFull(
            f"Database {name} cannot grow: the server's disk is full.",
            next_step="Free space there and run the command again: what was not saved is done anew.",
        ) from fault
    why = f"{type(fault).__name__} {state}" if state else f"{type(fault).__name__} (no answer from the server)"
    kind = StateUnavailable if state is None or state.startswith(_SERVER_FAILS) else StateError
    raise kind(
        f"Database {name} did not do what was asked: {why}.",
        next_step="Check SNOWLOAD_STATE_URL and that the server runs, then run the command again.",
    ) from fault
