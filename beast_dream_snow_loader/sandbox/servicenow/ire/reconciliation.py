"""Who may write what: static reconciliation rules, data source rules, required fields. Rows of the instance, but for
the required fields of the options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from beast_dream_snow_loader.sandbox.servicenow.ire import issues
from beast_dream_snow_loader.sandbox.servicenow.ire.issues import ItemRefused
from beast_dream_snow_loader.sandbox.servicenow.ire.options import IreOptions
from beast_dream_snow_loader.sandbox.servicenow.ire.properties import Properties
from beast_dream_snow_loader.sandbox.servicenow.records import Instance
from beast_dream_snow_loader.sandbox.servicenow.storage import Row
from beast_dream_snow_loader.sandbox.servicenow.values import to_text

_LOWEST = 10**9


class Reconciliation:
    """The rules for one data source, read once per payload."""

    def __init__(self, instance: Instance, options: IreOptions, properties: Properties, data_source: str) -> None:
        self._instance = instance
        self._options = options
        self._properties = properties
        self._source = data_source
        self._rules = [row for row in instance.rows("cmdb_reconciliation_definition") if row["active"] != "false"]
        self._blocks = [row for row in instance.rows("cmdb_ire_data_source_rule") if row["active"] != "false"]

    def masked(self, row: Row, class_name: str, values: Mapping[str, str]) -> list[str]:
        """Which of these changed values another source's better rule keeps out of this existing CI."""
        if not self._rules:
            return []
        return sorted(
            name for name, value in values.items() if value != row[name] and self._kept(row, class_name, name)
        )

    def check_insert(self, class_name: str, values: Mapping[str, object]) -> None:
        """ItemRefused when this source may not create such a CI, or the CI lacks a field it must have."""
        for block in self._blocks:
            if block["data_source"] == self._source and self._instance.dictionary.is_a(class_name, block["cmdb_class"]):
                raise ItemRefused(issues.insert_blocked(class_name, self._source))
        missing = [name for name in self._required(class_name) if not to_text(values.get(name))]
        if missing:
            raise ItemRefused(*(issues.required_field_empty(class_name, name) for name in missing))

    def _kept(self, row: Row, class_name: str, element: str) -> bool:
        if not row[element] and self._properties.override_null:
            return False
        rules = list(self._applying(class_name, element))
        own = min(
            (int(rule["priority"] or 100) for rule in rules if rule["data_source"] == self._source), default=_LOWEST
        )
        better = [rule for rule in rules if int(rule["priority"] or 100) < own and rule["data_source"] != self._source]
        return any(self._options.masks_unreported or self._has_reported(rule["data_source"], row) for rule in better)

    def _applying(self, class_name: str, element: str) -> Iterator[Row]:
        """Rules that name the attribute beat those for the whole class."""
        here = [rule for rule in self._rules if self._instance.dictionary.is_a(class_name, rule["applies_to"])]
        named = [rule for rule in here if element in _names(rule["attributes"])]
        return iter(named or [rule for rule in here if not _names(rule["attributes"])])

    def _has_reported(self, source: str, row: Row) -> bool:
        return bool(self._instance.find("sys_object_source", target_sys_id=row["sys_id"], name=source))

    def _required(self, class_name: str) -> list[str]:
        if not self._properties.required_attributes:
            return []
        fields = self._instance.fields(class_name)
        wanted = [name for name, found in fields.items() if found.mandatory]
        for name in (class_name, *self._instance.ancestors(class_name)):
            wanted.extend(self._options.required_fields.get(name, ()))
        return list(dict.fromkeys(wanted))


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
