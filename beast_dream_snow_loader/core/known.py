"""What we believe the CMDB holds: the ledger's memory, and what a look at the instance added."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from beast_dream_snow_loader.core.identity import Fingerprint, SourceKey, SysId
from beast_dream_snow_loader.core.remedies import HELD


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownItem:
    """``written`` holds the values we last wrote; ``stored`` what the CMDB holds now, where it was read.

    ``created_by_us`` False is the cautious side: such a CI is only enriched. ``weak``: matched on little evidence.
    """

    key: SourceKey
    sys_id: SysId
    class_name: str
    created_by_us: bool
    fingerprint: Fingerprint | None = None
    written: Mapping[str, str] = field(default_factory=dict)
    written_at: datetime | None = None
    name_source: str = ""
    """The UniFi name from which the stored name was made: while it stays, the stored name stays."""
    stored: Mapping[str, str] | None = None
    weak: bool = False
    send_serial: bool = True
    """False: the CI keeps its own serial number, the native key carries on (cmdb-model 2.4)."""
    lane: str = ""
    """The console it was last seen on."""
    site: str = ""
    """The site it was last seen at."""
    kind: str = ""
    cloud_only: bool = False
    """As :attr:`Device.cloud_only` when last seen."""
    missing_since: datetime | None = None
    """The first complete read of its console that did not show it; None while it is present."""
    missing_reads: int = 0
    """Complete reads in a row that did not show it."""
    read_at: datetime | None = None
    """The newest read that was counted for it, so that none counts twice."""
    retired_at: datetime | None = None
    """When it was set to Retired, by us or found so by us once it was gone; None again once it has returned."""
    mod_count: int | None = None
    """``sys_mod_count`` when we last wrote or compared it: another one means that somebody else wrote it since."""
    checked_at: datetime | None = None
    """When it was last looked at (core/healing.py)."""
    history: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Values that UniFi gave before, by element, newest last: short memory by which flapping is noticed."""
    overridden: Mapping[str, str] = field(default_factory=dict)
    """Values found in place of ours, by element, that stay because a person gave them (cmdb-model 6.9)."""
    unkept: Mapping[str, str] = field(default_factory=dict)
    """What the CMDB held in place of what we had just written, by element: sent again until it is kept."""
    contested: Mapping[str, int] = field(default_factory=dict)
    """How often in a row we wrote a field again because it had been changed in the CMDB, by element."""
    doubted: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Values of updates without an answer, by element, which the CMDB may hold by now."""
    adapter: bool = False
    """Its management adapter was sent as an item of its own."""
    keyless: bool = False
    """Its native key leads nowhere any more, seen in this run: it is written again with the next sign of life."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRelation:
    """An edge we wrote. ``relation_key`` as :attr:`Relation.key`. ``parent_sys_id`` and ``child_sys_id`` are the CIs it
    was drawn between."""

    relation_key: str
    parent: SourceKey
    child: SourceKey
    type: str
    sys_id: SysId | None = None
    parent_sys_id: SysId | None = None
    child_sys_id: SysId | None = None
    linked_at: datetime | None = None
    ours: bool = True
    """False: it was there when we came to draw it, so it is not ours to remove."""
    moved_to: SourceKey | None = None
    """The other upper end that UniFi shows now, until enough complete reads have confirmed it."""
    moved_reads: int = 0
    """Complete reads in a row that showed ``moved_to``."""
    checked_at: datetime | None = None
    """When it was last looked for in the CMDB."""
    removed: bool = False
    """Its row was removed from the CMDB by others, both ends being there: a hand edit, kept as one."""

    @property
    def start(self) -> str:
        """Role and lower end, which an edge keeps when its upper end moves: ``uplink device/a``."""
        return self.relation_key.partition(" -> ")[0]

    @property
    def lower(self) -> SourceKey:
        return SourceKey.parse(self.start.partition(" ")[2])

    @property
    def lower_sys_id(self) -> SysId | None:
        return self.parent_sys_id if self.parent == self.lower else self.child_sys_id

    @property
    def upper(self) -> SourceKey:
        return SourceKey.parse(self.relation_key.partition(" -> ")[2])


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A relation as the instance holds it, whoever drew it. ``made_by`` is an account, empty where it is not shown;
    ``made_at`` by the instance's clock."""

    sys_id: SysId
    parent: str
    child: str
    made_by: str = ""
    made_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownState:
    items: Mapping[SourceKey, KnownItem] = field(default_factory=dict)
    relations: Mapping[str, KnownRelation] = field(default_factory=dict)

    @property
    def sys_ids(self) -> Mapping[SourceKey, SysId]:
        """The CIs by their keys."""
        return {key: item.sys_id for key, item in self.items.items()}

    @property
    def standing(self) -> KnownState:
        """Without the edges that were removed by hand."""
        return replace(self, relations={name: edge for name, edge in self.relations.items() if not edge.removed})


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An existing CI that might be the record: enough for a person to decide (cmdb-model 2.4)."""

    sys_id: str
    name: str = ""
    class_name: str = ""
    serial_number: str = ""
    mac_address: str = ""
    ip_address: str = ""
    discovery_source: str = ""
    duplicate_of: str = ""
    """sys_id of the CI it was found to be a duplicate of: the engine never matches such a one (servicenow-api 5.3)."""
    adapter_macs: tuple[str, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    """The mapped fields as stored now."""

    @property
    def bare(self) -> bool:
        """Nothing is known of it yet but its sys_id."""
        return self == Candidate(sys_id=self.sys_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A record kept back until a person decides. ``reason`` is a sentence, ``rule`` stable."""

    key: SourceKey
    rule: str
    reason: str
    candidates: tuple[Candidate, ...] = ()

    @property
    def next_step(self) -> str:
        """What a person does about it."""
        return HELD[self.rule]
