"""Where a trial keeps its state: a database file, or a schema of PostgreSQL. Read here by plain SQL."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import psycopg
from psycopg import sql
from sqlalchemy import make_url


class State(Protocol):
    """The state of one trial after the other."""

    directory: Path

    def variables(self) -> Mapping[str, str]:
        """What tells the program where it is."""

    def clear(self) -> None:
        """As if nothing had ever run here."""

    def keep_as_empty(self) -> None:
        """Whatever a clear state holds is what it holds now."""

    def rows(self, query: str) -> Sequence[tuple[Any, ...]]:
        """What a query finds; nothing when there is no such table yet. A wrong query is an error: it would find nothing
        wrong."""

    def change(self, statement: str) -> None:
        """As somebody else with access to the database would."""


class FileState:
    """SQLite below ``directory``."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._empty: Path | None = None

    def variables(self) -> Mapping[str, str]:
        return {"SNOWLOAD_STATE_DIR": str(self.directory)}

    def clear(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)
        if self._empty is not None:
            shutil.copytree(self._empty, self.directory)

    def keep_as_empty(self) -> None:
        """What is here now is what :meth:`clear` comes back to: migrations are swept elsewhere."""
        self._empty = self.directory.with_name("empty")
        shutil.copytree(self.directory, self._empty)

    def rows(self, query: str) -> Sequence[tuple[Any, ...]]:
        if not self._file.exists():
            return []
        try:
            with closing(sqlite3.connect(f"file:{self._file}?mode=ro", uri=True, timeout=10)) as reading:
                return reading.execute(query).fetchall()
        except sqlite3.OperationalError as error:
            if str(error).startswith("no such table"):
                return []
            raise

    def change(self, statement: str) -> None:
        with closing(sqlite3.connect(self._file, timeout=10)) as writing, writing:
            writing.execute(statement)

    @property
    def _file(self) -> Path:
        return self.directory / "testing" / "state.sqlite"


class ServerState:
    """A schema of its own on a server; ``directory`` holds what stays on this machine, locks and reports.

    Cleared by emptying its tables: migrations are swept elsewhere, and would be most of what happens here.
    """

    def __init__(self, directory: Path, url: str) -> None:
        self.directory = directory
        self._url = url
        looking = make_url(url).set(drivername="postgresql").update_query_dict({"application_name": "looking"})
        plain = looking.render_as_string(hide_password=False)
        self._connection = psycopg.connect(plain, autocommit=True)

    def variables(self) -> Mapping[str, str]:
        return {"SNOWLOAD_STATE_DIR": str(self.directory), "SNOWLOAD_STATE_URL": self._url}

    def clear(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)
        tables = self.rows("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
        emptied = [sql.Identifier(name) for (name,) in tables if name not in ("alembic_version", "meta")]
        if emptied:
            self._connection.execute(sql.SQL("TRUNCATE {}").format(sql.SQL(", ").join(emptied)))

    def keep_as_empty(self) -> None:
        """A clear schema keeps its tables anyway."""

    def rows(self, query: str) -> Sequence[tuple[Any, ...]]:
        try:
            return self._connection.execute(sql.SQL(query)).fetchall()  # type: ignore[arg-type]
        except psycopg.errors.UndefinedTable:
            return []

    def change(self, statement: str) -> None:
        self._connection.execute(sql.SQL(statement))  # type: ignore[arg-type]

    def close(self) -> None:
        self._connection.close()
