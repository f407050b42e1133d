"""Whether a known CI should change its class: up from the base class, down to a child class, or not at all.

The engine lets a CI move to a child class; a move to another branch is never made (cmdb-model 2.4, 6.2).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from beast_dream_snow_loader.core.changes import FieldChange
from beast_dream_snow_loader.core.desired import ConfigItem
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.known import KnownItem
from beast_dream_snow_loader.core.mapping_tables import BASE_CLASS

CLASS_ELEMENT = "sys_class_name"
"""Where a plan shows a class change. It is never sent as a field: the item's class says it."""


def moves_up(item: ConfigItem, known: KnownItem) -> bool:
    """True for a CI of the base class for which the instance now has a class: the engine takes it over, unasked."""
    return known.class_name == BASE_CLASS and item.class_name != BASE_CLASS


@dataclass(slots=True, kw_only=True)
class ClassMoves:
    """One pass over all items. ``ancestors`` as in :class:`DesiredState`; ``allowed``: upgrades were asked for."""

    ancestors: Mapping[str, tuple[str, ...]]
    allowed: bool = False
    _available: Counter[tuple[str, str]] = field(default_factory=Counter)

    def of(self, item: ConfigItem, known: KnownItem) -> FieldChange | None:
        """The class change to make with this record; None when the CI keeps its class."""
        old, new = known.class_name, item.class_name
        if moves_up(item, known):
            return FieldChange(element=CLASS_ELEMENT, old=old, new=new, reason="the class is there now")
        if not self._is_upgrade(item, known):
            return None
        if self.allowed:
            return FieldChange(element=CLASS_ELEMENT, old=old, new=new, reason="class upgrade")
        self._available[(old, new)] += 1
        return None

    def kept(self, item: ConfigItem, known: KnownItem) -> Finding | None:
        """What to say of a CI about to be written that stays in a class the mapping would not choose."""
        same = known.class_name in ("", BASE_CLASS, item.class_name) or item.class_name == BASE_CLASS
        if same or self._is_upgrade(item, known):
            return None
        message = f"It is a {known.class_name} in the CMDB and stays one; the mapping says {item.class_name}."
        return Finding(record=str(item.key), rule="class.kept", severity=Severity.INFO, message=message)

    def findings(self) -> Iterator[Finding]:
        """One for each pair of classes between which CIs could move."""
        for (old, new), count in sorted(self._available.items()):
            message = (
                f"{count} CIs of class {old} could be {new}, which this instance has. Nothing is moved unasked: "
                "run `snowload load --allow-upgrade`, with --dry-run first to see them."
            )
            yield Finding(
                record="instance",
                rule="class.upgrade_available",
                severity=Severity.INFO,
                message=message,
                field=CLASS_ELEMENT,
                value=new,
            )

    def _is_upgrade(self, item: ConfigItem, known: KnownItem) -> bool:
        """Only a CI that we made is moved: what was there before us belongs to somebody (cmdb-model 6.9)."""
        above = self.ancestors.get(item.class_name, ())
        return known.created_by_us and known.class_name != BASE_CLASS and known.class_name in above
