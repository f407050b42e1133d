"""The estate itself: what exists now, and the named things that can happen to it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from beast_dream_snow_loader.clock import Clock, SystemClock
from beast_dream_snow_loader.sandbox.estate.contents import Contents
from beast_dream_snow_loader.sandbox.estate.demo import demo_contents
from beast_dream_snow_loader.sandbox.estate.growing import grow
from beast_dream_snow_loader.sandbox.estate.identifiers import device_mac
from beast_dream_snow_loader.sandbox.estate.models import model_of
from beast_dream_snow_loader.sandbox.estate.shape import Shape
from beast_dream_snow_loader.sandbox.estate.things import EstateClient, EstateConsole, EstateDevice, EstateSite


class Estate:
    """Thread-safe. Values are frozen; an operation puts a changed one in place of the old.

    ``founded`` is the instant it was made: ages (``…_ago``) count from it, while what is online moves on with the
    clock. Operations raise KeyError for a console, site or device that does not exist.
    """

    def __init__(self, contents: Contents, *, clock: Clock | None = None) -> None:
        self.clock: Clock = clock or SystemClock()
        self.founded: datetime = self.clock.now()
        self._lock = threading.RLock()
        self._consoles = {console.host_id: console for console in contents.consoles}
        self._sites = {site.legacy_id: site for site in contents.sites}
        self._devices = {device.mac: device for device in contents.devices}
        self._clients = {client.key: client for client in contents.clients}
        self._added = 0
        self._index: _Index | None = None

    @classmethod
    def demo(cls, *, clock: Clock | None = None) -> Estate:
        """The small preset: three consoles that run Network, two hosts that do not, every kind of record."""
        return cls(demo_contents(), clock=clock)

    @classmethod
    def generate(
        cls,
        *,
        seed: int = 1,
        sites: int = 10,
        devices: int = 2000,
        clients: int = 0,
        consoles: int = 0,
        clock: Clock | None = None,
    ) -> Estate:
        """``devices`` adopted devices in all, gateways included, each of the others with one uplink."""
        return cls.of(Shape(seed=seed, sites=sites, devices=devices, clients=clients, consoles=consoles), clock=clock)

    @classmethod
    def of(cls, shape: Shape, *, clock: Clock | None = None) -> Estate:
        """As :meth:`generate`, with everything a :class:`Shape` can ask for."""
        return cls(grow(shape), clock=clock)

    def consoles(self) -> tuple[EstateConsole, ...]:
        with self._lock:
            return tuple(self._consoles.values())

    def console(self, host_id: str) -> EstateConsole:
        return self._consoles[host_id]

    def sites(self, host_id: str = "") -> tuple[EstateSite, ...]:
        with self._lock:
            return tuple(site for site in self._sites.values() if not host_id or site.host_id == host_id)

    def site(self, legacy_id: str) -> EstateSite:
        return self._sites[legacy_id]

    def devices(self, host_id: str) -> tuple[EstateDevice, ...]:
        """Everything the console has, what Network does not list included."""
        return self._indexed().by_host.get(host_id, ())

    def site_devices(self, legacy_id: str) -> tuple[EstateDevice, ...]:
        """What Network lists in a site, unadopted neighbours included."""
        return self._indexed().by_site.get(legacy_id, ())

    def device(self, mac: str) -> EstateDevice:
        return self._devices[mac]

    def find_device(self, mac: str) -> EstateDevice | None:
        return self._devices.get(mac)

    def gateway_of(self, legacy_id: str) -> str:
        """The MAC of a site's gateway, ``""`` without one."""
        return self._indexed().gateways.get(legacy_id, "")

    def clients(self, legacy_id: str) -> tuple[EstateClient, ...]:
        return self._indexed().clients.get(legacy_id, ())

    def moment(self, ago: int) -> datetime:
        """``ago`` seconds before the founding."""
        return self.founded - timedelta(seconds=ago)

    def rename_device(self, mac: str, name: str | None) -> EstateDevice:
        return self._change(mac, lambda device: replace(device, name=name))

    def upgrade_device(self, mac: str, firmware: str) -> EstateDevice:
        """``firmware`` is the full version, ``7.3.1.17000``."""
        return self._change(mac, lambda device: replace(device, firmware=firmware))

    def readdress_device(self, mac: str, ip: str) -> EstateDevice:
        """Another management address; of a gateway the one on its own network."""
        return self._change(
            mac, lambda device: replace(device, lan_ip=ip) if device.is_gateway else replace(device, ip=ip)
        )

    def readopt_device(self, mac: str) -> EstateDevice:
        """Forgotten and adopted again: the same device under new ids."""
        return self._change(mac, lambda device: replace(device, adoption=device.adoption + 1, adopted_ago=0))

    def set_online(self, mac: str, online: bool) -> EstateDevice:
        """An offline device keeps its place in the tree and loses its address in Network's records."""
        return self._change(mac, lambda device: replace(device, state=1 if online else 0))

    def change_uplink(self, mac: str, uplink: str, port: int = 0) -> EstateDevice:
        parent = self._devices[uplink]
        return self._change(mac, lambda device: replace(device, uplink=parent.mac, uplink_port=port))

    def move_device(self, mac: str, site: str, uplink: str = "") -> EstateDevice:
        """To another site (a legacy id), under ``uplink`` or that site's gateway."""
        place = self._sites[site]
        parent = self._devices[uplink].mac if uplink else self.gateway_of(site)
        return self._change(
            mac, lambda device: replace(device, host_id=place.host_id, site=site, uplink=parent, uplink_port=0)
        )

    def remove_device(self, mac: str) -> None:
        """What hung below it hangs below its parent afterwards."""
        with self._lock:
            gone = self._devices.pop(mac)
            for device in list(self._devices.values()):
                if device.uplink == mac:
                    self._devices[device.mac] = replace(device, uplink=gone.uplink, uplink_port=0)
            self._index = None

    def add_device(self, *, site: str, model: str, name: str | None, uplink: str = "", mac: str = "") -> EstateDevice:
        """An adopted, connected device; its MAC is made up unless given. KeyError for an unknown model code."""
        with self._lock:
            self._added += 1
            device = EstateDevice(
                mac=mac or device_mac(0, (1 << 23) + self._added),
                host_id=self._sites[site].host_id,
                site=site,
                model_code=model_of(model).code,
                name=name,
                ip=f"10.{self._sites[site].number % 250}.14.{self._added % 250 + 2}",
                uplink=self._devices[uplink].mac if uplink else self.gateway_of(site),
            )
            self._devices[device.mac] = device
            self._index = None
            return device

    def rename_site(self, legacy_id: str, title: str) -> EstateSite:
        return self._change_site(legacy_id, lambda site: replace(site, title=title))

    def move_site(self, legacy_id: str, host_id: str) -> EstateSite:
        """The site with its devices and clients to another console. ValueError for a console's own first site."""
        if self._sites[legacy_id].name == "default":
            raise ValueError("a console's own default site does not move")
        with self._lock:
            console = self._consoles[host_id]
            for device in self.site_devices(legacy_id):
                self._devices[device.mac] = replace(device, host_id=console.host_id)
            for client in self.clients(legacy_id):
                self._clients[client.key] = replace(client, host_id=console.host_id)
            return self._change_site(legacy_id, lambda site: replace(site, host_id=console.host_id))

    def set_reachable(self, host_id: str, reachable: bool) -> EstateConsole:
        """Whether the cloud reaches the console. The local API answers all the same."""
        with self._lock:
            changed = replace(self._consoles[host_id], reachable=reachable)
            self._consoles[host_id] = changed
            return changed

    def roam_client(self, key: str, uplink: str) -> EstateClient:
        """To another access point or switch, wherever that stands."""
        with self._lock:
            place = self._devices[uplink]
            moved = replace(self._clients[key], host_id=place.host_id, site=place.site, uplink=place.mac, port=0)
            self._clients[key] = moved
            self._index = None
            return moved

    def grow_older(self, seconds: float) -> None:
        """As if so much time had gone by: every age that counts from the founding is greater."""
        self.founded -= timedelta(seconds=seconds)

    def change_client(self, key: str, **told: Any) -> EstateClient:
        """What a client is like from now on: ``uplink`` for one that roams, ``connected=False`` for one that leaves."""
        with self._lock:
            changed = replace(self._clients[key], **told)
            self._clients[key] = changed
            self._index = None
            return changed

    def remove_client(self, key: str) -> None:
        with self._lock:
            del self._clients[key]
            self._index = None

    def _change(self, mac: str, change: Callable[[EstateDevice], EstateDevice]) -> EstateDevice:
        with self._lock:
            changed = change(self._devices[mac])
            self._devices[mac] = changed
            self._index = None
            return changed

    def _change_site(self, legacy_id: str, change: Callable[[EstateSite], EstateSite]) -> EstateSite:
        with self._lock:
            changed = change(self._sites[legacy_id])
            self._sites[legacy_id] = changed
            self._index = None
            return changed

    def _indexed(self) -> _Index:
        with self._lock:
            if self._index is None:
                self._index = _Index(self._devices.values(), self._clients.values())
            return self._index


class _Index:
    """Devices and clients by console and site, as they are until the next change."""

    def __init__(self, devices: Iterable[EstateDevice], clients: Iterable[EstateClient]) -> None:
        hosts: dict[str, list[EstateDevice]] = {}
        sites: dict[str, list[EstateDevice]] = {}
        gateways: dict[str, str] = {}
        for device in devices:
            hosts.setdefault(device.host_id, []).append(device)
            if device.listed:
                sites.setdefault(device.site, []).append(device)
                if device.is_gateway:
                    gateways.setdefault(device.site, device.mac)
        self.gateways = gateways
        people: dict[str, list[EstateClient]] = {}
        for client in clients:
            people.setdefault(client.site, []).append(client)
        self.by_host = {key: tuple(some) for key, some in hosts.items()}
        self.by_site = {key: tuple(some) for key, some in sites.items()}
        self.clients = {key: tuple(some) for key, some in people.items()}
