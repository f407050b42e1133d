"""The recorded payloads as an application: the files of one directory, behind the same paths as the real thing.

The directory has ``site-manager/``, ``network-integration/`` and ``legacy/``. All success files of a collection are
served as one collection (records verbatim, each once, envelopes made anew); the controller's one site is ``default``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import orjson

from beast_dream_snow_loader.clock import Clock, SystemClock
from beast_dream_snow_loader.sandbox.estate.identifiers import DEFAULT_SITE_UUID
from beast_dream_snow_loader.sandbox.estate.things import Flavour
from beast_dream_snow_loader.sandbox.messages import HttpAnswer, HttpRequest
from beast_dream_snow_loader.sandbox.unifi.access import Access, AccessRules
from beast_dream_snow_loader.sandbox.unifi.answers import Json, Rendered, Rows
from beast_dream_snow_loader.sandbox.unifi.console import ConsoleApp
from beast_dream_snow_loader.sandbox.unifi.site_manager import SiteManagerApp

_SITE = "default"


class RecordedApp:
    """Site Manager (``/v1/…``) and one UniFi OS console on the same address. ``rules.api_key`` opens both.

    Raises ValueError when the directory holds none of the three folders.
    """

    def __init__(self, directory: Path, *, rules: AccessRules, clock: Clock | None = None) -> None:
        folders = [directory / name for name in ("site-manager", "network-integration", "legacy")]
        if not any(folder.is_dir() for folder in folders):
            raise ValueError(f"no recorded payloads in {directory}")
        access = Access(rules=rules, flavour=Flavour.UNIFI_OS, clock=clock or SystemClock())
        self._cloud = SiteManagerApp(RecordedCloud(folders[0]), api_key=rules.api_key)
        self._console = ConsoleApp(
            access=access, network=RecordedNetwork(folders[1]), controller=RecordedController(folders[2])
        )

    def answer(self, request: HttpRequest) -> HttpAnswer:
        return (self._cloud if request.path.startswith("/v1/") else self._console).answer(request)

    def control(self, request: HttpRequest) -> HttpAnswer | None:
        return self._console.control(request)


class RecordedCloud:
    def __init__(self, folder: Path) -> None:
        self._hosts = _once([*_data(folder, "hosts_list*"), *_data(folder, "host_get*")], "id")
        self._sites = _once(_data(folder, "sites_list*"), "siteId")
        self._groups = _once(_data(folder, "devices_list*"), "hostId")

    def hosts(self) -> Rows:
        return _rows(self._hosts, "id")

    def host(self, host_id: str) -> Json | None:
        return next((host for host in self._hosts if host.get("id") == host_id), None)

    def sites(self) -> Rows:
        return _rows(self._sites, "siteId")

    def groups(self, host_ids: Sequence[str]) -> Rows:
        chosen = [group for group in self._groups if not host_ids or group.get("hostId") in host_ids]
        return _rows(chosen, "hostId")


class RecordedNetwork:
    """All devices and clients are on the default site; the other recorded sites are empty."""

    def __init__(self, folder: Path) -> None:
        self._info = next(iter(_bodies(folder, "info*")), Json(applicationVersion="10.5.67"))
        self._sites = _once(_data(folder, "sites_list*"), "id")
        self._devices = _once(_data(folder, "devices_list*"), "id")
        self._clients = _once(_data(folder, "clients_list*"), "id")
        self._pending = _once(_data(folder, "pending_devices*"), "macAddress")
        self._details = {str(one.get("id")): one for one in _bodies(folder, "device_detail*")}
        self._client_details = {str(one.get("id")): one for one in _bodies(folder, "client_detail*")}
        self._statistics = next(iter(_bodies(folder, "device_statistics*")), None)

    def info(self) -> Json:
        return self._info

    def sites(self) -> Rows:
        return _rows(self._sites, "id")

    def devices(self, site: str) -> Rows | None:
        return self._of_site(site, self._devices)

    def device(self, site: str, device: str) -> Json | None:
        return self._details.get(device) if site == DEFAULT_SITE_UUID else None

    def statistics(self, site: str, device: str) -> Json | None:
        return self._statistics if self.device(site, device) else None

    def clients(self, site: str) -> Rows | None:
        return self._of_site(site, self._clients)

    def client(self, site: str, client: str) -> Json | None:
        listed = {str(one.get("id")): one for one in self._clients}
        return self._client_details.get(client) or listed.get(client) if site == DEFAULT_SITE_UUID else None

    def pending(self) -> Rows | None:
        return _rows(self._pending, "macAddress")

    def _of_site(self, site: str, records: Sequence[Json]) -> Rows | None:
        if all(one.get("id") != site for one in self._sites):
            return None
        return _rows(records if site == DEFAULT_SITE_UUID else [], "id")


class RecordedController:
    """Every recorded device and client, on one site: the ``default`` one, with its ``external_id`` if recorded."""

    def __init__(self, folder: Path) -> None:
        sites = [row for row in _data(folder, "self_sites*") if row.get("name") == _SITE]
        self._sites = sorted(sites, key=lambda row: "external_id" not in row)[:1]
        self._devices = _once(_data(folder, "stat_device*"), "mac")
        self._stations = _once(_data(folder, "stat_sta*"), "mac")
        self._known = _once([*_data(folder, "rest_user*"), *_data(folder, "stat_user*")], "mac")
        self._networks = _data(folder, "rest_networkconf*")
        self._system = next(iter(_data(folder, "stat_sysinfo*")), Json())

    def site_rows(self) -> Sequence[Json]:
        return self._sites

    def has_site(self, name: str) -> bool:
        return name == _SITE

    def system(self) -> Json:
        return self._system

    def device_rows(self, site: str) -> Sequence[Json]:
        return self._devices if self.has_site(site) else []

    def basic_rows(self, site: str) -> Sequence[Json]:
        kept = ("mac", "type", "model", "name", "state", "adopted")
        return [{name: row[name] for name in kept if name in row} for row in self.device_rows(site)]

    def station_rows(self, site: str) -> Sequence[Json]:
        return self._stations if self.has_site(site) else []

    def known_rows(self, site: str, within_hours: int) -> Sequence[Json]:
        """All of them, whatever the window: recorded times are long past."""
        return self._known if self.has_site(site) and within_hours >= 0 else []

    def network_rows(self, site: str) -> Sequence[Json]:
        return self._networks if self.has_site(site) else []


def _bodies(folder: Path, pattern: str) -> Iterable[Json]:
    for path in sorted(folder.glob(f"{pattern}.json")):
        body = orjson.loads(path.read_bytes())
        if isinstance(body, dict):
            yield body


def _data(folder: Path, pattern: str) -> list[Json]:
    """The records of every matching file: what is under ``data``, a single object as one record."""
    found: list[Json] = []
    for body in _bodies(folder, pattern):
        data = body.get("data", [])
        found.extend(data if isinstance(data, list) else [data] if isinstance(data, dict) else [])
    return found


def _once(records: Iterable[Json], key: str) -> list[Json]:
    """The first of every ``key``; records without one are all kept."""
    seen: set[object] = set()
    kept = []
    for record in records:
        mark = record.get(key)
        if mark is None or mark not in seen:
            kept.append(record)
            seen.add(mark)
    return kept


def _rows(records: Sequence[Json], key: str) -> Rows:
    return Rendered(records, lambda record: record, lambda record: str(record.get(key)))
