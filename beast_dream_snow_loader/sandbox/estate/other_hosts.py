"""Hosts that are not an ordinary console running Network, and the cameras of one that also runs Protect."""

from __future__ import annotations

from collections.abc import Iterator

from beast_dream_snow_loader.sandbox.estate.identifiers import device_mac, host_id, name_uuid
from beast_dream_snow_loader.sandbox.estate.models import Kind, codes_of
from beast_dream_snow_loader.sandbox.estate.shape import Shape
from beast_dream_snow_loader.sandbox.estate.things import EstateConsole, EstateDevice, HostType

_YEAR = 365 * 86400


def cameras_of(shape: Shape, console: EstateConsole, numbers: Iterator[int]) -> list[EstateDevice]:
    """Protect cameras: Site Manager lists them, Network does not."""
    codes = codes_of(Kind.CAMERA)
    return [
        EstateDevice(
            mac=device_mac(shape.seed, next(numbers)),
            host_id=console.host_id,
            site="",
            model_code=codes[number % len(codes)],
            name=f"Camera {number + 1}",
            ip=f"10.0.15.{number % 250 + 2}",
            adopted_ago=_YEAR,
            started_ago=86400 * 9,
        )
        for number in range(shape.cameras)
    ]


def other_hosts(seed: int, numbers: Iterator[int]) -> tuple[list[EstateConsole], list[EstateDevice]]:
    """A recorder console without Network, and a blocked console whose reported state is null."""
    recorder = device_mac(seed, next(numbers))
    blocked = device_mac(seed, next(numbers))
    hosts = [recorder_console(recorder, seed), blocked_console(blocked, seed)]
    return hosts, [recorder_row(hosts[0])]


def recorder_console(mac: str, seed: int) -> EstateConsole:
    return EstateConsole(
        host_id=host_id(mac, seed),
        hardware_id=name_uuid(f"hardware/{mac}"),
        name="Video recorder",
        mac=mac,
        model="UNVRPRO",
        applications=("protect",),
        wan_ip="203.0.113.251",
        lan_ip="10.0.15.1",
        os_version="5.0.13",
    )


def recorder_row(console: EstateConsole) -> EstateDevice:
    """The recorder's own row among its devices."""
    return EstateDevice(
        mac=console.mac,
        host_id=console.host_id,
        site="",
        model_code=console.model,
        name=console.name,
        ip=console.lan_ip,
        is_console=True,
        started_ago=86400 * 21,
    )


def blocked_console(mac: str, seed: int) -> EstateConsole:
    return EstateConsole(
        host_id=host_id(mac, seed),
        hardware_id=name_uuid(f"hardware/{mac}"),
        name="",
        type=HostType.UCORE,
        mac=mac,
        wan_ip="203.0.113.252",
        blocked=True,
        reports=False,
        reachable=False,
    )
