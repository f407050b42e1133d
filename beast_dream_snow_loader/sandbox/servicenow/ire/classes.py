"""Reclassification: what happens when an item's class is not the class of the CI it turned out to be."""

from __future__ import annotations

from dataclasses import dataclass

from beast_dream_snow_loader.sandbox.servicenow.ire import issues
from beast_dream_snow_loader.sandbox.servicenow.ire.issues import ItemRefused
from beast_dream_snow_loader.sandbox.servicenow.ire.outcome import Info
from beast_dream_snow_loader.sandbox.servicenow.ire.payload import Item
from beast_dream_snow_loader.sandbox.servicenow.ire.properties import Properties
from beast_dream_snow_loader.sandbox.servicenow.records import Instance


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassChange:
    """``class_name`` is the class the CI ends in; ``operation`` is empty when it keeps its own."""

    class_name: str
    operation: str = ""
    info: Info | None = None


def decide_class(instance: Instance, properties: Properties, item: Item, current: str) -> ClassChange:
    """ItemRefused where the instance allows no such change at all."""
    wanted = item.class_name
    if wanted == current:
        return ClassChange(class_name=current)
    change = _kind(instance, current, wanted)
    if f"updateWithout{change.capitalize()}" in item.settings or properties.without[change]:
        message = f"CI update from class: [{current}] to [{wanted}] was made without class {change}"
        return ClassChange(class_name=current, info=Info(code=f"SKIPPED_CLASS_{change.upper()}", message=message))
    rule = _restriction(instance, properties, item, current)
    if rule:
        told = issues.reclassification_refused(current, wanted).message
        message = f"{told} by a reclassification restriction rule"
        info = Info(code=f"SKIPPED_CLASS_{change.upper()}", message=message, rule_sys_id=rule)
        return ClassChange(class_name=current, info=info)
    if not properties.allowed[change]:
        raise ItemRefused(issues.reclassification_refused(current, wanted))
    return ClassChange(class_name=wanted, operation=f"UPDATE_WITH_{change.upper()}")


def _kind(instance: Instance, current: str, wanted: str) -> str:
    if instance.dictionary.is_a(wanted, current):
        return "upgrade"
    return "downgrade" if instance.dictionary.is_a(current, wanted) else "switch"


def _restriction(instance: Instance, properties: Properties, item: Item, current: str) -> str:
    """sys_id of the rule that forbids it; empty when none does."""
    if not properties.restriction_rules or "skipReclassificationRestrictionRules" in item.settings:
        return ""
    is_a = instance.dictionary.is_a
    for rule in instance.rows("cmdb_reclassification_restriction"):
        fits = is_a(current, rule["from_class"]) and is_a(item.class_name, rule["to_class"])
        if fits and rule["active"] != "false":
            return rule["sys_id"]
    return ""
