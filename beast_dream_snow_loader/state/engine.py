"""One way to open the database, SQLite and PostgreSQL alike: durable at commit, one writer at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.errors import ConfigurationError, StateLocked
from beast_dream_snow_loader.state.backup import way_back
from beast_dream_snow_loader.state.faults import translate_faults
from beast_dream_snow_loader.state.migrating import PACKAGED, Migrations, migrate
from beast_dream_snow_loader.state.private_files import private_directory, private_file

BUSY_SECONDS = 30
"""How long a statement waits for another process's transaction."""

_READING = "snowload_reading"
_ADVISORY_CLASS = 0x736E6F77
"""``snow``: the first half of our advisory lock's number on PostgreSQL."""


def open_engine(url: str, clock: Clock, migrations: Migrations = PACKAGED) -> Engine:
    """The database behind ``url``, made if it is not there and brought to the newest revision.

    Raises ConfigurationError for a URL that names neither a SQLite file nor PostgreSQL, StateTooNew, StateDamaged,
    StateLocked when another process keeps it too long, StateError for a file or directory that is not safely ours.
    """
    parsed = _parse(url)
    return _sqlite(parsed, clock, migrations) if is_sqlite(parsed) else _postgresql(parsed, clock, migrations)


def is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that no other writer of this database overlaps; durable when the block ends without error."""
    with engine.begin() as connection:
        if not is_sqlite(engine.url):
            connection.execute(
                text("SELECT pg_advisory_xact_lock(:class, hashtext(current_schema()))"), {"class": _ADVISORY_CLASS}
            )
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A look at one moment's state that waits for no writer."""
    with engine.connect().execution_options(**{_READING: True}) as connection:
        yield connection


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
        known = parsed.get_backend_name() in ("sqlite", "postgresql")
    except (ArgumentError, NoSuchModuleError):
        known = False
    if not known or (is_sqlite(parsed) and parsed.database in (None, "", ":memory:")):
        raise ConfigurationError(
            "SNOWLOAD_STATE_URL names no database that snowload can use.",
            next_step="Write it as sqlite:////path/to/state.sqlite or postgresql+psycopg://user@host/database.",
        )
    return parsed


def _sqlite(url: URL, clock: Clock, migrations: Migrations) -> Engine:
    file = Path(str(url.database))
    private_directory(file.parent)
    try:
        with FileLock(file.with_name(f"{file.name}.opening"), timeout=BUSY_SECONDS, mode=0o600):
            private_file(file)
            engine = create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_SECONDS})
            translate_faults(engine, str(file), way_back(file))
            _set_up_sqlite(engine)
            return _migrated(engine, clock, migrations)
    except Timeout:
        raise StateLocked(
            f"Database {file} is being opened or migrated by another process.",
            next_step="Run the command again when that has ended.",
        ) from None


def _set_up_sqlite(engine: Engine) -> None:
    """The driver's own transactions leave a SELECT outside of them, so it is told to start none."""

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "trusted_schema=OFF"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        reads = connection.get_execution_options().get(_READING)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _postgresql(url: URL, clock: Clock, migrations: Migrations) -> Engine:
    try:
        engine = create_engine(url, hide_parameters=True, pool_pre_ping=True)
    except ImportError:
        raise ConfigurationError(
            "SNOWLOAD_STATE_URL names PostgreSQL, whose driver is not installed.",
            next_step="Run `pip install 'beast-dream-snow-loader[postgres]'`.",
        ) from None
    shown = url.render_as_string(hide_password=True)
    translate_faults(engine, shown, "Restore it from the server's own backup, then run the command again.")

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET lock_timeout = '{BUSY_SECONDS}s'")
            cursor.execute(
                "SELECT set_config('synchronous_commit', 'on', false)"
                " WHERE current_setting('synchronous_commit') IN ('off', 'local')"
            )
        connection.commit()

    return _migrated(engine, clock, migrations)


def _migrated(engine: Engine, clock: Clock, migrations: Migrations) -> Engine:
    try:
        migrate(engine, clock, migrations)
    except BaseException:
        engine.dispose()
        raise
    return engine
