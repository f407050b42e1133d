"""Statements over many rows, whose number does not grow with the rows of a batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Connection, Table

if TYPE_CHECKING:
    from sqlalchemy.dialects.postgresql import Insert as PostgresqlInsert
    from sqlalchemy.dialects.sqlite import Insert as SqliteInsert

V = TypeVar("V")
AT_ONCE = 1000
"""Values named in one statement; both databases take more, none of our batches has more."""


def portions(values: Iterable[V]) -> Iterator[Sequence[V]]:
    """The values without repetition, in portions for ``IN (…)``."""
    distinct = list(dict.fromkeys(values))
    return (distinct[start : start + AT_ONCE] for start in range(0, len(distinct), AT_ONCE))


def upsert(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], *, kept: frozenset[str] = frozenset()
) -> None:
    """Insert ``rows``; where the primary key is there already, update every column named but those in ``kept``."""
    if not rows:
        return
    statement = _insert(connection, table)
    keys = {column.name for column in table.primary_key}
    changed = {name: statement.excluded[name] for name in rows[0] if name not in keys | kept}
    connection.execute(statement.on_conflict_do_update(index_elements=sorted(keys), set_=changed), list(rows))


def _insert(connection: Connection, table: Table) -> SqliteInsert | PostgresqlInsert:
    """Each database is imported when it is the one in use: it costs tens of milliseconds."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table)
