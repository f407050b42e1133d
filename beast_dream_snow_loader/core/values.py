"""Source values to wire text: each field rule's transform, empty results left out (cmdb-model 6.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from beast_dream_snow_loader.core import normalize
from beast_dream_snow_loader.core.identity import RecordType
from beast_dream_snow_loader.core.mapping_rules import MappingRules

Sources = Mapping[str, str | None]
"""One record's values by the names in ``mapping_tables.SOURCES``."""


def _count(value: str) -> str | None:
    return value if value.isdecimal() and int(value) > 0 else None


TRANSFORMS: Mapping[str, Callable[[str], str | None]] = {
    "text": normalize.text,
    "serial": str.upper,
    "mac": normalize.colon_mac,
    "ip": normalize.ip,
    "version": normalize.version3,
    "count": _count,
    "label": str,
}
"""``label`` values become numbers in core/fitting.py, when the instance's choices are known."""


def wire_values(record: RecordType, kind: str, sources: Sources, rules: MappingRules) -> dict[str, str]:
    """ServiceNow element → wire text. No empty text: it would clear the field (cmdb-model 1.3)."""
    found: dict[str, str] = {}
    for rule in rules.fields:
        raw = sources.get(rule.source)
        if raw and rule.applies_to(record, kind) and (value := TRANSFORMS[rule.transform](raw)):
            found[rule.element] = value
    for element, source in rules.extra_fields.items():
        if value := normalize.text(sources.get(source)):
            found[element] = value
    return found
