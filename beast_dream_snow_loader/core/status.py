"""The two status fields of a CI: when they follow UniFi, and when they are a person's (cmdb-model 1.4, 6.10)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from beast_dream_snow_loader.core.changes import FieldChange
from beast_dream_snow_loader.core.desired import ConfigItem
from beast_dream_snow_loader.core.known import KnownItem
from beast_dream_snow_loader.core.mapping_rules import MappingRules
from beast_dream_snow_loader.core.mapping_tables import (
    IN_SERVICE,
    LABELS,
    LIFE_CYCLE_ENDED,
    LIFE_CYCLE_RUNNING,
    OUT_OF_SERVICE,
    RETIRED,
)
from beast_dream_snow_loader.core.normalize import parse_cmdb_time

STATUS = tuple(LABELS)
"""The elements: install status and operational status. Either both are written or, for gear offline, the second."""

LIFE_CYCLE = tuple(LIFE_CYCLE_ENDED)
DECIDED = (*STATUS, *LIFE_CYCLE)
"""What is set for more reasons than what UniFi says of it."""

OPERATIONAL = "operational_status"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statuses:
    """``choices`` are the instance's values by ``<element>.<label>``; ``offline_days`` 0: that sets none. ``csdm``:
    what is gone is told by the life-cycle pair."""

    choices: Mapping[str, str] = field(default_factory=dict)
    offline_days: int = 0
    csdm: bool = False

    @classmethod
    def of(cls, choices: Mapping[str, str], rules: MappingRules, *, csdm: bool = False) -> Statuses:
        return cls(choices=choices, offline_days=rules.offline_nonoperational_days, csdm=csdm)

    def values(self, labels: Mapping[str, str]) -> dict[str, str]:
        """What the instance stores for these labels, by element: all of them, or none where one is not known."""
        told = {element: self._value(element, label) for element, label in labels.items()}
        return told if all(told.values()) else {}

    @property
    def gone(self) -> dict[str, str]:
        """What to set on a CI that is gone; empty where the instance shows no such life-cycle values."""
        return self.values(LIFE_CYCLE_ENDED if self.csdm else RETIRED)

    def ended(self, stored: Mapping[str, str]) -> bool:
        """Whether a CI that holds this says already that it is gone, in the one way or the other."""
        return any(_holds(stored, self.values(labels)) for labels in (LIFE_CYCLE_ENDED, RETIRED))

    def in_other_stage(self, stored: Mapping[str, str]) -> bool:
        """Whether somebody gave it a life-cycle stage other than that of gear at work."""
        running = self.values(LIFE_CYCLE_RUNNING).get("life_cycle_stage", "")
        return self.csdm and stored.get("life_cycle_stage", "") not in ("", running)

    def _value(self, element: str, label: str) -> str:
        """The life cycle has no numbers to believe in: choices on some releases, references on others."""
        return self.choices.get(f"{element}.{label}") or LABELS.get(element, {}).get(label, "")

    def in_question(self, item: ConfigItem, known: KnownItem, now: datetime) -> bool:
        """Whether the status of a CI that is there may have to be set, once what the CMDB holds of it was read."""
        if known.retired_at is not None:
            return True
        return known.created_by_us and self._turned(item, known, now) is not None

    def changes(self, item: ConfigItem, known: KnownItem, now: datetime) -> tuple[FieldChange, ...]:
        """What to set. Nothing unless the CMDB still holds what we wrote: nothing is decided without having looked."""
        if known.stored is None or not self.in_question(item, known, now):
            return ()
        if known.retired_at is not None:
            return self._set(known, self._back(known), "returned")
        if not ours_still(known):
            return ()
        turned = self._turned(item, known, now)
        reason = "online again" if item.online else f"offline for {self.offline_days} days"
        return self._set(known, {OPERATIONAL: turned} if turned else {}, reason)

    def _back(self, known: KnownItem) -> Mapping[str, str]:
        """What to set on a CI that returned: the opposite of what we wrote when it went, while it holds just that."""
        ours = (STATUS, RETIRED, IN_SERVICE), (LIFE_CYCLE, LIFE_CYCLE_ENDED, LIFE_CYCLE_RUNNING)
        for elements, went, came in ours:
            if written(known, elements) == self.values(went) and ours_still(known, elements):
                return self.values(came)
        return {}

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


def written(known: KnownItem, elements: Iterable[str]) -> dict[str, str]:
    """What we wrote last."""
    return {element: known.written.get(element, "") for element in elements}


def ours_still(known: KnownItem, elements: Iterable[str] = STATUS) -> bool:
    """True when the CMDB holds in both fields what we wrote there: nobody has changed them since."""
    ours = written(known, elements)
    return all(ours.values()) and _holds(known.stored or {}, ours)


def decided(send: Mapping[str, str]) -> dict[str, str]:
    """Of what is sent that which says whether the CI is in service."""
    return {element: send[element] for element in DECIDED if element in send}


def _holds(stored: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return bool(wanted) and all(stored.get(element) == value for element, value in wanted.items())
