"""What the CMDB should hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from beast_dream_snow_loader.core.findings import Finding
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.core.known import Held
from beast_dream_snow_loader.core.observed import Looked
from beast_dream_snow_loader.core.shown import shown


class Ownership(StrEnum):
    """When a field is written (cmdb-model 6.9)."""

    ALWAYS = "always"
    OURS = "ours"
    """On CIs we created; elsewhere only into empty fields."""
    ONCE = "once"
    """At insert only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A reference field to be filled with the sys_id of an existing row, looked up, made only where that was asked for.

    The row is the one in ``table`` for which every ``match`` entry (element, value) holds, ignoring case; ``any_of``
    tries further alternatives in order. No row, or several: the field stays out and a finding says so.
    """

    element: str
    table: str
    any_of: tuple[tuple[tuple[str, str], ...], ...]
    sys_id: str = ""
    """Set by configuration; ``any_of`` then only asks whether there is such a row."""
    describe: str = ""
    """For people: ``site HQ``, ``model USW-16-PoE``."""
    within: tuple[tuple[str, Reference], ...] = ()
    """A further condition: the element points to the row of another reference, where that one has a row."""
    make: tuple[tuple[str, str], ...] = ()
    """What to write into a new row where there is none; empty: no row is ever made."""
    make_from: tuple[tuple[str, Reference], ...] = ()
    """What a new row points to. Without the row of that reference none is made."""

    @property
    def called(self) -> str:
        """Fit to be shown, and what findings about this reference carry as their ``value``."""
        return shown(self.describe or self.element)

    @property
    def key(self) -> str:
        """Its place in ``InstanceFacts.references``: ``cmn_location?name='HQ'``, alternatives joined by ``|``."""
        alternatives = ("&".join(f"{element}={value!r}" for element, value in match) for match in self.any_of)
        return f"{self.table}?{'|'.join(alternatives)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigItem:
    """One CI as it should be.

    ``values`` maps ServiceNow elements to wire text (never empty). ``class_chain`` is what to try, most specific
    first; ``class_name`` is empty until the instance's facts have been applied (core/fitting.py).
    ``lane`` names the console: items of one lane are written by one writer. ``seen_at`` is what goes to
    ``last_discovered`` (None: leave the stored value).
    """

    key: SourceKey
    kind: str
    lane: str
    site: str | None
    class_chain: tuple[str, ...]
    values: Mapping[str, str]
    name_forms: tuple[str, ...]
    """Names to try in order, should the one before belong to somebody else's CI (cmdb-model 2.4)."""
    references: tuple[Reference, ...] = ()
    class_name: str = ""
    online: bool = True
    seen_at: datetime | None = None
    cloud_only: bool = False
    """As :attr:`Device.cloud_only`."""
    observed_at: datetime | None = None
    """When UniFi said so: the engine keeps older sayings from overwriting newer ones (cmdb-model 2.6)."""
    serial_derived: bool = False
    """The serial number is the base MAC because UniFi gave none."""
    name_source: str = ""
    """The UniFi name (or the model's name where there is none) from which ``name_forms`` are made. The ledger keeps it
    as ``KnownItem.name_source``: while it stays, the stored name stays."""
    label: str = ""
    """For people: ``hq-sw-01/00:00:5e:00:53:02``, already safe to show."""
    stale: bool = False
    """It is remembered, not read now: known, but nothing is written because of it (Q18)."""

    @property
    def name(self) -> str:
        return self.values.get("name", "")


class RelationRole(StrEnum):
    UPLINK = "uplink"
    MANAGED_BY = "managed_by"
    POWERED_BY = "powered_by"
    """From the operator's map of outlets: UniFi does not tell what hangs on which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """An edge as it should be: ``lower`` Connects to / is managed by ``upper``.

    ``type`` and the direction on the wire depend on the instance, so ``parent``/``child`` are set by fitting; until
    then ``type`` is empty.
    """

    role: RelationRole
    lower: SourceKey
    upper: SourceKey
    type: str = ""
    reversed: bool = False

    @property
    def parent(self) -> SourceKey:
        return self.upper if self.reversed else self.lower

    @property
    def child(self) -> SourceKey:
        return self.lower if self.reversed else self.upper

    @property
    def key(self) -> str:
        """Stable text: ``uplink device/a -> device/b``."""
        return f"{self.role} {self.lower} -> {self.upper}"

    @classmethod
    def of_key(cls, key: str, type_name: str, parent: SourceKey) -> Relation:
        """The edge behind a key, with its type and the end it has as parent. ValueError when the text is no key."""
        role, _, ends = key.partition(" ")
        lower, upper = (SourceKey.parse(end) for end in ends.split(" -> "))
        return cls(role=RelationRole(role), lower=lower, upper=upper, type=type_name, reversed=parent == upper)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientLink:
    """A client whose CI belongs to somebody else, and the device it is connected to: the mode ``link``. No field of
    that CI is wanted, only the edge (cmdb-model 6.4)."""

    relation: Relation
    lane: str
    site: str | None
    kind: str = "client"
    online: bool = True
    stale: bool = False
    """As :attr:`ConfigItem.stale`."""

    @property
    def key(self) -> SourceKey:
        return self.relation.lower


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredState:
    """All items by key, all edges between them, and what was found on the way."""

    items: Mapping[SourceKey, ConfigItem]
    relations: tuple[Relation, ...] = ()
    client_links: tuple[ClientLink, ...] = ()
    findings: tuple[Finding, ...] = field(default=())
    orphans: tuple[Finding, ...] = field(default=())
    """Edges that could not be drawn because their far end is unknown."""
    looked: Looked | None = frozenset()
    """What was read completely just now, so that edges may follow (core/moves.py); None: all edges were decided before,
    and are drawn."""
    held: tuple[Held, ...] = ()
    """Records that no class of this instance takes."""
    ancestors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Of each class in use, the classes above it, nearest first; set by fitting."""
    choices: Mapping[str, str] = field(default_factory=dict)
    """As :attr:`InstanceFacts.choices`; set by fitting."""
