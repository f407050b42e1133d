"""Clients of an estate: laptops, phones with private addresses, printers, guests, VPN users, rows without a MAC."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from random import Random

from beast_dream_snow_loader.sandbox.estate.client_profiles import PROFILES, WEIGHTS
from beast_dream_snow_loader.sandbox.estate.identifiers import client_mac
from beast_dream_snow_loader.sandbox.estate.models import Kind
from beast_dream_snow_loader.sandbox.estate.names import client_names
from beast_dream_snow_loader.sandbox.estate.shape import Shape
from beast_dream_snow_loader.sandbox.estate.things import EstateClient, EstateDevice, EstateSite, Link
from beast_dream_snow_loader.sandbox.estate.tree import client_ip

_CONNECTED_SHARE = 0.7
_NO_MAC_SHARE = 0.004
_DAY = 86400
_ODD_SHAPES = 4


def grow_clients(shape: Shape, sites: Sequence[EstateSite], devices: Sequence[EstateDevice]) -> list[EstateClient]:
    if not shape.clients:
        return []
    hosts = _hosts_of(devices)
    clients: list[EstateClient] = []
    for site in sites:
        random = Random(f"{shape.seed}/clients/{site.number}")
        wanted = shape.share(shape.clients, site.number)
        clients.extend(_of_site(site, hosts[site.legacy_id], random, _Numbers(len(clients), wanted, shape.seed)))
    return clients


class _Hosts:
    """Where a site's clients hang: its access points and its switches (or its gateway)."""

    def __init__(self) -> None:
        self.points: list[EstateDevice] = []
        self.switches: list[EstateDevice] = []
        self.gateway: EstateDevice | None = None

    def choose(self, wired: bool, random: Random) -> EstateDevice | None:
        some = self.switches if wired or not self.points else self.points
        return random.choice(some) if some else self.gateway


def _hosts_of(devices: Sequence[EstateDevice]) -> defaultdict[str, _Hosts]:
    hosts: defaultdict[str, _Hosts] = defaultdict(_Hosts)
    for device in devices:
        if not device.listed or not device.adopted:
            continue
        kind, place = device.model.kind, hosts[device.site]
        if kind is Kind.GATEWAY:
            place.gateway = device
        elif kind is Kind.ACCESS_POINT and device.online:
            place.points.append(device)
        elif kind is Kind.SWITCH:
            place.switches.append(device)
    return hosts


class _Numbers:
    def __init__(self, first: int, wanted: int, seed: int) -> None:
        self.range, self.seed = range(first, first + wanted), seed


def _of_site(site: EstateSite, hosts: _Hosts, random: Random, numbers: _Numbers) -> Iterator[EstateClient]:
    profiles = random.choices(range(len(PROFILES)), WEIGHTS, k=len(numbers.range))
    for place, (number, profile) in enumerate(zip(numbers.range, profiles, strict=True)):
        yield _client(site, hosts, random, (number, place, profile, numbers.seed))


def _client(site: EstateSite, hosts: _Hosts, random: Random, which: tuple[int, int, int, int]) -> EstateClient:
    number, place, profile, seed = which
    kind = PROFILES[profile]
    fate = random.random()
    link = _link(kind.wired, fate)
    bodiless = link in (Link.VPN, Link.TELEPORT)
    parent = None if bodiless else hosts.choose(kind.wired, random)
    name, host_name = client_names(kind.word, number, random)
    connected = bodiless or random.random() < _CONNECTED_SHARE
    first_ago = random.randrange(_DAY, 900 * _DAY)
    return EstateClient(
        key=f"{seed:x}c{number:x}",
        mac="" if bodiless or (not connected and fate > 1 - _NO_MAC_SHARE) else client_mac(seed, number, kind.block),
        host_id=site.host_id,
        site=site.legacy_id,
        name=f"vpn-user-{number}" if bodiless else name,
        host_name=host_name,
        ip=client_ip(site.number, place),
        link=link,
        uplink=parent.mac if parent else "",
        port=1 + number % max(1, parent.model.ports) if parent and kind.wired else 0,
        profile=profile,
        guest=not kind.wired and 0.5 < fate < 0.58,
        connected=connected,
        blocked=0.7 < fate < 0.702,
        odd=number % _ODD_SHAPES if 0.8 < fate < 0.84 else 0,
        first_ago=first_ago,
        seen_ago=int(first_ago * random.random() ** 3),
    )


def _link(wired: bool, fate: float) -> Link:
    if fate < 0.004:
        return Link.VPN
    if fate < 0.005:
        return Link.TELEPORT
    return Link.WIRED if wired else Link.WIRELESS
