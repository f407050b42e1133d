"""The instance's tables, read: one row per record, seen through its own table and every table above."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping

from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.sandbox.servicenow.dictionary import Dictionary, FieldDefinition, TableDefinition
from beast_dream_snow_loader.sandbox.servicenow.storage import Row, TableTree
from beast_dream_snow_loader.sandbox.servicenow.values import DATE_TIME_FORMAT

_INDEXED = frozenset(
    {"name", "serial_number", "correlation_id", "mac_address", "ip_address", "discovery_source", "id", "number"}
    | {"target_sys_id", "element", "value", "user_name", "model_number", "configuration_item", "asset_tag"}
)


class TableMissing(LookupError):
    """No such table on this instance."""


class Tables:
    """All tables, to be read. Take ``lock`` around everything that must be seen together."""

    def __init__(self, dictionary: Dictionary, clock: Clock) -> None:
        self.dictionary = dictionary
        self.clock = clock
        self.lock = threading.RLock()
        self._trees = {root: self._tree(root) for root, table in dictionary.tables.items() if not table.parent}
        self._choices: dict[tuple[str, str], dict[str, str]] | None = None

    def redefine(self, dictionary: Dictionary) -> None:
        """Other tables and fields over the same rows; tables that are new are empty."""
        with self.lock:
            self.dictionary = dictionary
            roots = [name for name, table in dictionary.tables.items() if not table.parent and name not in self._trees]
            self._trees.update({root: self._tree(root) for root in roots})

    @property
    def tables(self) -> Mapping[str, TableDefinition]:
        return self.dictionary.tables

    def ancestors(self, table: str) -> tuple[str, ...]:
        return self.dictionary.ancestors(table)

    def descendants(self, table: str) -> tuple[str, ...]:
        return self.dictionary.descendants(table)

    def fields(self, table: str) -> Mapping[str, FieldDefinition]:
        return self.dictionary.fields(table)

    def get(self, table: str, sys_id: str) -> Row | None:
        """The record if it is of this table or of one that extends it."""
        row = self.tree(table).rows.get(sys_id)
        return row if row is not None and self._belongs(table, row) else None

    def find(self, table: str, **equals: str) -> list[Row]:
        """Records whose fields equal these values, compared without case; one of them should be an indexed field."""
        with self.lock:
            found = (self.get(table, sys_id) for sys_id in self._candidates(table, equals))
            wanted = [(element, value.casefold()) for element, value in equals.items()]
            return [
                row for row in found if row is not None and all(row[name].casefold() == value for name, value in wanted)
            ]

    def rows(self, table: str) -> Iterator[Row]:
        """Every record of the table and of those that extend it."""
        tree = self.tree(table)
        return (tree.rows[sys_id] for sys_id in list(tree.of_classes(self.lineage(table))))

    def count(self, table: str) -> int:
        return self.tree(table).count(self.lineage(table))

    def lineage(self, table: str) -> tuple[str, ...]:
        """The table and every one below."""
        return (table, *self.dictionary.descendants(table))

    def tree(self, table: str) -> TableTree:
        if table not in self.dictionary.tables:
            raise TableMissing(table)
        return self._trees[self.dictionary.root(table)]

    @property
    def version(self) -> int:
        """Moves with every change to any record: what was computed before holds while it stands still."""
        return sum(tree.version for tree in self._trees.values())

    def class_of(self, table: str, row: Row) -> str:
        return self.tree(table).class_of(row)

    def display(self, table: str, row: Mapping[str, str]) -> str:
        """How the record shows itself, one reference deep."""
        element = self.dictionary.display_element(table)
        definition = self.fields(table)[element]
        value = row.get(element, "")
        return self.name_of(definition.reference, value) if definition.is_reference else value

    def name_of(self, table: str, sys_id: str) -> str:
        """Display value of a referenced record; ``""`` when it or its table is not there."""
        row = self.get(table, sys_id) if sys_id and table in self.tables else None
        return self.display(self.class_of(table, row), row) if row is not None else ""

    def choices(self, definition: FieldDefinition) -> Mapping[str, str]:
        """Active values of a choice field with their labels, from sys_choice."""
        if self._choices is None:
            self._choices = {}
            for row in self.rows("sys_choice"):
                if row["inactive"] != "true":
                    self._choices.setdefault((row["name"], row["element"]), {})[row["value"]] = row["label"]
        return self._choices.get((definition.table, definition.element), {})

    def system_property(self, name: str, default: str = "") -> str:
        """A row of sys_properties."""
        found = self.find("sys_properties", name=name)
        return found[0]["value"] if found else default

    def now(self) -> str:
        return self.clock.now().strftime(DATE_TIME_FORMAT)

    def _tree(self, root: str) -> TableTree:
        every = {element: found for name in self.lineage(root) for element, found in self.fields(name).items()}
        return TableTree(root, [name for name, found in every.items() if name in _INDEXED or found.type == "reference"])

    def _belongs(self, table: str, row: Row) -> bool:
        return self.dictionary.is_a(self.class_of(table, row), table)

    def _candidates(self, table: str, equals: Mapping[str, str]) -> Collection[str]:
        tree = self.tree(table)
        if "sys_id" in equals:
            return (equals["sys_id"],)
        buckets = [tree.lookup(name, value) for name, value in equals.items() if value and tree.is_indexed(name)]
        return list(min(buckets, key=len) if buckets else tree.of_classes(self.lineage(table)))
