"""Source values to wire text: each field rule's transform, empty results left out (cmdb-model 6.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from beast_dream_snow_loader.core import normalize
from beast_dream_snow_loader.core.identity import RecordType
from beast_dream_snow_loader.core.mapping_rules import MappingRules

Sources = Mapping[str, str | None]
"""One record's values by the names in ``mapping_tables.SOURCES``; ``native_key`` is always among them."""

Witness = Callable[[RecordType, str, Sources], None]
"""Hears of every record that is mapped: device or client, kind, and what its values are made from."""

_Step = tuple[str, str, Callable[[str], str | None]]


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


class WireValues:
    """Makes the values of records, under one set of rules; what applies to a kind is worked out once."""

    def __init__(self, rules: MappingRules, witness: Witness | None = None) -> None:
        self._rules = rules
        self._witness = witness
        self._steps: dict[tuple[RecordType, str], tuple[_Step, ...]] = {}

    def of(self, record: RecordType, kind: str, sources: Sources) -> dict[str, str]:
        """ServiceNow element → wire text. No empty text: it would clear the field (cmdb-model 1.3)."""
        if self._witness is not None:
            self._witness(record, kind, sources)
        steps = self._steps.get((record, kind))
        if steps is None:
            steps = self._steps[record, kind] = tuple(self._applicable(record, kind))
        found: dict[str, str] = {}
        for element, source, transform in steps:
            raw = sources.get(source)
            if raw and (value := transform(raw)):
                found[element] = value
        return found

    def _applicable(self, record: RecordType, kind: str) -> Iterator[_Step]:
        for rule in self._rules.fields:
            if not rule.references and rule.applies_to(record, kind):
                yield rule.element, rule.source, TRANSFORMS[rule.transform]
        for element, source in self._rules.extra_fields.items():
            yield element, source, normalize.text
