"""A part of the estate that a run is limited to."""

from __future__ import annotations

from dataclasses import dataclass, replace

from beast_dream_snow_loader.core.changes import Plan
from beast_dream_snow_loader.core.desired import ConfigItem, DesiredState
from beast_dream_snow_loader.core.identity import SourceKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Empty sets mean everything. A site is named by short name, display name or ``console/short name``."""

    sites: frozenset[str] = frozenset()
    consoles: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()

    @property
    def whole(self) -> bool:
        return not (self.sites or self.consoles or self.kinds)

    def covers(self, item: ConfigItem) -> bool:
        return (
            _named(self.sites, item.site, f"{item.lane}/{item.site}")
            and _named(self.consoles, item.lane)
            and _named(self.kinds, item.kind)
        )


EVERYTHING = Scope()


def _named(wanted: frozenset[str], *names: str | None) -> bool:
    lowered = {name.lower() for name in wanted}
    return not wanted or any(name is not None and name.lower() in lowered for name in names)


def keys_in(scope: Scope, desired: DesiredState) -> frozenset[SourceKey]:
    """The records a run of this scope may write."""
    return frozenset(key for key, item in desired.items.items() if scope.covers(item))


def narrowed(plan: Plan, keys: frozenset[SourceKey]) -> Plan:
    """The plan without changes to records outside ``keys``; an edge stays with its lower end."""
    lanes = tuple(replace(lane, items=tuple(c for c in lane.items if c.item.key in keys)) for lane in plan.lanes)
    dropped = {change.item.key for change in plan.items if change.item.key not in keys}
    links = tuple(link for link in plan.links if link.relation.lower in keys and link.relation.upper not in dropped)
    return replace(plan, lanes=tuple(lane for lane in lanes if lane.items), links=links)
