"""What is about to be sent, checked field by field (R3.1, R3.3)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from beast_dream_snow_loader.core import normalize
from beast_dream_snow_loader.core.desired import ConfigItem, DesiredState
from beast_dream_snow_loader.core.edge_ends import among
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.identity import SourceKey, parse_sys_id
from beast_dream_snow_loader.core.mapping_rules import DEFAULT_RULES, MappingRules
from beast_dream_snow_loader.core.shown import shown

_COLON_MAC = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}\Z")
_NUMBER = re.compile(r"-?[0-9]{1,9}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How a value must look. ``rule`` is stable; ``expected`` is for people."""

    rule: str
    expected: str
    holds: Callable[[str], bool]


def _is_ip(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


_REFERENCE = Form(rule="reference.form", expected="a sys_id", holds=lambda v: parse_sys_id(v) is not None)
_CHOICE = Form(rule="choice.form", expected="the number of a choice", holds=lambda v: bool(_NUMBER.match(v)))

FORMS: Mapping[str, Form] = {
    "name": Form(rule="text.form", expected="text without control characters", holds=lambda v: normalize.text(v) == v),
    "mac_address": Form(
        rule="mac.form", expected="a MAC such as 00:00:5e:00:53:02", holds=lambda v: bool(_COLON_MAC.match(v))
    ),
    "ip_address": Form(rule="ip.form", expected="an IP address", holds=_is_ip),
    "serial_number": Form(
        rule="serial.form", expected="a serial number, no placeholder", holds=lambda v: normalize.serial(v) is not None
    ),
    "ports": Form(rule="number.form", expected="a whole number above 0", holds=lambda v: v.isdecimal() and int(v) > 0),
    "install_status": _CHOICE,
    "operational_status": _CHOICE,
    "last_discovered": Form(
        rule="time.form", expected="YYYY-MM-DD hh:mm:ss", holds=lambda v: normalize.parse_cmdb_time(v) is not None
    ),
}


def check(desired: DesiredState, rules: MappingRules = DEFAULT_RULES) -> tuple[Finding, ...]:
    """One finding per field that is missing, of another form, too long or not ours to write. Run it after fitting."""
    return tuple(finding for item in desired.items.values() for finding in _check_item(item, rules))


def accepted(desired: DesiredState, findings: Iterable[Finding]) -> DesiredState:
    """Without the records that have an error finding; their edges become orphans."""
    refused = {finding.record for finding in findings if finding.severity is Severity.ERROR}
    items = {key: item for key, item in desired.items.items() if str(key) not in refused} if refused else desired.items
    return among(desired, items)


def _check_item(item: ConfigItem, rules: MappingRules) -> Iterator[Finding]:
    if not item.class_name:
        yield _wrong(item.key, "class.none", "", "", "it has no class of this instance")
    for rule in rules.fields:
        value = item.values.get(rule.element, "")
        if not value:
            if rule.required and rule.applies_to(item.key.record, item.kind) and rule.transform != "label":
                yield _wrong(
                    item.key, "field.required", rule.element, "", f"{rule.element} is required and has no value"
                )
            continue
        form = _REFERENCE if rule.references else FORMS.get(rule.element)
        if form is not None and not form.holds(value):
            yield _wrong(item.key, form.rule, rule.element, value, f"{rule.element} should be {form.expected}")
        yield from _length(item.key, rule.element, value, rule.max_length)
    for element in item.values:
        if rules.protects(element):
            yield _wrong(item.key, "field.protected", element, "", f"{element} belongs to people, it is never written")
    if (given := item.values.get("correlation_id")) is not None and given != str(item.key):
        yield _wrong(item.key, "key.form", "correlation_id", given, f"correlation_id should be {item.key}")


def _length(key: SourceKey, element: str, value: str, believed: int) -> Iterator[Finding]:
    # Fitting has cut to what the instance told; longer than its dictionary's usual length is only worth a word.
    if len(value) > max(believed, 1000):
        message = f"{element} is {len(value)} characters long"
        yield _wrong(key, "field.too_long", element, value, message)


def _wrong(key: SourceKey, rule: str, element: str, value: str, message: str) -> Finding:
    return Finding(
        record=str(key),
        rule=rule,
        severity=Severity.ERROR,
        message=f"{message}. Left out.",
        field=element,
        value=shown(value, 60),
    )
