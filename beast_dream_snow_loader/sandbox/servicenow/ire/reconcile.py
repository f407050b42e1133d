"""Writes one identified item: the CI, what comes along with it, and the mark of its source."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from beast_dream_snow_loader.sandbox.servicenow.dictionary import FieldDefinition
from beast_dream_snow_loader.sandbox.servicenow.ire import issues
from beast_dream_snow_loader.sandbox.servicenow.ire.classes import decide_class
from beast_dream_snow_loader.sandbox.servicenow.ire.identify import Found, source_rows
from beast_dream_snow_loader.sandbox.servicenow.ire.options import IreOptions
from beast_dream_snow_loader.sandbox.servicenow.ire.outcome import ItemOutcome
from beast_dream_snow_loader.sandbox.servicenow.ire.payload import Item, SourceInfo, Wish
from beast_dream_snow_loader.sandbox.servicenow.ire.properties import Properties
from beast_dream_snow_loader.sandbox.servicenow.ire.reconciliation import Reconciliation
from beast_dream_snow_loader.sandbox.servicenow.records import Instance
from beast_dream_snow_loader.sandbox.servicenow.storage import Row
from beast_dream_snow_loader.sandbox.servicenow.values import to_text
from beast_dream_snow_loader.sandbox.servicenow.write_path import ENGINE_FIELDS, accepted

_SET_BY_ENGINE = frozenset({"discovery_source", "first_discovered", "duplicate_of", "sys_domain", "sys_domain_path"})
_SYS_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a payload is written under."""

    wish: Wish
    options: IreOptions
    properties: Properties


class Reconciler:
    """Every refusal comes before the first write of an item."""

    def __init__(self, instance: Instance, setting: Setting) -> None:
        self._instance = instance
        self._setting = setting
        self._source = setting.wish.data_source
        self._rules = Reconciliation(instance, setting.options, setting.properties, self._source)
        self._now = instance.now()

    def apply(self, item: Item, found: Found, outcome: ItemOutcome) -> None:
        """Fills in class, operation and sys_id. ItemRefused."""
        if found.row is None:
            self._insert(item, outcome)
        elif found.stale or item.anchor:
            outcome.operation = "NO_CHANGE"
            outcome.sys_id, outcome.class_name = found.row["sys_id"], self._instance.class_of("cmdb_ci", found.row)
        else:
            self._update(item, found.row, outcome)
        for duplicate in found.duplicates:
            self._instance.update("cmdb_ci", duplicate["sys_id"], {"duplicate_of": outcome.sys_id})

    def mark_source(self, item: Item, outcome: ItemOutcome) -> None:
        """One row of sys_object_source per native key."""
        for source in item.sources:
            self._mark(source, outcome)

    def _insert(self, item: Item, outcome: ItemOutcome) -> None:
        values = self._known(item, item.class_name, outcome)
        self._rules.check_insert(item.class_name, values)
        seen = self._accepted(item.class_name, {"last_discovered": values.get("last_discovered")})["last_discovered"]
        discovered = dict.fromkeys(("first_discovered", "last_discovered"), seen or self._now)
        row = self._instance.insert(item.class_name, {**values, "discovery_source": self._source, **discovered})
        outcome.operation, outcome.sys_id, outcome.class_name = "INSERT", row["sys_id"], item.class_name

    def _update(self, item: Item, row: Row, outcome: ItemOutcome) -> None:
        sys_id, current = row["sys_id"], self._instance.class_of("cmdb_ci", row)
        change = decide_class(self._instance, self._setting.properties, item, current)
        values = self._accepted(change.class_name, self._known(item, change.class_name, outcome))
        changed = {name: value for name, value in values.items() if value != row[name]}
        outcome.masked = self._rules.masked(row, change.class_name, changed)
        for name in outcome.masked:
            del changed[name]
        if changed.get("last_discovered", row["last_discovered"]) < row["last_discovered"]:
            del changed["last_discovered"]
        if change.operation:
            self._instance.change_class("cmdb_ci", sys_id, change.class_name)
        self._instance.update("cmdb_ci", sys_id, {**self._seen(row, values), **changed})
        if change.info:
            outcome.info.append(change.info)
        outcome.operation = change.operation or ("UPDATE" if changed or self._just_made(row) else "NO_CHANGE")
        outcome.sys_id, outcome.class_name = sys_id, change.class_name

    def _seen(self, row: Row, values: Mapping[str, str]) -> dict[str, str]:
        """Written on every pass, changed or not. A time given in the payload, though older, is not moved to now."""
        seen = {"discovery_source": self._source}
        given = "last_discovered" in values or self._setting.wish.skip_updating_source_last_discovered_to_now
        return seen if given else {**seen, "last_discovered": max(self._now, row["last_discovered"])}

    def _just_made(self, row: Row) -> bool:
        return self._setting.options.resend_says_update and row["sys_mod_count"] == "0"

    def _known(self, item: Item, class_name: str, outcome: ItemOutcome) -> dict[str, object]:
        """The values of fields the class has. A reference that is no record is left out, and said where asked for."""
        fields = self._instance.fields(class_name)
        kept: dict[str, object] = {}
        for name, value in item.values.items():
            definition = fields.get(name)
            if definition is None or name in _SET_BY_ENGINE or name in ENGINE_FIELDS:
                continue
            if definition.is_reference and not self._refers(definition, to_text(value)):
                if self._setting.options.reference_warnings:
                    outcome.warnings.append(issues.reference_unknown(name, to_text(value)))
                continue
            stored = self._setting.options.kept(item.fault_key, name, value)
            if stored is not None:
                kept[name] = stored
        return kept

    def _accepted(self, class_name: str, values: Mapping[str, object]) -> dict[str, str]:
        """As the write path will store them: cut, of the column's type, without unknown choices."""
        return accepted(self._instance.fields(class_name), values, self._instance.choices)

    def _refers(self, definition: FieldDefinition, value: str) -> bool:
        """Empty clears. Of tables this sandbox lacks, anything that looks like a sys_id is believed."""
        if not value:
            return True
        if definition.reference not in self._instance.tables:
            return _SYS_ID.fullmatch(value) is not None
        return self._instance.get(definition.reference, value) is not None

    def _mark(self, source: SourceInfo, outcome: ItemOutcome) -> None:
        values = {"target_table": outcome.class_name, "target_sys_id": outcome.sys_id}
        if source.feed:
            values["source_feed"] = source.feed
        if source.recency:
            values |= {"source_recency_timestamp": source.recency, "last_scan": source.recency}
        elif not self._setting.wish.skip_updating_last_scan_to_now:
            values["last_scan"] = self._now
        known = source_rows(self._instance, source)
        if not known:
            self._instance.insert("sys_object_source", {"name": source.name, "id": source.native_key, **values})
        elif any(known[0][name] != value for name, value in values.items()):
            self._instance.update("sys_object_source", known[0]["sys_id"], values)
