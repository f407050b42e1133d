"""What is to be done: one frozen value per change, a plan of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from beast_dream_snow_loader.core.desired import ConfigItem, Relation
from beast_dream_snow_loader.core.findings import Finding
from beast_dream_snow_loader.core.identity import SourceKey, SysId
from beast_dream_snow_loader.core.known import Held, KnownItem, KnownRelation


class ChangeType(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    HEARTBEAT = "heartbeat"
    """Nothing changed; ``last_discovered`` is refreshed so that long-stable gear does not look dead."""
    RETIRE = "retire"
    """It is gone from UniFi: both status fields say Retired, nothing else is touched (cmdb-model 6.10)."""
    RESTORE = "restore"
    """Fields go back to what they held before a run; an empty value empties the field."""
    DELETE = "delete"
    """A CI that a run made is removed again; only a rollback does, and only when told to."""
    LINK = "link"
    UNLINK = "unlink"


UPDATING = (ChangeType.UPDATE, ChangeType.RESTORE)
"""What gives other values to a CI that is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    element: str
    old: str | None
    new: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemChange:
    """Create, update or refresh one CI. ``send`` are the values that go on the wire, ``fields`` the difference for
    people. ``send_serial`` False: their serial stays, the native key carries on (cmdb-model 2.4)."""

    type: ChangeType
    item: ConfigItem
    send: Mapping[str, str]
    fields: tuple[FieldChange, ...] = ()
    known: KnownItem | None = None
    send_serial: bool = True
    adapter: bool = False
    """Its management adapter goes along as an item of its own (cmdb-model 2.5)."""

    @property
    def subject(self) -> str:
        return str(self.item.key)

    def anew(self) -> ItemChange:
        """The change with everything we know of the record, as for one the CMDB does not hold."""
        return replace(self, send={**self.item.values, **self.send}, known=None, send_serial=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkChange:
    """Draw one edge. ``lower_sys_id`` is set when the lower end is somebody else's CI, to which no native key of ours
    leads: a client in the mode ``link`` (cmdb-model 6.4)."""

    relation: Relation
    lower_sys_id: SysId | None = None
    type: ChangeType = ChangeType.LINK
    over: tuple[tuple[str, str], ...] = ()
    """Ends that were named again though another account had written them last: key and account, empty where that was
    not read (core/edited.py)."""

    @property
    def subject(self) -> str:
        return self.relation.key

    @property
    def own_ends(self) -> frozenset[SourceKey]:
        """Those that have a record of ours: a client's CI of somebody else is found by its sys_id."""
        upper = self.relation.upper
        return frozenset({upper} if self.lower_sys_id is not None else {self.relation.lower, upper})


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlinkChange:
    """Remove one edge that we drew and that is no longer true (cmdb-model 6.7)."""

    known: KnownRelation
    reason: str
    replaced_by: str = ""
    """Subject of the link that takes its place: until that is drawn, this edge stays."""
    type: ChangeType = ChangeType.UNLINK

    @property
    def subject(self) -> str:
        return self.known.relation_key


Change = ItemChange | LinkChange | UnlinkChange


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """The changes of one console, in the order to write them: an uplink's far end before the device itself.

    One writer per lane; lanes are disjoint in items, so they may run side by side (servicenow-api 5.8)."""

    name: str
    items: tuple[ItemChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """``carriers`` are the known items a link may need to name again in its request, by key.

    ``lanes`` and ``links`` are written first, then ``client_links`` (edges of CIs that are not ours), then all is
    verified; ``unlinks`` and ``retirements`` come last. ``client_orphans`` counts clients without one CI to link.
    """

    lanes: tuple[Lane, ...] = ()
    links: tuple[LinkChange, ...] = ()
    client_links: tuple[LinkChange, ...] = ()
    unlinks: tuple[UnlinkChange, ...] = ()
    retirements: tuple[ItemChange, ...] = ()
    unchanged: int = 0
    client_orphans: int = 0
    held: tuple[Held, ...] = ()
    findings: tuple[Finding, ...] = ()
    noted: tuple[KnownItem, ...] = ()
    """Known items of which more is known now though nothing is written: values kept by hand, names derived anew."""
    unread: frozenset[SourceKey] = frozenset()
    """Known items of others for which UniFi says something new: whether it goes in shows when they are read."""
    watched: tuple[KnownRelation, ...] = ()
    """Edges with what this read showed of them, to be remembered though nothing is written for them yet."""
    carriers: Mapping[SourceKey, ItemChange] = field(default_factory=dict)

    @property
    def items(self) -> tuple[ItemChange, ...]:
        return tuple(change for lane in self.lanes for change in lane.items)

    def unlinks_of(self, keys: Collection[SourceKey]) -> tuple[UnlinkChange, ...]:
        """The edges to remove that have an end among these."""
        return tuple(u for u in self.unlinks if u.known.parent in keys or u.known.child in keys)

    @property
    def unlinks_before_retiring(self) -> tuple[UnlinkChange, ...]:
        """Those that are no longer true whether or not anything is retired."""
        later = set(self.unlinks_of({change.item.key for change in self.retirements}))
        return tuple(unlink for unlink in self.unlinks if unlink not in later)

    @property
    def empty(self) -> bool:
        edges = self.links or self.client_links or self.unlinks
        return not (edges or self.retirements or any(lane.items for lane in self.lanes))
