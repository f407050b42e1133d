"""One table tree's rows in memory, with indexes; and the SQLite file they are written through to."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path


class Row(dict[str, str]):
    """A stored record: only fields that hold something; reading another one by ``row[name]`` gives ``""``.

    Never changed in place: an update stores a new row, so a row once read stays what it was.
    """

    __slots__ = ()

    def __missing__(self, key: str) -> str:
        return ""


class FieldIndex:
    """Value, compared without case as usual collations do, to the sys_ids that have it. Empty values are not kept."""

    __slots__ = ("_buckets",)

    def __init__(self) -> None:
        self._buckets: dict[str, str | dict[str, None]] = {}

    def add(self, value: str, sys_id: str) -> None:
        key = value.casefold()
        bucket = self._buckets.get(key)
        if bucket is None:
            self._buckets[key] = sys_id
        elif isinstance(bucket, str):
            self._buckets[key] = {bucket: None, sys_id: None}
        else:
            bucket[sys_id] = None

    def remove(self, value: str, sys_id: str) -> None:
        key = value.casefold()
        bucket = self._buckets.get(key)
        if isinstance(bucket, dict):
            bucket.pop(sys_id, None)
            if not bucket:
                del self._buckets[key]
        elif bucket == sys_id:
            del self._buckets[key]

    def get(self, value: str) -> Collection[str]:
        bucket = self._buckets.get(value.casefold(), {})
        return (bucket,) if isinstance(bucket, str) else bucket.keys()


class TableTree:
    """The rows of a root table and everything that extends it. ``version`` counts changes, for caches."""

    def __init__(self, root: str, indexed: Iterable[str]) -> None:
        self.root = root
        self.rows: dict[str, Row] = {}
        self.version = 0
        self._by_class: dict[str, dict[str, None]] = {}
        self._indexes = {element: FieldIndex() for element in indexed}

    def class_of(self, row: Row) -> str:
        return row.get("sys_class_name") or self.root

    def put(self, sys_id: str, row: Row | None) -> Row | None:
        """Store, replace or (None) remove; gives back what was there."""
        before = self.rows.get(sys_id)
        self.version += 1
        if before is not None:
            self._unlink(sys_id, before, row)
        if row is None:
            self.rows.pop(sys_id, None)
        else:
            self.rows[sys_id] = row
            self._link(sys_id, row, before)
        return before

    def of_classes(self, classes: Iterable[str]) -> Iterator[str]:
        for name in classes:
            yield from self._by_class.get(name, ())

    def count(self, classes: Iterable[str]) -> int:
        return sum(len(self._by_class.get(name, ())) for name in classes)

    def is_indexed(self, element: str) -> bool:
        return element in self._indexes

    def lookup(self, element: str, value: str) -> Collection[str]:
        return self._indexes[element].get(value)

    def _link(self, sys_id: str, row: Row, before: Row | None) -> None:
        if before is None or self.class_of(before) != self.class_of(row):
            self._by_class.setdefault(self.class_of(row), {})[sys_id] = None
        for element, index in self._indexes.items():
            value = row.get(element)
            if value and (before is None or before.get(element) != value):
                index.add(value, sys_id)

    def _unlink(self, sys_id: str, before: Row, row: Row | None) -> None:
        if row is None or self.class_of(before) != self.class_of(row):
            self._by_class[self.class_of(before)].pop(sys_id, None)
        for element, index in self._indexes.items():
            value = before.get(element)
            if value and (row is None or row.get(element) != value):
                index.remove(value, sys_id)


class RowFile:
    """The SQLite file behind an instance: one line per row, values as JSON."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS record (root TEXT, sys_id TEXT, body TEXT, PRIMARY KEY (root, sys_id))"
        )
        self._connection.execute("CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT)")

    def meta(self) -> dict[str, str]:
        return dict(self._connection.execute("SELECT name, value FROM meta"))

    def rows(self) -> Iterator[tuple[str, str, Row]]:
        """Oldest first, as they were inserted."""
        for root, sys_id, body in self._connection.execute("SELECT root, sys_id, body FROM record ORDER BY rowid"):
            yield root, sys_id, Row(json.loads(body))

    def save(self, changes: Iterable[tuple[str, str, Row | None]], meta: Mapping[str, str]) -> None:
        """All of it in one transaction."""
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            for root, sys_id, row in changes:
                self._save_row(root, sys_id, row)
            self._connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", list(meta.items()))

    def _save_row(self, root: str, sys_id: str, row: Row | None) -> None:
        if row is None:
            self._connection.execute("DELETE FROM record WHERE root = ? AND sys_id = ?", (root, sys_id))
        else:
            self._connection.execute(
                "INSERT INTO record VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET body = excluded.body",
                (root, sys_id, json.dumps(row, separators=(",", ":"), ensure_ascii=False)),
            )

    def close(self) -> None:
        self._connection.close()
