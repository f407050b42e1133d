"""What the three APIs have to show of an estate."""

from __future__ import annotations

from collections.abc import Sequence

from beast_dream_snow_loader.sandbox.estate.estate import Estate
from beast_dream_snow_loader.sandbox.estate.identifiers import name_uuid, object_id
from beast_dream_snow_loader.sandbox.estate.things import EstateClient, EstateConsole, EstateDevice, EstateSite, Link
from beast_dream_snow_loader.sandbox.unifi import host_views, network_views
from beast_dream_snow_loader.sandbox.unifi.answers import Json, Rendered, Rows
from beast_dream_snow_loader.sandbox.unifi.controller_clients import known_record, station_record
from beast_dream_snow_loader.sandbox.unifi.controller_devices import basic_record, device_record


class EstateCloud:
    """Site Manager's content."""

    def __init__(self, estate: Estate) -> None:
        self._estate = estate

    def hosts(self) -> Rows:
        return Rendered(self._estate.consoles(), lambda one: host_views.host_view(self._estate, one), _host_key)

    def host(self, host_id: str) -> Json | None:
        found = [console for console in self._estate.consoles() if console.host_id == host_id]
        return host_views.host_view(self._estate, found[0]) if found else None

    def sites(self) -> Rows:
        return Rendered(self._estate.sites(), lambda one: host_views.site_view(self._estate, one), _site_key)

    def groups(self, host_ids: Sequence[str]) -> Rows:
        shown = [
            console
            for console in self._estate.consoles()
            if (not host_ids or console.host_id in host_ids) and self._estate.devices(console.host_id)
        ]
        return Rendered(shown, lambda one: host_views.device_group(self._estate, one), _host_key)


def _host_key(console: EstateConsole) -> str:
    return console.host_id


def _site_key(site: EstateSite) -> str:
    return f"{site.legacy_id}:{site.number}"


class EstateNetwork:
    """Network Integration's content on one console."""

    def __init__(self, estate: Estate, host_id: str) -> None:
        self._estate = estate
        self._host_id = host_id
        self._by_id: dict[str, tuple[Sequence[EstateDevice], dict[str, EstateDevice]]] = {}

    def info(self) -> Json:
        return {"applicationVersion": self._console.network_version}

    def sites(self) -> Rows:
        return Rendered(self._estate.sites(self._host_id), network_views.site_view)

    def devices(self, site: str) -> Rows | None:
        place, console = self._site(site), self._console
        if place is None:
            return None
        return Rendered(self._adopted(place), lambda one: network_views.device_view(console, one))

    def device(self, site: str, device: str) -> Json | None:
        found = self._find(site, device)
        return network_views.device_detail(self._estate, self._console, found) if found else None

    def statistics(self, site: str, device: str) -> Json | None:
        found = self._find(site, device)
        return network_views.statistics_view(self._estate, found) if found and found.online else None

    def clients(self, site: str) -> Rows | None:
        place = self._site(site)
        if place is None:
            return None
        return Rendered(self._connected(place), lambda one: network_views.client_view(self._estate, one))

    def client(self, site: str, client: str) -> Json | None:
        place = self._site(site)
        here = self._connected(place) if place else []
        found = next((one for one in here if network_views.client_id(one) == client), None)
        return network_views.client_view(self._estate, found, detail=True) if found else None

    def pending(self) -> Rows | None:
        if not network_views.is_current(self._console):
            return None
        rows = [
            (site, device)
            for site in self._estate.sites(self._host_id)
            for device in self._estate.site_devices(site.legacy_id)
            if not device.adopted
        ]
        return Rendered(rows, lambda row: network_views.pending_view(*row))

    @property
    def _console(self) -> EstateConsole:
        return self._estate.console(self._host_id)

    def _site(self, external_id: str) -> EstateSite | None:
        return next((site for site in self._estate.sites(self._host_id) if site.external_id == external_id), None)

    def _adopted(self, site: EstateSite) -> list[EstateDevice]:
        return [device for device in self._estate.site_devices(site.legacy_id) if device.adopted]

    def _connected(self, site: EstateSite) -> list[EstateClient]:
        here = self._estate.clients(site.legacy_id)
        return [one for one in here if one.connected and (one.mac or one.link not in (Link.WIRED, Link.WIRELESS))]

    def _find(self, site: str, device: str) -> EstateDevice | None:
        place = self._site(site)
        if place is None:
            return None
        now = self._estate.site_devices(place.legacy_id)
        known = self._by_id.get(site)
        if known is None or known[0] is not now:
            known = (now, {network_views.device_id(one.host_id, one.mark): one for one in now if one.adopted})
            self._by_id[site] = known
        return known[1].get(device)


class EstateController:
    """The controller API's content on one console."""

    def __init__(self, estate: Estate, host_id: str) -> None:
        self._estate = estate
        self._host_id = host_id

    def site_rows(self) -> Sequence[Json]:
        return [self._site_row(site) for site in self._estate.sites(self._host_id)]

    def has_site(self, name: str) -> bool:
        return self._site(name) is not None

    def system(self) -> Json:
        console = self._estate.console(self._host_id)
        return {
            "anonymous_controller_id": name_uuid(f"anonymous/{console.host_id}"),
            "build": f"atag_{console.network_version}_21057",
            "version": console.network_version,
            "previous_version": console.network_version,
            "name": console.name,
            "hostname": "unifi",
            "timezone": console.time_zone,
            "https_port": 8443,
            "inform_port": 8080,
            "ip_addrs": [console.lan_ip],
            "is_cloud_console": False,
            "ubnt_device_type": console.model or "linux",
            "uptime": 1196290,
            "update_available": False,
            "unsupported_device_count": 0,
            "sso_app_id": "sandbox-secret-sso_app_id",
            "sso_app_sec": "sandbox-secret-sso_app_sec",
            **({"console_display_version": console.os_version} if console.os_version else {}),
            **({"udm_version": f"{console.os_version}.30692"} if console.os_version else {}),
        }

    def device_rows(self, site: str) -> Sequence[Json]:
        return [device_record(self._estate, device) for device in self._devices(site)]

    def basic_rows(self, site: str) -> Sequence[Json]:
        return [basic_record(device) for device in self._devices(site)]

    def station_rows(self, site: str) -> Sequence[Json]:
        return [station_record(self._estate, one) for one in self._clients(site) if one.connected and one.mac]

    def known_rows(self, site: str, within_hours: int) -> Sequence[Json]:
        seconds = within_hours * 3600
        return [
            known_record(self._estate, one)
            for one in self._clients(site)
            if one.link in (Link.WIRED, Link.WIRELESS) and (not seconds or one.connected or one.seen_ago <= seconds)
        ]

    def network_rows(self, site: str) -> Sequence[Json]:
        place = self._site(site)
        if place is None:
            return []
        subnet = f"10.{place.number % 250}.0.1/16"
        network = object_id(f"network/{place.legacy_id}")
        return [{"_id": network, "name": "Default", "purpose": "corporate", "ip_subnet": subnet, "enabled": True}]

    def _site_row(self, site: EstateSite) -> Json:
        return {
            "_id": site.legacy_id,
            "anonymous_id": name_uuid(f"anonymous/{site.legacy_id}"),
            **({} if network_old(self._estate.console(self._host_id)) else {"external_id": site.external_id}),
            "name": site.name,
            "desc": site.title,
            **({"attr_hidden_id": "default", "attr_no_delete": True} if site.name == "default" else {}),
            "role": "admin",
            "role_hotspot": False,
            "device_count": sum(device.adopted for device in self._estate.site_devices(site.legacy_id)),
        }

    def _site(self, name: str) -> EstateSite | None:
        return next((site for site in self._estate.sites(self._host_id) if site.name == name), None)

    def _devices(self, name: str) -> Sequence[EstateDevice]:
        site = self._site(name)
        return self._estate.site_devices(site.legacy_id) if site else ()

    def _clients(self, name: str) -> Sequence[EstateClient]:
        site = self._site(name)
        return self._estate.clients(site.legacy_id) if site else ()


def network_old(console: EstateConsole) -> bool:
    """Before Network 9: no ``external_id`` among its sites."""
    return int(console.network_version.partition(".")[0]) < 9
