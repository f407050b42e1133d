"""A part of the estate that a run is limited to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from beast_dream_snow_loader.core.changes import ChangeType, Plan
from beast_dream_snow_loader.core.desired import ClientLink, ConfigItem, DesiredState
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.core.kinds import KINDS
from beast_dream_snow_loader.core.known import KnownItem
from beast_dream_snow_loader.core.observed import Snapshot
from beast_dream_snow_loader.core.shown import shown
from beast_dream_snow_loader.errors import BadArgument


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Empty sets mean everything. A site is named by ``console/short name`` or short name, a console by its key; what
    people call them is turned into that by :func:`resolved`."""

    sites: frozenset[str] = frozenset()
    consoles: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    keys: frozenset[SourceKey] = frozenset()

    @property
    def whole(self) -> bool:
        return not (self.sites or self.consoles or self.kinds or self.keys)

    def covers(self, item: ConfigItem | ClientLink | KnownItem) -> bool:
        ends = {item.relation.lower, item.relation.upper} if isinstance(item, ClientLink) else {item.key}
        return (not self.keys or bool(ends & self.keys)) and (
            _named(self.sites, item.site, f"{item.lane}/{item.site}")
            and _named(self.consoles, item.lane)
            and _named(self.kinds, item.kind)
        )


EVERYTHING = Scope()


def _named(wanted: frozenset[str], *names: str | None) -> bool:
    lowered = {name.lower() for name in wanted}
    return not wanted or any(name is not None and name.lower() in lowered for name in names)


def resolved(scope: Scope, snapshot: Snapshot) -> Scope:
    """The scope with display names of sites and consoles turned into keys.

    Raises BadArgument for a site, console or kind that is not there: a misspelt filter must not pass for an
    estate without changes.
    """
    sites = {
        site.key.lower(): {site.key.lower(), site.short_name.lower(), site.name.lower()} for site in snapshot.sites
    }
    consoles = {one.key.lower(): {one.key.lower(), one.name.lower()} for one in snapshot.consoles}
    return Scope(
        sites=_keys("site", scope.sites, sites),
        consoles=_keys("console", scope.consoles, consoles),
        kinds=_keys("kind", scope.kinds, {kind: {kind} for kind in (*KINDS, "client")}),
        keys=scope.keys,
    )


def _keys(what: str, wanted: frozenset[str], known: Mapping[str, set[str]]) -> frozenset[str]:
    found = {name: {key for key, names in known.items() if name.lower() in names} for name in wanted}
    missing = sorted(name for name, keys in found.items() if not keys)
    if missing:
        there = ", ".join(sorted(shown(key, 60) for key in known)[:20]) or "none"
        raise BadArgument(
            f"There is no {what} {', '.join(shown(name, 60) for name in missing)}.", next_step=f"There are: {there}."
        )
    return frozenset().union(*found.values())


def keys_in(scope: Scope, desired: DesiredState) -> frozenset[SourceKey]:
    """The records a run of this scope may write: none that are only remembered (Q18)."""
    return frozenset(key for key, item in desired.items.items() if scope.covers(item) and not item.stale)


def links_in(scope: Scope, desired: DesiredState) -> tuple[ClientLink, ...]:
    """The edges of other people's clients that a run of this scope may draw."""
    return tuple(link for link in desired.client_links if scope.covers(link) and not link.stale)


def decidable(plan: Plan, desired: DesiredState, scope: Scope) -> Plan:
    """The plan without changes to what is out of scope, and without any that only memory asks for (Q18)."""
    stale = {key for key, item in desired.items.items() if item.stale}
    if scope.whole and not stale:
        return plan
    noted = tuple(item for item in plan.noted if item.key not in stale)
    return narrowed(replace(plan, noted=noted), keys_in(scope, desired))


def narrowed(plan: Plan, keys: frozenset[SourceKey]) -> Plan:
    """The plan without changes to records outside ``keys``; an edge stays with its lower end."""
    lanes = tuple(replace(lane, items=tuple(c for c in lane.items if c.item.key in keys)) for lane in plan.lanes)
    created = {change.item.key for change in plan.items if change.type is ChangeType.CREATE}
    dropped = created - keys  # what is there already can be linked to, whatever else it needs
    links = tuple(link for link in plan.links if link.relation.lower in keys and link.relation.upper not in dropped)
    unlinks = tuple(unlink for unlink in plan.unlinks if unlink.known.lower in keys)
    return replace(
        plan, lanes=tuple(lane for lane in lanes if lane.items), links=links, unlinks=unlinks, unread=plan.unread & keys
    )
