"""Who is there, who is missing, who is gone: every CI we know against one read of UniFi (cmdb-model 6.10)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from beast_dream_snow_loader.core import normalize
from beast_dream_snow_loader.core.desired import DesiredState
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.core.known import KnownItem, KnownState
from beast_dream_snow_loader.core.observed import Presence, Snapshot
from beast_dream_snow_loader.core.reads import Looks
from beast_dream_snow_loader.core.scope import Scope
from beast_dream_snow_loader.core.shown import shown


class State(StrEnum):
    """How a CI we know stands towards UniFi."""

    PRESENT = "present"
    OFFLINE = "offline"
    """Listed, not online."""
    MOVED = "moved"
    """Listed at another console or site than before: the same CI."""
    RETURNED = "returned"
    """Listed again after it was retired."""
    MISSING = "missing"
    """Absent from a complete read of its console."""
    GONE = "gone"
    """Missing in enough complete reads and for long enough."""
    RETIRED = "retired"
    """Set to Retired, and still absent."""
    UNREAD = "unread"
    """Absent from a read that did not look for it, or not completely: nothing follows from that."""


HERE = frozenset({State.PRESENT, State.OFFLINE, State.MOVED, State.RETURNED})


@dataclass(frozen=True, slots=True, kw_only=True)
class RetirePolicy:
    """``[retire]`` of the settings. ``allow_percent`` and ``allow_count`` are what one run may retire of any group;
    with ``csdm`` the life-cycle pair says that a CI is gone, in place of its status."""

    enabled: bool = False
    grace: timedelta = timedelta(days=14)
    missing_reads: int = 3
    allow_percent: float = 10.0
    allow_count: int = 5
    csdm: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One CI after one read. ``since`` and ``reads`` are its new counters, ``read_at`` the newest read that was counted
    for it; ``lane`` and ``site`` are where it was seen last, ``before`` where it was until now. ``why`` it is UNREAD is
    empty when nobody asked for it: outside the run's filter, or a client where none are kept."""

    key: SourceKey
    state: State
    lane: str
    site: str
    kind: str = ""
    cloud_only: bool = False
    since: datetime | None = None
    reads: int = 0
    read_at: datetime | None = None
    before: str = ""
    why: str = ""
    new_place: bool = False
    """What the ledger keeps of its place is no longer so."""

    @property
    def here(self) -> bool:
        return self.state in HERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Attendance:
    """Every CI we know, by key, after the read of ``taken_at``."""

    taken_at: datetime
    marks: Mapping[SourceKey, Mark] = field(default_factory=dict)

    def of(self, *states: State) -> tuple[SourceKey, ...]:
        return tuple(sorted(key for key, mark in self.marks.items() if mark.state in states))

    def retired(self, keys: Iterable[SourceKey]) -> Attendance:
        """The same with those who turned out to be retired already."""
        found = {key: replace(self.marks[key], state=State.RETIRED) for key in keys}
        return replace(self, marks={**self.marks, **found})

    def counts(self) -> dict[str, int]:
        counted = Counter(mark.state for mark in self.marks.values())
        return {state.value: counted[state] for state in State}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    lane: str
    site: str
    kind: str = ""
    cloud_only: bool = False
    offline: bool = False


def take_attendance(
    snapshot: Snapshot,
    desired: DesiredState,
    known: KnownState,
    policy: RetirePolicy,
    *,
    scope: Scope,
    clients: bool,
) -> Attendance:
    """Every CI we know against a read made just now; what is only remembered says nothing about today.

    ``desired`` is all that was mapped from ``snapshot``; outside ``scope`` nobody is missed, nor any client unless
    ``clients`` are kept in the CMDB.
    """
    judging = _Judging(
        taken_at=snapshot.taken_at, looks=Looks.of(snapshot), policy=policy, scope=scope, clients=clients
    )
    places = _places(snapshot, desired)
    marks = {}
    for key, item in known.items.items():
        place = places.get(key) or (places.get(SourceKey("device", key.mac)) if key.record == "client" else None)
        marks[key] = judging.seen(item, place) if place is not None else judging.absent(item)
    return Attendance(taken_at=snapshot.taken_at, marks=marks)


def _places(snapshot: Snapshot, desired: DesiredState) -> dict[SourceKey, _Place]:
    """All that UniFi showed now, also what the mapping leaves out: that is no reason to call it gone."""
    found: dict[SourceKey, _Place] = {}
    for client in snapshot.clients:
        if client.as_of is None and (mac := normalize.mac12(client.mac)):
            found[SourceKey("client", mac)] = _Place(lane=client.console, site=client.site or "")
    for device in snapshot.devices:
        if device.as_of is None and (mac := normalize.mac12(device.mac)):
            found[SourceKey("device", mac)] = _Place(
                lane=device.console,
                site=device.site or "",
                cloud_only=device.cloud_only,
                offline=device.presence is Presence.OFFLINE,
            )
    for key, item in desired.items.items():
        if item.stale:
            continue
        found[key] = _Place(
            lane=item.lane, site=item.site or "", kind=item.kind, cloud_only=item.cloud_only, offline=not item.online
        )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judging:
    taken_at: datetime
    looks: Looks
    policy: RetirePolicy
    scope: Scope
    clients: bool

    def seen(self, item: KnownItem, place: _Place) -> Mark:
        moved = _moved(item, place)
        site = place.site or (item.site if place.lane == item.lane else "")
        kind = place.kind or item.kind
        return Mark(
            key=item.key,
            state=_state(item, place, moved=moved),
            lane=place.lane,
            site=site,
            kind=kind,
            cloud_only=place.cloud_only,
            read_at=self.taken_at,
            before=where(item.lane, item.site) if moved else "",
            new_place=(place.lane, site, kind, place.cloud_only) != (item.lane, item.site, item.kind, item.cloud_only),
        )

    def absent(self, item: KnownItem) -> Mark:
        mark = Mark(
            key=item.key,
            state=State.RETIRED,
            lane=item.lane,
            site=item.site,
            kind=item.kind,
            cloud_only=item.cloud_only,
            since=item.missing_since,
            reads=item.missing_reads,
            read_at=item.read_at,
        )
        if item.retired_at is not None:
            return mark
        if not self.scope.covers(item) or (item.key.record == "client" and not self.clients):
            return replace(mark, state=State.UNREAD)
        if why := self.looks.why_not(item):
            return replace(mark, state=State.UNREAD, why=why)
        return self._missed(mark)

    def _missed(self, mark: Mark) -> Mark:
        """No read counts twice for one CI."""
        if mark.read_at is None or self.taken_at > mark.read_at:
            since = mark.since or self.taken_at
            mark = replace(mark, since=since, reads=mark.reads + 1, read_at=self.taken_at)
        since = mark.since or self.taken_at
        gone = mark.reads >= self.policy.missing_reads and self.taken_at - since >= self.policy.grace
        return replace(mark, state=State.GONE if gone and mark.reads else State.MISSING)


def _state(item: KnownItem, place: _Place, *, moved: bool) -> State:
    if item.retired_at is not None:
        return State.RETURNED
    if moved:
        return State.MOVED
    return State.OFFLINE if place.offline else State.PRESENT


def _moved(item: KnownItem, place: _Place) -> bool:
    """A place that was or is not told is no other place; nor is a console whose MAC is known only sometimes."""
    if item.lane != place.lane:
        return bool(item.lane) and (":" in item.lane) == (":" in place.lane)
    return bool(item.site and place.site and item.site != place.site)


def where(lane: str, site: str) -> str:
    """A place for people."""
    return f"console {shown(lane, 60)}{f', site {shown(site, 60)}' if site else ''}"
