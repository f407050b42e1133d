"""Reading one console: the controller API where it can be had, the Network Integration API otherwise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from beast_dream_snow_loader.core.observed import Read, Subject
from beast_dream_snow_loader.errors import NotAuthenticated, NotAuthorised, Rejected, SnowloadError, SourceUnavailable
from beast_dream_snow_loader.unifi.apis import controller, network
from beast_dream_snow_loader.unifi.apis.fields import Json, epoch, objects, text
from beast_dream_snow_loader.unifi.client import Endpoint, by_offset, segment
from beast_dream_snow_loader.unifi.session import UNIFI_OS, Flavour
from beast_dream_snow_loader.unifi.views import ConsoleView, DeviceView, SiteView

Again = Callable[[], Endpoint]
T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class ControllerReader:
    """Three requests a site give everything (unifi-api 0). ``log_in_again`` is used once, after a lost session."""

    endpoint: Endpoint
    flavour: Flavour
    view: ConsoleView
    known_since: datetime
    """Clients not seen since then are not taken from the list of all ever known."""
    log_in_again: Again | None = None

    def read(self) -> None:
        for site in self._sites():
            self.view.sites.append(site)
            self._collect(site, Subject.DEVICES, self._devices)
            self._collect(site, Subject.CLIENTS, self._clients)

    def _sites(self) -> list[SiteView]:
        rows = objects(self._data("/api/self/sites"))
        return [site for site in map(controller.site, rows) if site is not None]

    def _collect(self, site: SiteView, subject: Subject, collect: Callable[[SiteView], int]) -> None:
        _guarded(self.view, site, subject, lambda: (collect(site), ""))

    def _devices(self, site: SiteView) -> int:
        rows = list(objects(self._data(f"/api/s/{segment(site.api_id)}/stat/device")))
        for row in rows:
            _keep(self.view, self.view.devices, controller.device(row, site.short_name), _why_no_device(row))
        return len(rows)

    def _clients(self, site: SiteView) -> int:
        path = f"/api/s/{segment(site.api_id)}"
        connected = list(objects(self._data(f"{path}/stat/sta")))
        everyone = objects(self._data(f"{path}/rest/user"))
        known = [row for row in everyone if (epoch(row, "last_seen") or self.known_since) >= self.known_since]
        for row, now in [*((r, True) for r in connected), *((r, False) for r in known)]:
            seen = controller.client(row, site.short_name, connected=now)
            _keep(self.view, self.view.clients, seen, "client without a MAC address")
        return len(connected) + len(known)

    def _data(self, path: str) -> list[object]:
        try:
            return self.endpoint.controller(f"{self.flavour.prefix}{path}")
        except NotAuthenticated:
            if self.log_in_again is None:
                raise
            again, self.log_in_again = self.log_in_again, None
            self.endpoint = again()
            return self.endpoint.controller(f"{self.flavour.prefix}{path}")


@dataclass(slots=True, kw_only=True)
class NetworkReader:
    """One request a site for the devices, one a device for its uplink, one a page of clients."""

    endpoint: Endpoint
    view: ConsoleView
    concurrency: int

    def read(self) -> None:
        self.version()
        sites = by_offset(self.endpoint, f"{network.PREFIX}/sites", network.PAGE)
        for site in filter(None, map(network.site, sites.rows)):
            self.view.sites.append(site)
            _guarded(self.view, site, Subject.DEVICES, lambda site=site: self._devices(site))  # type: ignore[misc]
            _guarded(self.view, site, Subject.CLIENTS, lambda site=site: self._clients(site))  # type: ignore[misc]

    def version(self) -> None:
        self.view.network_version = text(self.endpoint.json(f"{network.PREFIX}/info"), "applicationVersion")

    def _devices(self, site: SiteView) -> tuple[int, str]:
        path = f"{network.PREFIX}/sites/{segment(site.api_id)}/devices"
        found = by_offset(self.endpoint, path, network.PAGE)
        overviews: list[DeviceView] = []
        for row in found.rows:
            _keep(self.view, overviews, network.device(row, site.short_name), _why_no_device(row))
        self.view.devices.extend(self._detailed(path, site, overviews))
        return len(found.rows), _short(found.shortfall)

    def _detailed(self, path: str, site: SiteView, overviews: Sequence[DeviceView]) -> list[DeviceView]:
        def detail(overview: DeviceView) -> DeviceView:
            if overview.api_id is None:
                return overview
            try:
                row = self.endpoint.json(f"{path}/{segment(overview.api_id)}")
            except (Rejected, SourceUnavailable, NotAuthorised):
                self.view.skip("device whose detail could not be read: no uplink")
                return overview
            full = network.device(row, site.short_name)
            return overview if full is None else replace(full, api_id=overview.api_id)

        with ThreadPoolExecutor(max_workers=self.concurrency, thread_name_prefix="detail") as pool:
            return list(pool.map(detail, overviews))

    def _clients(self, site: SiteView) -> tuple[int, str]:
        path = f"{network.PREFIX}/sites/{segment(site.api_id)}/clients"
        found = by_offset(self.endpoint, path, network.PAGE)
        for row in found.rows:
            seen = network.client(row, site.short_name)
            _keep(self.view, self.view.clients, seen, "client without a network identity (VPN or unknown type)")
        return len(found.rows), _short(found.shortfall)


def offers_controller(endpoint: Endpoint) -> bool:
    """Whether the key is taken on the controller's paths too: yes on most recent consoles, 403 on some (3.1)."""
    try:
        endpoint.controller(f"{UNIFI_OS.prefix}/api/self/sites")
    except (NotAuthenticated, NotAuthorised, Rejected):
        return False
    return True


def _guarded(view: ConsoleView, site: SiteView, subject: Subject, collect: Callable[[], tuple[int, str]]) -> None:
    """One collection of one site: its failure is written down and costs only itself."""
    try:
        records, reason = collect()
    except SnowloadError as error:
        view.reads.append(Read(console="", site=site.short_name, subject=subject, complete=False, reason=error.message))
        view.error = error
        return
    read = Read(console="", site=site.short_name, subject=subject, complete=not reason, records=records, reason=reason)
    view.reads.append(read)


def _keep(view: ConsoleView, kept: list[T], seen: T | None, reason: str) -> None:
    if seen is None:
        view.skip(reason)
    else:
        kept.append(seen)


def _why_no_device(row: Json) -> str:
    return "device not adopted here" if text(row, "mac", "macAddress") else "device without a MAC address"


def _short(shortfall: int) -> str:
    return f"{shortfall} of the records announced did not come" if shortfall else ""
