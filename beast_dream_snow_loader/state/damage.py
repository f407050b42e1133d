"""Damage, told with the database it is in and the way back from it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, inspect

from beast_dream_snow_loader.errors import StateDamaged
from beast_dream_snow_loader.state.backup import way_back
from beast_dream_snow_loader.state.schema import metadata
from beast_dream_snow_loader.state.unread import Unread

RESTORE = "Restore it from the server's own backup, then run the command again."
"""The way back where the database is a server's."""


def damaged(url: URL, what: str) -> StateDamaged:
    """``what`` is wrong, without a full stop."""
    return StateDamaged(f"Database {named(url)} is damaged: {what}.", next_step=way_back_from(url))


def way_back_from(url: URL) -> str:
    return way_back(Path(str(url.database))) if url.get_backend_name() == "sqlite" else RESTORE


@contextmanager
def placing(url: URL) -> Iterator[None]:
    """What does not read within the block is told with its database."""
    try:
        yield
    except Unread as damage:
        raise damaged(url, damage.what) from damage


def lacking(connection: Connection) -> list[str]:
    """What the newest revision has and this database has not: tables and columns, one sentence each. Reads no row."""
    found = inspect(connection)
    present = set(found.get_table_names())
    missing = [f"table {name} is missing" for name in sorted(set(metadata.tables) - present)]
    for name in sorted(present & set(metadata.tables)):
        columns = {column["name"] for column in found.get_columns(name)}
        lost = [column.name for column in metadata.tables[name].columns if column.name not in columns]
        missing += [f"column {column} of table {name} is missing" for column in lost]
    return missing


def named(url: URL) -> str:
    return str(url.database) if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=True)
