"""How many records have a value in each field: what CMDB Health calls completeness (cmdb-model 5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from beast_dream_snow_loader.core.desired import ConfigItem
from beast_dream_snow_loader.core.mapping_rules import MappingRules


@dataclass(frozen=True, slots=True, kw_only=True)
class FillRate:
    """``filled`` of the ``records`` to which the mapping of ``element`` applies."""

    element: str
    records: int
    filled: int

    @property
    def percent(self) -> float:
        return round(100 * self.filled / self.records, 1)


def fill_rates(items: Collection[ConfigItem], rules: MappingRules) -> tuple[FillRate, ...]:
    """One per mapped field that applies to any of these records, in the order of the mapping."""
    kinds = Counter((item.key.record, item.kind) for item in items)
    filled = Counter(element for item in items for element in item.values)
    applying = {
        rule.element: sum(count for (record, kind), count in kinds.items() if rule.applies_to(record, kind))
        for rule in rules.fields
    } | dict.fromkeys(rules.extra_fields, len(items))
    return tuple(
        FillRate(element=element, records=records, filled=filled[element])
        for element, records in applying.items()
        if records
    )
