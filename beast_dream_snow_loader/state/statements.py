"""Statements over many rows, whose number does not grow with the rows of a batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

AT_ONCE = 1000
"""Values named in one statement; both databases take more, none of our batches has more."""


def portions(values: Iterable[str]) -> Iterator[Sequence[str]]:
    """The values without repetition, in portions for ``IN (…)``."""
    distinct = list(dict.fromkeys(values))
    return (distinct[start : start + AT_ONCE] for start in range(0, len(distinct), AT_ONCE))


def upsert(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], *, kept: frozenset[str] = frozenset()
) -> None:
    """Insert ``rows``; where the primary key is there already, update every column named but those in ``kept``."""
    if not rows:
        return
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table)
    keys = {column.name for column in table.primary_key}
    changed = {name: statement.excluded[name] for name in rows[0] if name not in keys | kept}
    connection.execute(statement.on_conflict_do_update(index_elements=sorted(keys), set_=changed), list(rows))
