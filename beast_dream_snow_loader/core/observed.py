"""What UniFi said: frozen typed values, the same whichever of its three APIs they came from.

Absent, null, empty and "unknown" all arrive here as None (unifi-api 5, gotcha 2). MACs are 12 lower-case hex digits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from beast_dream_snow_loader.core.findings import Finding

SITE_MANAGER = "site-manager"
"""Stands for the console of a read of Site Manager as a whole."""


class Presence(StrEnum):
    """How a device stands towards its console."""

    ONLINE = "online"
    OFFLINE = "offline"
    TRANSIENT = "transient"
    """Upgrading, provisioning, heartbeat missed: there, not to be called offline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """A UniFi OS console or self-hosted Network server.

    ``key`` is stable over runs: the console's MAC where known, else ``host:<id>`` or ``url:<host:port>``.
    """

    key: str
    name: str
    mac: str | None = None
    host_id: str | None = None
    software_only: bool = False
    """A ``network-server``: software on somebody's machine, no CI of its own."""
    os_version: str | None = None
    network_version: str | None = None
    address: str | None = None
    """Host and port at which it was read itself; None when only through Site Manager."""
    lost: bool = False
    """Site Manager cannot reach it: what it lists of it is what it last knew."""
    as_of: datetime | None = None
    """As :attr:`Device.as_of`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A site of one console. ``short_name`` (``default``) and NI's UUID repeat on every console, so a site is
    keyed by (console, short_name)."""

    console: str
    short_name: str
    name: str
    gateway_mac: str | None = None
    time_zone: str | None = None

    @property
    def key(self) -> str:
        return f"{self.console}/{self.short_name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One adopted device. ``site`` is the site's short name, None where no API told it.

    ``model_code`` is the short code (``US16P150``), ``model_name`` the marketing name (``USW-16-PoE``).
    ``features`` are lower-case words: ``gateway``, ``switching``, ``accesspoint``, ``outlets``, ``battery``,
    ``ports``; what the APIs and record tables showed, not what the model promises.
    ``management_ip`` is never the WAN address.
    """

    mac: str
    console: str
    site: str | None = None
    name: str | None = None
    model_code: str | None = None
    model_name: str | None = None
    type: str | None = None
    product_line: str | None = None
    features: frozenset[str] = frozenset()
    serial: str | None = None
    management_ip: str | None = None
    firmware: str | None = None
    presence: Presence = Presence.ONLINE
    is_console: bool = False
    port_count: int | None = None
    uplink_mac: str | None = None
    last_seen: datetime | None = None
    ever_online: bool = True
    cloud_only: bool = False
    """Site Manager alone lists it: no read of the console itself would show that it is gone."""
    apis: tuple[str, ...] = ()
    """Which APIs showed it, the richest first: ``controller``, ``network``, ``site_manager``, ``host``."""
    as_of: datetime | None = None
    """It is remembered from a read of then, because its console could not be read now; None: it was read now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One client. ``wired`` None when the APIs disagree or do not say. ``category`` is our word for the UniFi
    fingerprint: ``computer``, ``handheld``, ``printer``, ``camera``, ``tv``, ``console``, ``media``, ``iot``,
    ``phone``, or None when unknown."""

    mac: str
    console: str
    site: str | None = None
    name: str | None = None
    host_name: str | None = None
    ip: str | None = None
    vendor: str | None = None
    wired: bool | None = None
    guest: bool = False
    vpn: bool = False
    blocked: bool = False
    connected: bool = False
    uplink_mac: str | None = None
    category: str | None = None
    os_name: str | None = None
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    as_of: datetime | None = None
    """As :attr:`Device.as_of`."""


class Subject(StrEnum):
    """What a read was about."""

    SITES = "sites"
    DEVICES = "devices"
    CLIENTS = "clients"


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """One collection read of one console (and site): whether all of it arrived, and if not why.

    Later guards rely on it: nothing may be called missing that was not looked for completely.
    """

    console: str
    subject: Subject
    site: str | None = None
    complete: bool = True
    records: int = 0
    reason: str = ""


Looked = frozenset[tuple[str, str]]
"""Consoles and kinds of record (``device``, ``client``) that were read completely."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aged:
    """What stands in for a console that could not be read: its last good snapshot, ``seconds`` old (R6.3).

    ``complete`` False: it was itself read in part, and ``lacks`` says what is missing. ``devices`` and ``clients``
    count what was taken from it: what another source showed now was not. ``why`` the console could not be read; with
    ``cloud_only`` it was, and only what Site Manager alone lists there is remembered.
    """

    console: str
    name: str
    taken_at: datetime
    seconds: float
    complete: bool = True
    lacks: tuple[str, ...] = ()
    devices: int = 0
    clients: int = 0
    why: str = ""
    cloud_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything UniFi said at ``taken_at`` (UTC). Sorted by key, so equal estates give equal snapshots.

    ``aged`` are the consoles of which something is remembered, not read now; ``excused`` those (``SITE_MANAGER`` may be
    one) whose failed reads it makes up for.
    """

    taken_at: datetime
    consoles: tuple[Console, ...] = ()
    sites: tuple[Site, ...] = ()
    devices: tuple[Device, ...] = ()
    clients: tuple[Client, ...] = ()
    reads: tuple[Read, ...] = ()
    findings: tuple[Finding, ...] = field(default=())
    aged: tuple[Aged, ...] = ()
    excused: frozenset[str] = frozenset()

    def complete(self, console: str, subject: Subject) -> bool:
        """True when at least one read of the subject on that console is known and every one was complete."""
        reads = [r for r in self.reads if r.console == console and r.subject is subject]
        return bool(reads) and all(r.complete for r in reads)

    @property
    def looked(self) -> Looked:
        subjects = (("device", Subject.DEVICES), ("client", Subject.CLIENTS))
        every = ((console.key, record, subject) for console in self.consoles for record, subject in subjects)
        return frozenset((key, record) for key, record, subject in every if self.complete(key, subject))

    @property
    def partial(self) -> bool:
        """Something was not read, on no way, and nothing remembered makes up for it."""
        return any(not self._read_otherwise(read) for read in self._lacking)

    @property
    def detoured(self) -> bool:
        """A way to a console is shut, and what it would have told was read on another one."""
        return any(self._read_otherwise(read) for read in self._lacking)

    @property
    def _lacking(self) -> Iterator[Read]:
        return (read for read in self.reads if not read.complete and read.console not in self.excused)

    def _read_otherwise(self, failed: Read) -> bool:
        """One way to a console is shut, and on another one the same was read completely."""
        same = [r for r in self.reads if (r.console, r.subject) == (failed.console, failed.subject)]
        return failed.site is None and any(r.complete for r in same) and all(r.complete or r.site is None for r in same)

    @property
    def stale_seconds(self) -> float | None:
        """The age of the oldest snapshot that stands in for a console; None when everything was read now."""
        return max((one.seconds for one in self.aged), default=None)
