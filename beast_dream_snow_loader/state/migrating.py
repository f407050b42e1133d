"""Bring a database to the newest revision, in one transaction, with a copy kept of what was there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, select, text

from beast_dream_snow_loader import __version__
from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.errors import StateLocked, StateTooNew
from beast_dream_snow_loader.state.backup import back_up
from beast_dream_snow_loader.state.damage import damaged, named
from beast_dream_snow_loader.state.faults import absent
from beast_dream_snow_loader.state.holders import dead, described
from beast_dream_snow_loader.state.on_sqlite import READING
from beast_dream_snow_loader.state.schema import leases, meta, metadata
from beast_dream_snow_loader.state.statements import upsert

if TYPE_CHECKING:
    from alembic.config import Config

_VERSION_TABLE = "alembic_version"
_PROGRAM = "migrated_by"
"""In ``meta``: the version of the program that migrated last."""
_MIGRATION_LOCK = 0x6D696772
"""``migr``: our advisory lock's number on PostgreSQL while a database is migrated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrations:
    """Where the scripts are and the newest revision among them (so that Alembic is loaded only to migrate)."""

    scripts: Path
    head: str


PACKAGED = Migrations(scripts=Path(__file__).parent / "migrations", head="0014")


def migrate(engine: Engine, clock: Clock, migrations: Migrations = PACKAGED, *, make: bool = True) -> None:
    """Nothing when the database is at the head. StateTooNew when it is at a revision this program does not know,
    StateAbsent when it is at none and must not be made (``make`` False), StateLocked while a run is at work in it."""
    if _is_at(engine, migrations.head):
        return
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            lock = text("SELECT pg_advisory_xact_lock(:number, hashtext(current_schema()))")
            connection.execute(lock, {"number": _MIGRATION_LOCK})
        present = revision_of(connection)  # another process may have migrated while this one waited
        if present == migrations.head:
            return
        if present is None:
            _refuse_unnumbered(connection)
            if not make:
                raise absent(named(engine.url))
        config = _config(migrations, connection)
        if present is not None:
            _refuse_newer(connection, config, present, migrations)
            _refuse_under_a_run(connection, clock)
            if engine.url.database and connection.dialect.name == "sqlite":
                back_up(Path(engine.url.database), present, clock.now())
        _upgrade(config)
        upsert(connection, meta, [{"key": _PROGRAM, "value": __version__}])


def _is_at(engine: Engine, head: str) -> bool:
    """Asked without the right to write: whoever only reads waits for no writer."""
    with engine.connect().execution_options(**{READING: True}) as connection:
        return revision_of(connection) == head


def revision_of(connection: Connection) -> str | None:
    """The database's revision; None when it holds no tables of ours."""
    if not inspect(connection).has_table(_VERSION_TABLE):
        return None
    revision = connection.scalar(text(f"SELECT version_num FROM {_VERSION_TABLE}"))
    return str(revision) if revision is not None else None


def _refuse_unnumbered(connection: Connection) -> None:
    """Tables and revision are made in one transaction: the ones without the other are what is left of more."""
    if set(inspect(connection).get_table_names()) & set(metadata.tables):
        raise damaged(connection.engine.url, f"it has tables, but no revision in {_VERSION_TABLE}")


def _config(migrations: Migrations, connection: Connection) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations.scripts).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _refuse_newer(connection: Connection, config: Config, present: str, migrations: Migrations) -> None:
    from alembic.script import ScriptDirectory

    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if present not in known:
        program = connection.scalar(select(meta.c.value).where(meta.c.key == _PROGRAM)) or "a newer version"
        raise StateTooNew(
            f"Database {connection.engine.url.render_as_string(hide_password=True)} is at revision {present}; "
            f"this program knows revisions up to {migrations.head}.",
            next_step=f"Run the snowload that made it ({program}) or a later one: "
            "`pip install -U beast-dream-snow-loader`.",
        )


def _refuse_under_a_run(connection: Connection, clock: Clock) -> None:
    """What it is in the middle of it would find in tables that it does not know."""
    if not inspect(connection).has_table(leases.name):
        return
    for row in connection.execute(select(leases).where(leases.c.run_id != "")):
        if not dead(row, clock, connection):
            raise StateLocked(
                f"{named(connection.engine.url)} is of an earlier release, and {described(row)} works with it: it is "
                "not brought up to date meanwhile.",
                next_step="Let that run end, then run the command again.",
            )


def _upgrade(config: Config) -> None:
    from alembic import command

    command.upgrade(config, "head")
