"""Reading one console: the controller API where it can be had, the Network Integration API otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TypeVar

from beast_dream_snow_loader.core.normalize import mac12
from beast_dream_snow_loader.core.observed import Read, Subject
from beast_dream_snow_loader.errors import (
    CircuitBreakerOpen,
    NotAuthenticated,
    NotAuthorised,
    Rejected,
    ServerFault,
    SnowloadError,
    SourceDataInvalid,
    SourceError,
    TransportError,
)
from beast_dream_snow_loader.operations.spreading import spread
from beast_dream_snow_loader.unifi.apis import controller, network
from beast_dream_snow_loader.unifi.apis.fields import Json, epoch, objects, text
from beast_dream_snow_loader.unifi.client import Collection, Endpoint, by_offset, by_offset_unmoved, segment
from beast_dream_snow_loader.unifi.session import UNIFI_OS, Session
from beast_dream_snow_loader.unifi.views import ConsoleView, DeviceView, SiteView, SystemView

T = TypeVar("T")
Collect = Callable[[], tuple[int, str]]
"""Reads one collection; returns the number of records and, when some are missing, why."""


@dataclass(slots=True, kw_only=True)
class ControllerReader:
    """Three requests a site give everything (unifi-api 0). ``concurrency`` sites are read at once."""

    session: Session
    view: ConsoleView
    known_since: datetime
    """Clients not seen since then are not taken from the list of all ever known."""
    concurrency: int = 1

    def read(self) -> None:
        """Fills the view. Raises when not even the sites can be listed."""
        sites = [site for site in map(controller.site, objects(self.session.data("/api/self/sites"))) if site]
        self.view.reads.append(Read(console="", subject=Subject.SITES, records=len(sites)))
        if not sites:
            return
        self.view.system = self._system(sites[0])
        for part in spread(self._site, sites, self.concurrency, "site"):
            self.view.absorb(part)

    def _system(self, site: SiteView) -> SystemView:
        """Versions are worth a request, not a failure."""
        try:
            record = next(objects(self.session.data(f"/api/s/{segment(site.api_id)}/stat/sysinfo")), None)
        except (TransportError, SourceError):
            return SystemView()
        return controller.system(record) if record else SystemView()

    def _site(self, site: SiteView) -> ConsoleView:
        part = ConsoleView(address=self.view.address, sites=[site])
        _guarded(part, site, Subject.DEVICES, partial(self._devices, part, site))
        _guarded(part, site, Subject.CLIENTS, partial(self._clients, part, site))
        return part

    def _devices(self, part: ConsoleView, site: SiteView) -> tuple[int, str]:
        rows = list(objects(self.session.data(f"/api/s/{segment(site.api_id)}/stat/device")))
        for row in rows:
            _keep_device(part, part.devices, controller.device(row, site.short_name), row)
        return len(rows), ""

    def _clients(self, part: ConsoleView, site: SiteView) -> tuple[int, str]:
        path = f"/api/s/{segment(site.api_id)}"
        connected = list(objects(self.session.data(f"{path}/stat/sta")))
        everyone = objects(self.session.data(f"{path}/rest/user"))
        known = [row for row in everyone if (epoch(row, "last_seen") or self.known_since) >= self.known_since]
        for row, now in [*((r, True) for r in connected), *((r, False) for r in known)]:
            seen = controller.client(row, site.short_name, connected=now)
            _keep(part, part.clients, seen, "client without a MAC address")
        return len(connected) + len(known), ""


@dataclass(slots=True, kw_only=True)
class NetworkReader:
    """One request a page of devices, one a device for its uplink (``concurrency`` at once), one a page of clients."""

    endpoint: Endpoint
    view: ConsoleView
    concurrency: int

    def read(self) -> None:
        """Fills the view. Raises when not even the sites can be listed."""
        self.version()
        found = by_offset(self.endpoint, f"{network.PREFIX}/sites", network.PAGE)
        sites = [site for site in map(network.site, found.rows) if site]
        self.view.reads.append(_read(Subject.SITES, None, len(sites), _short(found)))
        for site in sites:
            part = ConsoleView(address=self.view.address, sites=[site], error=_over(self.view))
            _guarded(part, site, Subject.DEVICES, partial(self._devices, part, site))
            _guarded(part, site, Subject.CLIENTS, partial(self._clients, part, site))
            self.view.absorb(part)

    def version(self) -> None:
        answer = self.endpoint.json(f"{network.PREFIX}/info")
        self.view.system = SystemView(network_version=text(answer, "applicationVersion"))

    def _devices(self, part: ConsoleView, site: SiteView) -> tuple[int, str]:
        path = f"{network.PREFIX}/sites/{segment(site.api_id)}/devices"
        found = by_offset_unmoved(self.endpoint, path, network.PAGE)
        overviews: list[DeviceView] = []
        for row in found.rows:
            _keep_device(part, overviews, network.device(row, site.short_name), row)
        details = spread(partial(self._detail, path, site), overviews, self.concurrency, "detail")
        if lost := details.count(None):
            part.skipped["device whose detail could not be read: its uplink is unknown"] += lost
        part.devices.extend(detail or overview for detail, overview in zip(details, overviews, strict=True))
        return len(found.rows), _short(found)

    def _detail(self, path: str, site: SiteView, overview: DeviceView) -> DeviceView | None:
        """The overview made full; None when the console does not give the detail (gotcha 26)."""
        if overview.api_id is None:
            return None
        try:
            row = self.endpoint.json(f"{path}/{segment(overview.api_id)}")
        except (NotAuthenticated, CircuitBreakerOpen):
            raise
        except (TransportError, SourceError):
            return None
        full = network.device({"macAddress": overview.device.mac, **row}, site.short_name)
        return replace(full, api_id=overview.api_id) if full and full.device.mac == overview.device.mac else None

    def _clients(self, part: ConsoleView, site: SiteView) -> tuple[int, str]:
        path = f"{network.PREFIX}/sites/{segment(site.api_id)}/clients"
        found = by_offset(self.endpoint, path, network.PAGE)
        for row in found.rows:
            seen = network.client(row, site.short_name)
            _keep(part, part.clients, seen, "client without a network identity (VPN or unknown type)")
        return len(found.rows), _short(found)


def offers_controller(endpoint: Endpoint) -> bool:
    """Whether the key is taken on the controller's paths too: yes on most recent consoles, 403 on some (3.1)."""
    try:
        endpoint.controller(f"{UNIFI_OS.prefix}/api/self/sites")
    except (NotAuthenticated, NotAuthorised, Rejected, ServerFault, SourceDataInvalid):
        return False
    return True


def _guarded(part: ConsoleView, site: SiteView, subject: Subject, collect: Collect) -> None:
    """One collection of one site: its failure is written down and costs only itself. After a login that ended for
    good nothing more is asked."""
    try:
        if isinstance(part.error, NotAuthenticated):
            raise part.error
        records, reason = collect()
    except SnowloadError as error:
        part.reads.append(_read(subject, site.short_name, 0, error.message or error.code))
        part.error = part.error or error
        return
    part.reads.append(_read(subject, site.short_name, records, reason))


def _over(view: ConsoleView) -> SnowloadError | None:
    return view.error if isinstance(view.error, NotAuthenticated) else None


def _read(subject: Subject, site: str | None, records: int, reason: str) -> Read:
    return Read(console="", site=site, subject=subject, complete=not reason, records=records, reason=reason)


def _keep(part: ConsoleView, kept: list[T], seen: T | None, reason: str) -> None:
    if seen is None:
        part.skip(reason)
    else:
        kept.append(seen)


def _keep_device(part: ConsoleView, kept: list[DeviceView], seen: DeviceView | None, row: Json) -> None:
    """What is left out with a MAC is a neighbour or not ours yet: no other API may bring it back for this console."""
    mac = mac12(text(row, "mac", "macAddress"))
    if seen is None and mac is not None:
        part.strangers.add(mac)
    _keep(part, kept, seen, "device not adopted here" if mac else "device without a MAC address")


def _short(found: Collection) -> str:
    """Why a list is not whole; empty when it is."""
    if found.moved:
        return "the list changed between two of its pages, twice over"
    return f"{found.shortfall} of the records announced did not come" if found.shortfall else ""
