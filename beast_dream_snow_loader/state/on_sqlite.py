"""SQLite made to keep its promises: a private file, WAL, a sync at every commit, transactions that begin as writers."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import BaseFileLock, FileLock, Timeout
from sqlalchemy import URL, Connection, Engine, create_engine, event

from beast_dream_snow_loader.errors import StateLocked
from beast_dream_snow_loader.state.backup import way_back
from beast_dream_snow_loader.state.emptied import refuse_emptied
from beast_dream_snow_loader.state.faults import RIGHTS, absent, gone, telling, translate_faults, undone
from beast_dream_snow_loader.state.private_files import private_directory, private_file

_LOG_LIMIT = f"journal_size_limit={4 * 1024 * 1024}"
"""To so much the write-ahead log is cut when it begins anew."""
READING = "snowload_reading"
"""The execution option of a connection that will only read."""


def fold_log(engine: Engine) -> bool:
    """The write-ahead log into the file, as far as nobody has to be waited for; whether all of it went. What is wrong
    with the file is told by whoever reads or writes it next."""
    with closing(engine.raw_connection()) as raw, suppress(sqlite3.Error):
        busy, pages, folded = raw.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        return not busy and pages == folded
    return False


@contextmanager
def opening(file: Path, busy_seconds: float, *, make: bool = True) -> Iterator[None]:
    """Only one process at a time makes ``file``, turns WAL on or migrates. The file is there and ours in the block.
    StateAbsent when it is not there and not to be made."""
    if not make and not file.exists():
        raise absent(str(file))
    private_directory(file.parent)
    lock = FileLock(file.with_name(f"{file.name}.opening"), timeout=busy_seconds, mode=0o600)
    _acquire(lock, file)
    try:
        with telling(f"Database {file} cannot be opened", RIGHTS):
            refuse_emptied(file)
        private_file(file)
        yield
    finally:
        lock.release()


def _acquire(lock: BaseFileLock, file: Path) -> None:
    try:
        lock.acquire()
    except Timeout:
        raise StateLocked(
            f"Database {file} is being opened or migrated by another process.",
            next_step="Run the command again when that has ended.",
        ) from None
    except OSError as error:
        raise undone(f"Database {file} cannot be opened: no lock {lock.lock_file}", error, RIGHTS) from None


def _same_file(file: Path) -> Callable[[], None]:
    """Raises StateUnavailable once ``file`` is another one, or none: an open connection would go on in the old one."""

    def identity() -> tuple[int, int] | None:
        try:
            found = file.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    opened = identity()

    def refuse_gone() -> None:
        if identity() != opened:
            raise gone(str(file))

    return refuse_gone


def sqlite_engine(url: URL, file: Path, busy_seconds: float) -> Engine:
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": busy_seconds})
    translate_faults(engine, str(file), way_back(file), busy_seconds)
    refuse_gone = _same_file(file)

    @event.listens_for(engine, "do_connect")
    def connecting(*_: object) -> None:
        refuse_gone()  # or SQLite would make a new one there

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver's own transactions would leave a SELECT outside of them
        if not file.stat().st_size:  # it can only be said before the first page; later it would be a write each time
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "trusted_schema=OFF", _LOG_LIMIT):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        refuse_gone()
        reads = connection.get_execution_options().get(READING)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine
