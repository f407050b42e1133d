"""One way to open the database, SQLite and PostgreSQL alike: durable at commit, one writer at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, make_url, text
from sqlalchemy.exc import ArgumentError

from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.errors import ConfigurationError, StateLocked
from beast_dream_snow_loader.state.damage import named, placing
from beast_dream_snow_loader.state.faults import held
from beast_dream_snow_loader.state.migrating import PACKAGED, Migrations, migrate
from beast_dream_snow_loader.state.on_postgresql import postgresql_engine
from beast_dream_snow_loader.state.on_sqlite import READING, opening, sqlite_engine
from beast_dream_snow_loader.state.urls import DRIVERS

BUSY_SECONDS = 30.0
"""Longer than any transaction of ours, a migration included."""
HASTE_SECONDS = 1.0
"""So long at most for what is not worth waiting longer for another writer: what processes tell each other."""
_HASTE = "snowload_haste_seconds"
_HASTY_PART = 4
"""Who waits a short time for a writer waits a part of it for what can be done without: a look keeps several things."""

_WRITERS = 0x736E6F77
"""``snow``: the first half of the number of the advisory lock that writers take on PostgreSQL."""


def open_engine(
    url: str,
    clock: Clock,
    migrations: Migrations = PACKAGED,
    busy_seconds: float = BUSY_SECONDS,
    *,
    make: bool = True,
) -> Engine:
    """The database behind ``url``, made if it is not there and brought to the newest revision. ``make`` False: one that
    is not there, or has no tables, is a StateAbsent.

    ``busy_seconds`` is how long a statement waits for another process's transaction.

    Raises ConfigurationError for a URL that names neither a SQLite file nor PostgreSQL, StateTooNew, StateDamaged,
    StateLocked when another process keeps it too long, StateError for a file or directory that is not safely ours.
    """
    parsed = _parse(url)
    if not is_sqlite(parsed):
        return _migrated(postgresql_engine(parsed, busy_seconds), clock, migrations, busy_seconds, make=make)
    file = Path(str(parsed.database))
    with opening(file, busy_seconds, make=make):
        return _migrated(sqlite_engine(parsed, file, busy_seconds), clock, migrations, busy_seconds, make=make)


def is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that no other writer of this database overlaps; durable when the block ends without error."""
    with placing(engine.url), engine.begin() as connection:
        if not is_sqlite(engine.url):
            lock = text("SELECT pg_advisory_xact_lock(:writers, hashtext(current_schema()))")
            connection.execute(lock, {"writers": _WRITERS})
        yield connection


@contextmanager
def hastily(engine: Engine, seconds: float) -> Iterator[Connection]:
    """As :func:`writing`, but it waits at most so long for another writer: for what can be done without."""
    seconds = min(seconds, engine.get_execution_options().get(_HASTE, seconds))
    with _told_hasty(engine.url, seconds), placing(engine.url), engine.connect() as connection:
        if not is_sqlite(engine.url):
            with connection.begin():
                connection.execute(text(f"SET LOCAL lock_timeout = {int(seconds * 1000)}"))
                lock = text("SELECT pg_advisory_xact_lock(:writers, hashtext(current_schema()))")
                connection.execute(lock, {"writers": _WRITERS})
                yield connection
            return
        driver: Any = connection.connection.driver_connection
        (usual,) = driver.execute("PRAGMA busy_timeout").fetchone()
        driver.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
        try:
            with connection.begin():
                yield connection
        finally:
            driver.execute(f"PRAGMA busy_timeout = {int(usual)}")


@contextmanager
def _told_hasty(url: URL, seconds: float) -> Iterator[None]:
    try:
        yield
    except StateLocked as busy:
        raise held(named(url), seconds) from busy


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A look at one moment's state, however many statements it takes, that waits for no writer."""
    once = {READING: True} if is_sqlite(engine.url) else {"isolation_level": "REPEATABLE READ"}
    with placing(engine.url), engine.connect().execution_options(**once) as connection:
        yield connection


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = URL.create("none")
    driver = DRIVERS.get(parsed.drivername)
    if driver is None or (driver == "sqlite" and parsed.database in (None, "", ":memory:")):
        raise ConfigurationError(
            "SNOWLOAD_STATE_URL names no database that snowload can use.",
            next_step="Write it as sqlite:////path/to/state.sqlite or postgresql+psycopg://user@host/database.",
        )
    return parsed.set(drivername=driver)


def _migrated(engine: Engine, clock: Clock, migrations: Migrations, busy_seconds: float, *, make: bool) -> Engine:
    engine.update_execution_options(**{_HASTE: busy_seconds / _HASTY_PART})
    try:
        migrate(engine, clock, migrations, make=make)
    except BaseException:
        engine.dispose()
        raise
    return engine
