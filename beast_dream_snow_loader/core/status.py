"""The two status fields of a CI: when they follow UniFi, and when they are a person's (cmdb-model 1.4, 6.10)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from beast_dream_snow_loader.core.changes import FieldChange
from beast_dream_snow_loader.core.desired import ConfigItem
from beast_dream_snow_loader.core.known import KnownItem
from beast_dream_snow_loader.core.mapping_rules import MappingRules
from beast_dream_snow_loader.core.mapping_tables import IN_SERVICE, LABELS, OUT_OF_SERVICE, RETIRED
from beast_dream_snow_loader.core.normalize import parse_cmdb_time

STATUS = tuple(LABELS)
"""The elements: install status and operational status. Either both are written or, for gear offline, the second."""

OPERATIONAL = "operational_status"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statuses:
    """``choices`` are the instance's values by ``<element>.<label>``; ``offline_days`` 0: that sets none."""

    choices: Mapping[str, str] = field(default_factory=dict)
    offline_days: int = 0

    @classmethod
    def of(cls, choices: Mapping[str, str], rules: MappingRules) -> Statuses:
        return cls(choices=choices, offline_days=rules.offline_nonoperational_days)

    def values(self, labels: Mapping[str, str]) -> dict[str, str]:
        """What the instance stores for these labels, by element."""
        return {element: self._value(element, label) for element, label in labels.items()}

    def _value(self, element: str, label: str) -> str:
        return self.choices.get(f"{element}.{label}") or LABELS[element][label]

    def in_question(self, item: ConfigItem, known: KnownItem, now: datetime) -> bool:
        """Whether the status of a CI that is there may have to be set, once what the CMDB holds of it was read."""
        if known.retired_at is not None:
            return True
        return known.created_by_us and self._turned(item, known, now) is not None

    def changes(self, item: ConfigItem, known: KnownItem, now: datetime) -> tuple[FieldChange, ...]:
        """What to set. Nothing unless the CMDB still holds what we wrote: nothing is decided without having looked."""
        if known.stored is None or not self.in_question(item, known, now) or not ours_still(known):
            return ()
        if known.retired_at is not None:
            back = written_status(known) == self.values(RETIRED)
            return self._set(known, self.values(IN_SERVICE), "returned") if back else ()
        turned = self._turned(item, known, now)
        reason = "online again" if item.online else f"offline for {self.offline_days} days"
        return self._set(known, {OPERATIONAL: turned} if turned else {}, reason)

    def _turned(self, item: ConfigItem, known: KnownItem, now: datetime) -> str | None:
        """The operational status that gear gets for being offline that long, or for being back; None: as it is."""
        held = known.written.get(OPERATIONAL)
        works, fails = self.values(IN_SERVICE)[OPERATIONAL], self.values(OUT_OF_SERVICE)[OPERATIONAL]
        if item.online:
            return works if held == fails else None
        since = item.seen_at or parse_cmdb_time(known.written.get("last_discovered", ""))
        long = self.offline_days > 0 and since is not None and now - since >= timedelta(days=self.offline_days)
        return fails if long and held == works else None

    @staticmethod
    def _set(known: KnownItem, wanted: Mapping[str, str], reason: str) -> tuple[FieldChange, ...]:
        held = known.stored or {}
        return tuple(
            FieldChange(element=element, old=held.get(element) or None, new=value, reason=reason)
            for element, value in wanted.items()
        )


def written_status(known: KnownItem) -> dict[str, str]:
    """What we wrote last."""
    return {element: known.written.get(element, "") for element in STATUS}


def ours_still(known: KnownItem) -> bool:
    """True when the CMDB holds in both fields what we wrote there: nobody has changed them since."""
    stored, written = known.stored or {}, written_status(known)
    return all(written.values()) and all(stored.get(element) == value for element, value in written.items())
