"""How each field of one record came about, or why it is left out (cmdb-model 6.3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from beast_dream_snow_loader.core.desired import ConfigItem
from beast_dream_snow_loader.core.findings import Finding
from beast_dream_snow_loader.core.identity import RecordType
from beast_dream_snow_loader.core.mapping_rules import MappingRules
from beast_dream_snow_loader.core.mapping_tables import FieldRule
from beast_dream_snow_loader.core.values import TRANSFORMS, Sources


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """What is known of a record's mapping. ``sources`` as the mapping used them; ``mapped`` before and ``fitted`` after
    it was cut to the instance, None where that was not reached."""

    record: RecordType
    kind: str
    sources: Sources
    mapped: ConfigItem | None
    fitted: ConfigItem | None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldTrace:
    """``source`` is UniFi's value, ``value`` what goes to the CMDB, empty when the field is left out. ``rule`` names
    the decision, ``why`` says it."""

    element: str
    source_name: str
    source: str
    transform: str
    value: str
    rule: str
    why: str = ""


def trace_fields(traced: Traced, rules: MappingRules) -> Iterator[FieldTrace]:
    """One per field of the mapping, in its order, the extra ones last."""
    for rule in rules.fields:
        yield _field(rule, traced)
    for element, source in rules.extra_fields.items():
        yield _told(element, source, traced.sources.get(source) or "", "text", traced)


def _field(rule: FieldRule, traced: Traced) -> FieldTrace:
    if not rule.applies_to(traced.record, traced.kind):
        why = f"not a field of {traced.kind or traced.record} records"
        return _left_out(rule.element, rule.source, "", rule.transform, "mapping.not_for_kind", why)
    if rule.references:
        wanted = _wanted(rule.element, traced.mapped)
        return _told(rule.element, rule.source, wanted, f"row of {rule.references}", traced)
    return _told(rule.element, rule.source, traced.sources.get(rule.source) or "", rule.transform, traced)


def _told(element: str, name: str, source: str, transform: str, traced: Traced) -> FieldTrace:
    value = traced.fitted.values.get(element, "") if traced.fitted is not None else ""
    if value:
        return FieldTrace(
            element=element, source_name=name, source=source, transform=transform, value=value, rule="mapping.field"
        )
    if not source:
        return _left_out(element, name, "", transform, "mapping.no_source", "UniFi does not tell it, nor do settings")
    made = TRANSFORMS.get(transform)
    if made is not None and not made(source):
        why = f"{transform} makes nothing of it"
        return _left_out(element, name, source, transform, "mapping.unusable", why)
    if traced.fitted is None:
        return _left_out(element, name, source, transform, "mapping.not_fitted", "the instance could not be asked")
    finding = _about(element, traced)
    rule, why = (
        (finding.rule, finding.message) if finding else ("fitting.left_out", "this instance has no place for it")
    )
    return _left_out(element, name, source, transform, rule, why)


def _left_out(element: str, name: str, source: str, transform: str, rule: str, why: str) -> FieldTrace:
    return FieldTrace(
        element=element, source_name=name, source=source, transform=transform, value="", rule=rule, why=why
    )


def _wanted(element: str, mapped: ConfigItem | None) -> str:
    references = mapped.references if mapped is not None else ()
    return next((one.describe or one.sys_id for one in references if one.element == element), "")


def _about(element: str, traced: Traced) -> Finding | None:
    """What is told of the instance as a whole is about this record only if it names the row this record wants."""
    references = traced.mapped.references if traced.mapped is not None else ()
    called = {one.called for one in references if one.element == element}
    about = (finding for finding in traced.findings if finding.field == element)
    return next((finding for finding in about if not called or finding.value in called), None)
