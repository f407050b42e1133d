"""What one API said about one thing, before the three are joined."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum

from beast_dream_snow_loader.core.observed import Client, Device, Read
from beast_dream_snow_loader.errors import SnowloadError


class Rank(IntEnum):
    """Whose word counts first where the APIs differ (unifi-api 4.1): the controller is richest."""

    CONTROLLER = 0
    NETWORK = 1
    SITE_MANAGER = 2
    HOST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class HostView:
    """A host of Site Manager. ``applications`` are lower-case names."""

    host_id: str
    name: str | None = None
    mac: str | None = None
    software_only: bool = False
    blocked: bool = False
    online: bool = True
    applications: frozenset[str] = frozenset()
    os_version: str | None = None
    network_version: str | None = None
    serial: str | None = None
    model_code: str | None = None
    model_name: str | None = None
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemView:
    """What a console says of itself."""

    name: str | None = None
    network_version: str | None = None
    os_version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteView:
    """``api_id`` is what the API's own paths take: NI's UUID, or the short name. ``record_id`` is what the controller's
    records carry as ``site_id``. ``device_count`` is what Site Manager counts there."""

    short_name: str
    name: str | None = None
    api_id: str = ""
    record_id: str = ""
    host_id: str | None = None
    device_count: int = 0
    gateway_mac: str | None = None
    time_zone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceView:
    """``device.console`` is empty until joined. ``api_id`` and ``uplink_id`` are NI's, good inside one console only.
    ``lan_ip``: the address is known to be on the inside."""

    device: Device
    rank: Rank
    host_id: str | None = None
    api_id: str | None = None
    uplink_id: str | None = None
    lan_ip: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientView:
    client: Client
    rank: Rank
    uplink_id: str | None = None


@dataclass(slots=True, kw_only=True)
class ConsoleView:
    """All that one console said of itself. ``reads`` carry the site's short name; their console is set when joined.

    ``skipped`` counts records left out by reason; ``strangers`` are the MACs it lists as not (or not yet) its own.
    """

    address: str
    host_id: str | None = None
    system: SystemView = field(default_factory=SystemView)
    sites: list[SiteView] = field(default_factory=list)
    devices: list[DeviceView] = field(default_factory=list)
    clients: list[ClientView] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    strangers: set[str] = field(default_factory=set)
    error: SnowloadError | None = None

    def skip(self, reason: str) -> None:
        self.skipped[reason] += 1

    def absorb(self, part: ConsoleView) -> None:
        """Take over what was read of one site. The first error stands: it is nearest to the cause."""
        self.sites.extend(part.sites)
        self.devices.extend(part.devices)
        self.clients.extend(part.clients)
        self.reads.extend(part.reads)
        self.skipped.update(part.skipped)
        self.strangers.update(part.strangers)
        self.error = self.error or part.error

    @property
    def whole(self) -> bool:
        """Every collection was read to its end."""
        return self.error is None and all(read.complete for read in self.reads)
