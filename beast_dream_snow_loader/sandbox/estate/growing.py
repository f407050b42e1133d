"""Making an estate of any size from a :class:`Shape`: consoles, sites, devices, clients."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from random import Random

from beast_dream_snow_loader.sandbox.estate.client_growing import grow_clients
from beast_dream_snow_loader.sandbox.estate.contents import Contents
from beast_dream_snow_loader.sandbox.estate.identifiers import (
    DEFAULT_SITE_UUID,
    device_mac,
    digest,
    host_id,
    name_uuid,
    object_id,
)
from beast_dream_snow_loader.sandbox.estate.models import Kind, codes_of, model_of
from beast_dream_snow_loader.sandbox.estate.names import site_title
from beast_dream_snow_loader.sandbox.estate.other_hosts import cameras_of, other_hosts
from beast_dream_snow_loader.sandbox.estate.shape import Shape
from beast_dream_snow_loader.sandbox.estate.things import EstateConsole, EstateDevice, EstateSite
from beast_dream_snow_loader.sandbox.estate.tree import Tree

_CONSOLE_MODELS = ("UDMPROMAX", "UDMPROSE", "UDMPRO", "UDMENT", "UDMA6A8", "UCGMAX")
_GATEWAY_MODELS = ("UXGPRO", "UXG", "UGW3", "UGW4", "UXGENT", "UXGB")
_YEAR = 365 * 86400


def grow(shape: Shape) -> Contents:
    """Everything the shape asks for; the same for the same shape."""
    numbers = count(1)
    consoles = [_console(shape, number, device_mac(shape.seed, next(numbers))) for number in range(shape.console_count)]
    sites = [_site(shape, number, consoles[number % len(consoles)]) for number in range(shape.sites)]
    devices = [device for site in sites for device in _devices(shape, site, consoles, numbers)]
    devices += _neighbours(shape, sites, numbers)
    devices += cameras_of(shape, consoles[0], numbers)
    if shape.other_hosts:
        hosts, rows = other_hosts(shape.seed, numbers)
        consoles += hosts
        devices += rows
    return Contents(consoles=consoles, sites=sites, devices=devices, clients=grow_clients(shape, sites, devices))


def _console(shape: Shape, number: int, mac: str) -> EstateConsole:
    code = _CONSOLE_MODELS[number % len(_CONSOLE_MODELS)]
    return EstateConsole(
        host_id=host_id(mac, shape.seed),
        hardware_id=name_uuid(f"hardware/{mac}"),
        name=f"{site_title(number)} console",
        mac=mac,
        model=code,
        applications=("network", "protect") if shape.cameras and number == 0 else ("network",),
        wan_ip=_wan(number),
        lan_ip=f"10.{number % 250}.0.1",
        os_version=model_of(code).short_version,
    )


def _wan(number: int) -> str:
    return f"{('203.0.113', '198.51.100')[number // 250 % 2]}.{number % 250 + 2}"


def _site(shape: Shape, number: int, console: EstateConsole) -> EstateSite:
    first = number < shape.console_count
    mark = f"site/{shape.seed}/{number}"
    return EstateSite(
        host_id=console.host_id,
        legacy_id=object_id(mark),
        external_id=DEFAULT_SITE_UUID if first else name_uuid(mark),
        name="default" if first else digest(mark)[:8],
        title=site_title(number),
        time_zone=console.time_zone,
        number=number,
    )


def _devices(
    shape: Shape, site: EstateSite, consoles: list[EstateConsole], numbers: Iterator[int]
) -> Iterator[EstateDevice]:
    random = Random(f"{shape.seed}/{site.number}")
    tree = Tree(site=site, seed=shape.seed, awkward=shape.awkward, numbers=numbers, random=random)
    gateway = _gateway(shape, site, consoles, numbers, random)
    return tree.grow(gateway, shape.share(shape.devices, site.number) - 1)


def _gateway(
    shape: Shape, site: EstateSite, consoles: list[EstateConsole], numbers: Iterator[int], random: Random
) -> EstateDevice:
    """The console itself for the first site of each; a gateway of its own for the others."""
    adopted_ago = random.randrange(_YEAR, 5 * _YEAR)
    device = EstateDevice(
        mac="",
        host_id=site.host_id,
        site=site.legacy_id,
        model_code=random.choice(_GATEWAY_MODELS),
        name=f"{site.title.lower()}-gw",
        ip=_wan(site.number + shape.console_count),
        lan_ip=f"10.{site.number % 250}.0.1",
        adopted_ago=adopted_ago,
        started_ago=random.randrange(3600, 200 * 86400),
        seen_ago=7200,
    )
    if site.number >= shape.console_count:
        return replace(device, mac=device_mac(shape.seed, next(numbers)))
    console = consoles[site.number]
    return replace(device, mac=console.mac, model_code=console.model, ip=console.wan_ip, is_console=True)


def _neighbours(shape: Shape, sites: list[EstateSite], numbers: Iterator[int]) -> list[EstateDevice]:
    """Unadopted devices that a site sees: no name, no address."""
    points = codes_of(Kind.ACCESS_POINT)
    return [
        EstateDevice(
            mac=device_mac(shape.seed, next(numbers)),
            host_id=sites[number % len(sites)].host_id,
            site=sites[number % len(sites)].legacy_id,
            model_code=points[number % len(points)],
            name=None,
            ip="",
            state=2,
            adopted=False,
        )
        for number in range(shape.neighbours)
    ]
