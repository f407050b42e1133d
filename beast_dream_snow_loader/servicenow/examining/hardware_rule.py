"""The rule by which hardware is told apart: entries, order, and what somebody changed (cmdb-model 2.3)."""

from __future__ import annotations

from collections.abc import Iterator

from beast_dream_snow_loader.core.checkup import Check, Evidence, fail, ok, unknown, warn
from beast_dream_snow_loader.core.mapping_tables import HARDWARE
from beast_dream_snow_loader.servicenow.apis.meta import IdentificationRule, RuleEntry
from beast_dream_snow_loader.servicenow.examining.instance import Instance

ADAPTERS = "cmdb_ci_network_adapter"
_WHERE = "CI Class Manager, Hardware, Class Info, Identification"
_SHIPPED = (
    ("cmdb_serial_number", frozenset({"serial_number", "serial_number_type"})),
    ("", frozenset({"serial_number"})),
    ("", frozenset({"name"})),
)
_ADAPTER_FORMS = (frozenset({"mac_address", "name"}), frozenset({"ip_address", "mac_address"}))


def hardware_rule(instance: Instance) -> Iterator[Check]:
    """One line on the rule, one on each entry, one on what restricts it."""
    told = instance.classes(lambda book: book.definition(HARDWARE))
    rule = told.rule if told is not None else None
    if rule is None:
        why = "hardware has no identification rule" if told is None or told.rule_told else "the rule is not told"
        yield fail(why, f"Restore the Hardware Rule: {_WHERE}.")
        return
    yield _whole(rule)
    yield from (_entry(entry) for entry in rule.entries)
    yield from _missing(rule)
    yield _inclusion(rule)
    yield _adapter_point(rule)


def _whole(rule: IdentificationRule) -> Check:
    if not rule.active:
        return fail("the rule is not active: the engine takes no hardware", f"Activate it: {_WHERE}.")
    if not rule.independent:
        return fail("the rule is marked dependent", f"Mark it independent again: {_WHERE}.")
    orders = ", ".join(f"{entry.order} {','.join(entry.attributes)}" for entry in rule.entries)
    return ok(f"{rule.name or 'the rule'} of {rule.applies_to}, entries {orders}")


def _entry(entry: RuleEntry) -> Check:
    subject = f"entry {entry.order}"
    what = f"{','.join(entry.attributes)}{f' in {entry.table}' if entry.table else ''}"
    if not entry.active:
        return _inactive(entry, subject, what)
    if not _known(entry):
        fix = f"Look what it is for: {_WHERE}. Devices that agree in {what} become one CI."
        return warn(f"{what}: not an entry that ships", fix, subject)
    if not entry.table and entry.condition:
        fix = f"Remove the condition unless it is meant: CIs outside it are not found and come again. {_WHERE}."
        return warn(f"{what}: restricted to {entry.condition}", fix, subject)
    return ok(f"{what}: active{'; the names of new devices are made unique' if _by_name(entry) else ''}", subject)


def _inactive(entry: RuleEntry, subject: str, what: str) -> Check:
    if _by_name(entry):
        return ok(f"{what}: not active, so nothing is matched by name alone", subject)
    fix = f"Activate it, or accept that a device other sources found by {what} comes a second time: {_WHERE}."
    return warn(f"{what}: not active", fix, subject)


def _missing(rule: IdentificationRule) -> Iterator[Check]:
    """Entries that ship and are gone."""
    there = {(entry.table, frozenset(entry.attributes)) for entry in rule.entries}
    for table, attributes in _SHIPPED:
        if (table, attributes) not in there and attributes != {"name"}:
            what = f"{','.join(sorted(attributes))}{f' in {table}' if table else ''}"
            yield warn(f"the entry {what} is gone", f"Restore it: {_WHERE}.", "entries")
    orders = [entry.order for entry in rule.entries if _known(entry)]
    names = [entry.order for entry in rule.entries if _by_name(entry) and entry.active]
    serials = [entry.order for entry in rule.entries if "serial_number" in entry.attributes and entry.active]
    if names and serials and min(names) < max(serials) and orders:
        fix = f"Put the name entry after those of the serial number: {_WHERE}."
        yield warn("the name is compared before the serial number", fix, "order")


def _inclusion(rule: IdentificationRule) -> Check:
    if rule.inclusion:
        fix = f"Remove it unless it is meant: CIs outside it are not found and come a second time. {_WHERE}."
        return warn(f"an inclusion rule restricts it: {rule.inclusion}", fix, "inclusion rule")
    return unknown(
        "CMDB Meta tells of none, and not every release would", f"See that there is none: {_WHERE}.", "inclusion rule"
    )


def _adapter_point(rule: IdentificationRule) -> Check:
    entry = next((one for one in rule.entries if one.table == ADAPTERS), None)
    if entry is None:
        said = Evidence(point=1, holds=False, says="there is no adapter entry")
        return warn("no entry compares network adapters", f"Restore it: {_WHERE}.", "adapter entry", said)
    what = ",".join(entry.attributes)
    holds = frozenset(entry.attributes) <= {"ip_address", "mac_address", "name"}
    said = Evidence(point=1, holds=holds, says=f"the adapter entry compares {what}")
    if holds:
        return ok(f"compares {what}, all of which are sent", "adapter entry", said)
    fix = f"Devices are not matched by adapter here; restore the shipped entry: {_WHERE}."
    return warn(f"compares {what}, not all of which are sent", fix, "adapter entry", said)


def _known(entry: RuleEntry) -> bool:
    attributes = frozenset(entry.attributes)
    return (entry.table, attributes) in _SHIPPED or (entry.table == ADAPTERS and attributes in _ADAPTER_FORMS)


def _by_name(entry: RuleEntry) -> bool:
    return not entry.table and entry.attributes == ("name",)
