"""Which console is which: one key per console, whichever API and however many registrations tell of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from beast_dream_snow_loader.unifi.views import ConsoleView, DeviceView, HostView


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleKeys:
    """Host id → console key, and console address → console key."""

    by_host: Mapping[str, str]
    by_address: Mapping[str, str]

    def of_host(self, host_id: str | None) -> str:
        return self.by_host.get(host_id or "", f"host:{host_id or 'unknown'}")

    def of(self, view: ConsoleView) -> str:
        return self.by_address[view.address]


def console_keys(
    hosts: Iterable[HostView], cloud: Iterable[DeviceView], consoles: Iterable[ConsoleView]
) -> ConsoleKeys:
    """The MAC where it is known: from the console's own device row, then its host's state; else host id or address.

    A console read at its own address is matched to a host by the console's MAC, else by the devices both list: a
    Cloud Key or a self-hosted server is not among its own devices.
    """
    listed = list(cloud)
    own_rows = {v.host_id: v.device.mac for v in listed if v.device.is_console and v.host_id}
    by_host = {host: mac for host, mac in own_rows.items() if host}
    by_host |= {h.host_id: own_rows.get(h.host_id) or h.mac or f"host:{h.host_id}" for h in hosts}
    owner = {v.device.mac: by_host.get(v.host_id or "") for v in listed if not v.device.is_console}
    return ConsoleKeys(by_host=by_host, by_address={c.address: _local_key(c, by_host, owner) for c in consoles})


def current_hosts(hosts: Iterable[HostView], keys: ConsoleKeys) -> dict[str, HostView]:
    """By key. A console registered anew has two host ids: the one not blocked, then the newest, stands (gotcha 25)."""
    found: dict[str, HostView] = {}
    for host in sorted(hosts, key=_standing):
        found[keys.of_host(host.host_id)] = host
    return found


def is_mac(key: str) -> bool:
    """Whether a console key is the console's MAC."""
    return ":" not in key


def _standing(host: HostView) -> tuple[bool, float, str]:
    return (not host.blocked, host.changed_at.timestamp() if host.changed_at else 0.0, host.host_id)


def _local_key(view: ConsoleView, by_host: Mapping[str, str], owner: Mapping[str, str | None]) -> str:
    if view.host_id is not None:
        return by_host.get(view.host_id, f"host:{view.host_id}")
    own = [v.device.mac for v in view.devices if v.device.is_console]
    macs = set(by_host.values())
    known = next((mac for mac in own if mac in macs), None) or _host_gateway(view, macs)
    shared = Counter(key for v in view.devices if (key := owner.get(v.device.mac)))
    return known or max(sorted(shared), key=shared.__getitem__, default="") or next(iter(own), f"url:{view.address}")


def _host_gateway(view: ConsoleView, macs: set[str]) -> str | None:
    """The Network API does not say which device is the console: it is the one that is also a host."""
    return next((v.device.mac for v in view.devices if v.device.mac in macs), None)
