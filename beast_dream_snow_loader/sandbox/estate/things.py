"""The things of the estate, as facts. Which API shows them how is the views' business."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from beast_dream_snow_loader.sandbox.estate.models import Kind, Model, model_of


class HostType(StrEnum):
    CONSOLE = "console"
    UCORE = "ucore"
    NETWORK_SERVER = "network-server"


class Flavour(StrEnum):
    """How a console's local API looks."""

    UNIFI_OS = "unifi_os"
    CLASSIC = "classic"


@dataclass(frozen=True, slots=True, kw_only=True)
class EstateConsole:
    """A host. ``mac`` is 12 upper-case digits, ``""`` for software on somebody's machine; ``model`` a code or ``""``.

    ``applications`` name what runs on it; without ``network`` it has no sites. ``reports`` False: its
    ``reportedState`` is null. ``reachable`` False: the cloud has lost it (the local API still answers).
    """

    host_id: str
    hardware_id: str
    name: str
    type: HostType = HostType.CONSOLE
    flavour: Flavour = Flavour.UNIFI_OS
    mac: str = ""
    model: str = ""
    applications: tuple[str, ...] = ("network",)
    wan_ip: str = ""
    lan_ip: str = ""
    time_zone: str = "Europe/Amsterdam"
    network_version: str = "10.5.67"
    os_version: str = "5.0.16"
    owner: bool = True
    blocked: bool = False
    reports: bool = True
    reachable: bool = True

    @property
    def runs_network(self) -> bool:
        return "network" in self.applications


@dataclass(frozen=True, slots=True, kw_only=True)
class EstateSite:
    """``legacy_id`` is the controller's 24 hex digits, ``external_id`` the Network Integration UUID."""

    host_id: str
    legacy_id: str
    external_id: str
    name: str
    title: str
    time_zone: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EstateDevice:
    """``mac`` is 12 upper-case digits; ``site`` a legacy id, ``""`` for what Network does not list (cameras).

    ``state`` is the controller's number (0 offline, 1 connected, 4 upgrading …). ``ago`` are seconds before the
    estate's founding: adoption, start and (for the offline) last contact. ``uplink_port`` is the parent's port,
    0 when unknown or wireless. ``name`` None: the record has none. ``firmware`` stands in for the model's version.
    ``adoption`` counts how often it was adopted again.
    """

    mac: str
    host_id: str
    site: str
    model_code: str
    name: str | None
    ip: str
    state: int = 1
    adopted: bool = True
    uplink: str = ""
    uplink_port: int = 0
    wireless: bool = False
    is_console: bool = False
    adopted_ago: int = 0
    started_ago: int = 0
    seen_ago: int = 0
    note: str | None = None
    lan_ip: str = ""
    firmware: str = ""
    adoption: int = 0

    @property
    def mark(self) -> str:
        """What the ids of its records are made from: every adoption makes new records."""
        return f"{self.mac}/{self.adoption}" if self.adoption else self.mac

    @property
    def version(self) -> str:
        """The full firmware version: ``7.2.123.16565``."""
        return self.firmware or self.model.version

    @property
    def short_version(self) -> str:
        return ".".join(self.version.split(".")[:3])

    @property
    def model(self) -> Model:
        return model_of(self.model_code)

    @property
    def online(self) -> bool:
        return self.state != 0

    @property
    def listed(self) -> bool:
        """Whether Network lists it."""
        return bool(self.site and self.model.type)

    @property
    def is_gateway(self) -> bool:
        return self.model.kind is Kind.GATEWAY


class Link(StrEnum):
    """How a client is connected, in Network Integration's words."""

    WIRED = "WIRED"
    WIRELESS = "WIRELESS"
    VPN = "VPN"
    TELEPORT = "TELEPORT"


@dataclass(frozen=True, slots=True, kw_only=True)
class EstateClient:
    """``mac`` is 12 upper-case digits, ``""`` for VPN clients and the known-client row that has lost its own.

    ``profile`` points into :data:`~.client_profiles.PROFILES`. ``seen_ago`` and ``first_ago`` are seconds before
    the founding; a connected client is seen now.
    """

    key: str
    mac: str
    host_id: str
    site: str
    name: str | None
    host_name: str | None
    ip: str
    link: Link
    uplink: str
    port: int
    profile: int
    guest: bool = False
    connected: bool = True
    blocked: bool = False
    odd: int = 0
    first_ago: int = 0
    seen_ago: int = 0
