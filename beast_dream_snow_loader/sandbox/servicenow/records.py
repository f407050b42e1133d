"""The instance's database: typed tables that inherit, one row per record, indexes, and the rules of the write path."""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from beast_dream_snow_loader.clock import Clock, SystemClock
from beast_dream_snow_loader.sandbox.servicenow.derived import derive, first_values
from beast_dream_snow_loader.sandbox.servicenow.dictionary import (
    Dictionary,
    load_dictionary,
)
from beast_dream_snow_loader.sandbox.servicenow.shipped import shipped_rows
from beast_dream_snow_loader.sandbox.servicenow.storage import Row, RowFile
from beast_dream_snow_loader.sandbox.servicenow.tables import TableMissing, Tables
from beast_dream_snow_loader.sandbox.servicenow.values import to_text
from beast_dream_snow_loader.sandbox.servicenow.write_path import accepted, birth, defaults

__all__ = ["Instance", "RecordMissing", "Row", "TableMissing", "UniqueViolation"]


class RecordMissing(LookupError):
    """No such record in this table."""


class UniqueViolation(ValueError):
    """The database refused the row: its sys_id or a unique field's value exists. ``display`` is how it shows itself."""

    def __init__(self, table: str, display: str) -> None:
        super().__init__(f"Error during insert of {table} ({display})")
        self.table = table
        self.display = display


class Instance(Tables):
    """All tables. Take ``lock`` around everything that must be seen together; every method takes it for itself."""

    def __init__(self, dictionary: Dictionary, clock: Clock, seed: str, file: RowFile | None = None) -> None:
        super().__init__(dictionary, clock)
        self._seed = seed
        self._counters: dict[str, int] = {}
        self._file = file
        self._dirty: dict[tuple[str, str], None] = {}
        self._undo: list[tuple[str, str, Row | None]] | None = None
        self._acting = threading.local()

    @classmethod
    def create(
        cls,
        path: Path | None = None,
        clock: Clock | None = None,
        seed: int | None = None,
        *,
        class_models: bool = False,
        without: Iterable[str] = (),
        sources: Iterable[str] = ("UniFi",),
    ) -> Instance:
        """In memory, or kept in the SQLite file ``path``: an existing file is opened as it was left, options and all.

        ``sources`` are the discovery sources somebody has registered; ``seed`` makes sys_ids repeat from one fresh
        instance to the next.
        """
        file = RowFile(path) if path else None
        meta = file.meta() if file else {}
        shape: dict[str, Any] = {"class_models": class_models, "without": sorted(without)}
        if "shape" in meta:
            shape = json.loads(meta["shape"])
        removed = frozenset(shape["without"])
        dictionary = load_dictionary(class_models=bool(shape["class_models"]), without=removed)
        token = meta.get("seed") or (secrets.token_hex(8) if seed is None else str(seed))
        instance = cls(dictionary, clock or SystemClock(), token, file)
        if file and "shape" in meta:
            instance._load(file, meta)
        else:
            instance._install(sources)
            instance.flush()
            # Written last: a file without it is one whose first filling was cut short, and is filled again.
            if file:
                file.save((), {"shape": json.dumps(shape), "seed": token})
        return instance

    @contextlib.contextmanager
    def acting_as(self, user_name: str) -> Iterator[None]:
        """Writes of this thread are by this user; otherwise by ``system``."""
        before = self.user
        self._acting.name = user_name
        try:
            yield
        finally:
            self._acting.name = before

    @property
    def user(self) -> str:
        return str(getattr(self._acting, "name", "system"))

    @contextlib.contextmanager
    def transaction(self, *, keep: bool = True) -> Iterator[None]:
        """Under the lock; undone if it raises, or always with ``keep=False`` (a dry run). May be nested."""
        with self.lock:
            outer, journal = self._undo, list[tuple[str, str, Row | None]]()
            self._undo = journal
            done = False
            try:
                yield
                done = keep
            finally:
                self._undo = None
                if not done:
                    for root, sys_id, before in reversed(journal):
                        self._store(root, sys_id, before)
                elif outer is not None:
                    outer.extend(journal)
                self._undo = outer

    def insert(self, table: str, values: Mapping[str, object]) -> Row:
        """A new record, of the class ``values["sys_class_name"]`` names if that extends ``table``.

        Unknown fields and unknown choice values are dropped, over-long text is cut. UniqueViolation; TableMissing.
        """
        with self.lock:
            name = self._class_for(table, to_text(values.get("sys_class_name")))
            row = {**self._defaults(name, values), **self._accepted(name, values)}
            derive(name, row, self.name_of)
            sys_id = to_text(values.get("sys_id")) or self.new_sys_id()
            self._check_unique(name, sys_id, row)
            class_name = name if "sys_class_name" in self.fields(name) else ""
            row.update(birth(sys_id, self.now(), self.user, class_name))
            stored = Row((element, value) for element, value in row.items() if value)
            self._store(self.dictionary.root(name), sys_id, stored)
            return stored

    def update(self, table: str, sys_id: str, values: Mapping[str, object]) -> Row:
        """Change these fields, keep the others; ``sys_mod_count`` moves only if something changed. RecordMissing."""
        with self.lock:
            before = self._existing(table, sys_id)
            name = self.class_of(table, before)
            wanted = to_text(values.get("sys_class_name"))
            if wanted and wanted != name and wanted in self.tables:
                before, name = self.change_class(table, sys_id, wanted), wanted
            after = {**before, **self._accepted(name, values)}
            derive(name, after, self.name_of)
            return self._replace(name, sys_id, before, after)

    def change_class(self, table: str, sys_id: str, new_class: str) -> Row:
        """Reclassify: fields the new class lacks are lost. RecordMissing; TableMissing for an unrelated class."""
        with self.lock:
            before = self._existing(table, sys_id)
            root = self.dictionary.root(table)
            if not self.dictionary.is_a(new_class, root):
                raise TableMissing(new_class)
            fields = self.fields(new_class)
            after = {element: value for element, value in before.items() if element in fields}
            after["sys_class_name"] = new_class
            return self._replace(new_class, sys_id, before, after)

    def delete(self, table: str, sys_id: str) -> bool:
        """Remove the record, and a CI's relations with it; False when there was none."""
        with self.lock:
            if self.get(table, sys_id) is None:
                return False
            root = self.dictionary.root(table)
            self._store(root, sys_id, None)
            if root == "cmdb":
                for link in [*self.find("cmdb_rel_ci", parent=sys_id), *self.find("cmdb_rel_ci", child=sys_id)]:
                    self._store("cmdb_rel_ci", link["sys_id"], None)
            return True

    def put_back(self, root: str, sys_id: str, row: Mapping[str, str]) -> None:
        """Store this row as it is: no rule runs, and nobody has updated it."""
        with self.lock:
            self._store(root, sys_id, Row(row))

    def set_property(self, name: str, value: str) -> None:
        """Change a system property, or add it."""
        with self.lock:
            found = self.find("sys_properties", name=name)
            if found:
                self.update("sys_properties", found[0]["sys_id"], {"value": value})
            else:
                self.insert("sys_properties", {"name": name, "value": value})

    def new_sys_id(self) -> str:
        number = self._next("sys_id")
        return hashlib.blake2b(f"{self._seed}:{number}".encode(), digest_size=16).hexdigest()

    def flush(self) -> None:
        """Write what changed to the file, in one transaction; nothing to do without a file."""
        with self.lock:
            if self._file and self._dirty:
                changes = ((root, sys_id, self._trees[root].rows.get(sys_id)) for root, sys_id in self._dirty)
                self._file.save(changes, {"counters": json.dumps(self._counters)})
            self._dirty.clear()

    def close(self) -> None:
        self.flush()
        if self._file:
            self._file.close()

    def _load(self, file: RowFile, meta: Mapping[str, str]) -> None:
        self._counters = json.loads(meta["counters"])
        for root, sys_id, row in file.rows():
            if root in self._trees:
                self._trees[root].put(sys_id, row)

    def _install(self, sources: Iterable[str]) -> None:
        for table, values in shipped_rows(self.dictionary, sources):
            self.insert(table, values)

    def _existing(self, table: str, sys_id: str) -> Row:
        row = self.get(table, sys_id)
        if row is None:
            raise RecordMissing(f"{table}/{sys_id}")
        return row

    def _class_for(self, table: str, wanted: str) -> str:
        if table not in self.tables:
            raise TableMissing(table)
        return wanted if wanted in self.tables and self.dictionary.is_a(wanted, table) else table

    def _accepted(self, table: str, values: Mapping[str, object]) -> dict[str, str]:
        free = self.system_property("glide.rest.choice.allow_non_existing_value") == "true"
        return accepted(self.fields(table), values, None if free else self.choices)

    def _defaults(self, table: str, sent: Mapping[str, object]) -> dict[str, str]:
        user = self.find("sys_user", user_name=self.user)
        first = first_values(table, self.now(), user[0]["sys_id"] if user else "", self._incident_number)
        return defaults(self.fields(table), first, sent)

    def _incident_number(self) -> str:
        return f"INC{10000 + self._next('incident'):07d}"

    def _next(self, counter: str) -> int:
        self._counters[counter] = self._counters.get(counter, 0) + 1
        return self._counters[counter]

    def _check_unique(self, table: str, sys_id: str, row: Mapping[str, str]) -> None:
        taken = sys_id in self.tree(table).rows
        for element, definition in self.fields(table).items():
            if definition.unique and row.get(element):
                taken = taken or bool(self.find(table, **{element: row[element]}))
        if taken:
            raise UniqueViolation(table, self.display(table, row))

    def _replace(self, table: str, sys_id: str, before: Row, after: Mapping[str, str]) -> Row:
        row = Row((element, value) for element, value in after.items() if value)
        if row == before:
            return before
        row["sys_updated_on"] = self.now()
        row["sys_updated_by"] = self.user
        row["sys_mod_count"] = str(int(before["sys_mod_count"] or 0) + 1)
        self._store(self.dictionary.root(table), sys_id, row)
        return row

    def _store(self, root: str, sys_id: str, row: Row | None) -> None:
        before = self._trees[root].put(sys_id, row)
        self._dirty[(root, sys_id)] = None
        if self._undo is not None:
            self._undo.append((root, sys_id, before))
        if root == "sys_choice":
            self._choices = None
