"""The estate a newcomer meets: three consoles, four sites, a good two dozen devices, most of the awkward cases."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from random import Random

from beast_dream_snow_loader.sandbox.estate.client_profiles import PROFILES
from beast_dream_snow_loader.sandbox.estate.contents import Contents
from beast_dream_snow_loader.sandbox.estate.identifiers import (
    DEFAULT_SITE_UUID,
    client_mac,
    device_mac,
    digest,
    host_id,
    name_uuid,
    object_id,
)
from beast_dream_snow_loader.sandbox.estate.models import model_of
from beast_dream_snow_loader.sandbox.estate.names import TWINS, client_names
from beast_dream_snow_loader.sandbox.estate.other_hosts import cameras_of, other_hosts
from beast_dream_snow_loader.sandbox.estate.shape import Shape
from beast_dream_snow_loader.sandbox.estate.things import (
    EstateClient,
    EstateConsole,
    EstateDevice,
    EstateSite,
    Flavour,
    HostType,
    Link,
)
from beast_dream_snow_loader.sandbox.estate.tree import client_ip, device_ip

_SEED = 7
_DAY = 86400
_UNNAMED = "-"
_LONG = "warehouse-" + "very-" * 57 + "long"

# site | mark | model | name ("-": none) | parent | port | state and flags
_DEVICES = f"""
hq|gw|UDMPROMAX|hq-gw|||console
hq|core|USAGGPRO|hq-core|gw|10|
hq|sw1|USPM24P|hq-sw-01|core|1|
hq|sw2|USPM48P|hq-sw-02|core|2|
hq|sw3|US16P150|hq-sw-03 "old"|sw1|20|upgrading
hq|flex|USMINI|USW Flex Mini|sw2|11|
hq|ap1|U7PRO|hq-ap-01 ☕|sw1|1|
hq|ap2|U7PRO|{TWINS}|sw1|2|
hq|ap3|UAP6MP|{TWINS}|sw1|3|
hq|ap4|U6M|hq-ap-mesh|ap1||wireless
hq|ap5|U7NHD|-|sw2|5|
hq|ap6|U7NHD|-|sw2|6|
hq|ap7|UAL6|-|sw2|7|offline
hq|ap8|UAL6|-|sw3|1|
hq|ap9|UAPA693|-|sw3|2|
hq|pdu|USPPDUP|hq-pdu|core|3|
hq|ups|USWDA25|hq-ups|core|4|
hq|plug|UP1|coffee machine|ap2||wireless
hq|strip|UP6|-|ap3||wireless
hq|near|U7LT|-|||neighbour
wh|gw|UXGPRO|warehouse-gw|||
wh|sw|USL24P|{_LONG}|gw|1|
wh|ap1|UKPW|dock^ORsys_idISNOTEMPTY|sw|1|
wh|ap2|UKPW|yard\x07bell|sw|2|offline
wh|br|UBB|barn bridge|sw|3|
br|gw|UGW3|branch-gw|||
br|sw|US8P60|branch-sw|gw|1|
br|ap|U7PG2|branch-ap|sw|2|
br|lte|ULTE|branch-lte|sw|3|
lab|gw|UXG|lab-gw|||
lab|sw|USMINI|lab-sw-01|gw|1|offline
"""
_WAN = {"hq": "203.0.113.10", "wh": "203.0.113.11", "br": "198.51.100.20", "lab": "198.51.100.40"}
_HANG = {"hq": ("sw1", "ap1"), "wh": ("sw", "ap1"), "br": ("sw", "ap")}
_CLIENTS = 40
_WITHOUT_MAC = 35
_STATES = {"offline": 0, "upgrading": 4, "neighbour": 2}


def demo_contents() -> Contents:
    numbers = count(1)
    hq = _console("UDMPROMAX", "HQ ☃ Console", numbers, wan_ip="203.0.113.10")
    branch = _console("UCKP", "Branch Cloud Key", numbers, wan_ip="198.51.100.20")
    lab = _server()
    sites = _sites(hq, branch, lab)
    rows = [line.split("|") for line in _DEVICES.strip("\n").split("\n")]
    macs = {(row[0], row[1]): device_mac(_SEED, next(numbers)) for row in rows}
    macs["hq", "gw"] = hq.mac
    devices = [_device(row, place, sites[row[0]], macs) for place, row in enumerate(rows)]
    hosts, recorder = other_hosts(_SEED, numbers)
    cameras = cameras_of(Shape(seed=_SEED, cameras=2), hq, numbers)
    return Contents(
        consoles=[hq, branch, lab, *hosts],
        sites=list(sites.values()),
        devices=[*devices, _cloud_key_row(branch), *cameras, *recorder],
        clients=_clients(sites, macs),
    )


def _console(model: str, name: str, numbers: Iterator[int], *, wan_ip: str) -> EstateConsole:
    mac = device_mac(_SEED, next(numbers))
    return EstateConsole(
        host_id=host_id(mac, _SEED),
        hardware_id=name_uuid(f"hardware/{mac}"),
        name=name,
        mac=mac,
        model=model,
        applications=("network", "protect") if model == "UDMPROMAX" else ("network",),
        wan_ip=wan_ip,
        lan_ip="10.0.0.1" if model == "UDMPROMAX" else "10.2.0.5",
        os_version=model_of(model).short_version,
        network_version="10.5.67" if model == "UDMPROMAX" else "9.1.120",
    )


def _server() -> EstateConsole:
    """Network on somebody's machine: no MAC, not ours in the cloud, the classic local API."""
    return EstateConsole(
        host_id=name_uuid("demo/server"),
        hardware_id=name_uuid("demo/server/hardware"),
        name="Self-hosted network",
        type=HostType.NETWORK_SERVER,
        flavour=Flavour.CLASSIC,
        lan_ip="198.51.100.40",
        wan_ip="198.51.100.40",
        network_version="9.4.19",
        os_version="",
        owner=False,
        reachable=False,
    )


def _sites(hq: EstateConsole, branch: EstateConsole, lab: EstateConsole) -> dict[str, EstateSite]:
    plan = (("hq", hq, "Amsterdam"), ("wh", hq, "Utrecht"), ("br", branch, "Köln"), ("lab", lab, "Lab"))
    return {
        mark: EstateSite(
            host_id=console.host_id,
            legacy_id=object_id(f"demo/{mark}"),
            external_id=name_uuid(f"demo/{mark}") if mark == "wh" else DEFAULT_SITE_UUID,
            name=digest(f"demo/{mark}")[:8] if mark == "wh" else "default",
            title=title,
            time_zone="Europe/Amsterdam",
            number=number,
        )
        for number, (mark, console, title) in enumerate(plan)
    }


def _device(row: list[str], place: int, site: EstateSite, macs: dict[tuple[str, str], str]) -> EstateDevice:
    where, mark, model, name, parent, port, flag = row
    state = _STATES.get(flag, 1)
    gateway = mark == "gw"
    return EstateDevice(
        mac=macs[where, mark],
        host_id=site.host_id,
        site=site.legacy_id,
        model_code=model,
        name=None if name == _UNNAMED else name,
        ip=_WAN[where] if gateway else "" if state in (0, 2) else device_ip(site.number, place),
        state=state,
        adopted=flag != "neighbour",
        uplink=macs[where, parent] if parent else "",
        uplink_port=int(port or 0),
        wireless=flag == "wireless",
        is_console=flag == "console",
        adopted_ago=(900 - place) * _DAY,
        started_ago=(3 + place) * _DAY,
        seen_ago=(2 + place % 5) * _DAY,
        lan_ip=f"10.{site.number}.0.1" if gateway else "",
        note="Lobby ceiling" if mark == "ap1" else None,
    )


def _cloud_key_row(console: EstateConsole) -> EstateDevice:
    """The Cloud Key among its own devices: Site Manager shows it, its Network does not."""
    return EstateDevice(
        mac=console.mac,
        host_id=console.host_id,
        site="",
        model_code=console.model,
        name=console.name,
        ip=console.lan_ip,
        is_console=True,
        started_ago=30 * _DAY,
    )


def _clients(sites: dict[str, EstateSite], macs: dict[tuple[str, str], str]) -> list[EstateClient]:
    random = Random(_SEED)
    return [_client(number, sites, macs, random) for number in range(_CLIENTS)]


def _client(
    number: int, sites: dict[str, EstateSite], macs: dict[tuple[str, str], str], random: Random
) -> EstateClient:
    place = number % len(PROFILES)
    profile = PROFILES[place]
    where = ("hq", "hq", "hq", "wh", "br")[number % 5]
    link = Link.WIRED if profile.wired else Link.WIRELESS
    link = {38: Link.VPN, 39: Link.TELEPORT}.get(number, link)
    bodiless = link in (Link.VPN, Link.TELEPORT)
    name, host_name = client_names(profile.word, number, random)
    return EstateClient(
        key=f"c{number}",
        mac="" if bodiless or number == _WITHOUT_MAC else client_mac(_SEED, number, profile.block),
        host_id=sites[where].host_id,
        site=sites[where].legacy_id,
        name=f"road warrior {number}" if bodiless else name,
        host_name=host_name,
        ip=client_ip(sites[where].number, number),
        link=link,
        uplink="" if bodiless else macs[where, _HANG[where][not profile.wired]],
        port=10 + number % 8 if profile.wired else 0,
        profile=place,
        guest=number in (2, 22),
        connected=number % 4 != 3 or bodiless,
        blocked=number == 31,
        odd=number % 4 if number > 24 else 0,
        first_ago=(number + 1) * 10 * _DAY,
        seen_ago=number * _DAY // 3,
    )
