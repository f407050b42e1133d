"""Lookup and related items of a CI: rows of other tables that point at it, each once."""

from __future__ import annotations

from collections.abc import Sequence

from beast_dream_snow_loader.sandbox.servicenow.ire import issues
from beast_dream_snow_loader.sandbox.servicenow.ire.deduplicate import distinct, sub_attributes
from beast_dream_snow_loader.sandbox.servicenow.ire.issues import ItemRefused
from beast_dream_snow_loader.sandbox.servicenow.ire.outcome import SubOutcome
from beast_dream_snow_loader.sandbox.servicenow.ire.payload import Item, SubItem, Wish
from beast_dream_snow_loader.sandbox.servicenow.ire.rules import IdentificationRule
from beast_dream_snow_loader.sandbox.servicenow.records import Instance
from beast_dream_snow_loader.sandbox.servicenow.storage import Row
from beast_dream_snow_loader.sandbox.servicenow.values import to_text
from beast_dream_snow_loader.sandbox.servicenow.write_path import ENGINE_FIELDS


def check_companions(item: Item, rule: IdentificationRule, wish: Wish) -> None:
    """ItemRefused for a class the rule knows nothing of, and for two that are the same."""
    for sub in (*item.lookups, *item.related):
        known = rule.lookup(sub.class_name) if sub.is_lookup else rule.related_rule(sub.class_name)
        if known is None:
            kind = "Lookup" if sub.is_lookup else "Related"
            raise ItemRefused(issues.sub_rule_missing(rule.applies_to, kind, sub.class_name))
    for subs, code in ((item.lookups, "DUPLICATE_LOOKUP_PAYLOAD"), (item.related, "DUPLICATE_RELATED_PAYLOAD")):
        repeated = distinct(subs, rule)[1]
        if repeated and not wish.deduplicate_payloads:
            elements = ",".join(sub_attributes(repeated[0], rule))
            raise ItemRefused(issues.duplicate_sub_items(code, repeated[0].class_name, elements))


class Companions:
    def __init__(self, instance: Instance, data_source: str) -> None:
        self._instance = instance
        self._source = data_source
        self._now = instance.now()

    def store(self, item: Item, rule: IdentificationRule, sys_id: str) -> list[SubOutcome]:
        """Those the CI has already are brought up to date; a repeated one shares the row of the first."""
        return [self._store(sub, rule, sys_id) for sub in (*item.lookups, *item.related)]

    def _store(self, sub: SubItem, rule: IdentificationRule, ci: str) -> SubOutcome:
        known = rule.lookup(sub.class_name) if sub.is_lookup else rule.related_rule(sub.class_name)
        field = known.referenced_field if known else "cmdb_ci"
        values = {name: value for name, value in sub.values.items() if name not in ENGINE_FIELDS and name != field}
        row = self._existing(sub, sub_attributes(sub, rule), field, ci)
        if row is None:
            born = self._discovered() if self._instance.dictionary.is_a(sub.class_name, "cmdb_ci") else {}
            row = self._instance.insert(sub.class_name, {**born, **values, field: ci})
            return SubOutcome(sub=sub, operation="INSERT", sys_id=row["sys_id"])
        changed = any(row[name] != to_text(value) for name, value in values.items())
        after = self._instance.update(sub.class_name, row["sys_id"], values) if changed else row
        return SubOutcome(sub=sub, operation="NO_CHANGE" if after is row else "UPDATE", sys_id=row["sys_id"])

    def _existing(self, sub: SubItem, attributes: Sequence[str], field: str, ci: str) -> Row | None:
        wanted = {name: to_text(sub.values.get(name)).casefold() for name in attributes}
        rows = self._instance.find(sub.class_name, **{field: ci})
        return next((row for row in rows if all(row[name].casefold() == told for name, told in wanted.items())), None)

    def _discovered(self) -> dict[str, str]:
        return {"discovery_source": self._source, "first_discovered": self._now, "last_discovered": self._now}
