"""One device, one client from what several APIs said of it: the richest word counts, field by field."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from beast_dream_snow_loader.core.models import find_model
from beast_dream_snow_loader.core.observed import Client, Device
from beast_dream_snow_loader.unifi.apis.controller import GATEWAY_TYPES
from beast_dream_snow_loader.unifi.views import ClientView, DeviceView, Rank

_PRIVATE = tuple(ipaddress.ip_network(n) for n in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"))


def merged_devices(views: Iterable[DeviceView]) -> list[Device]:
    """One device per MAC. ``device.console`` is set on every view by then."""
    by_mac: dict[str, list[DeviceView]] = defaultdict(list)
    for view in views:
        by_mac[view.device.mac].append(view)
    return [_device(sorted(group, key=lambda view: view.rank)) for _, group in sorted(by_mac.items())]


def merged_clients(views: Iterable[ClientView], devices: Mapping[str, Device]) -> list[Client]:
    """One client per MAC; what UniFi manages as a device is no client."""
    by_mac: dict[str, list[Client]] = defaultdict(list)
    for view in views:
        if view.client.mac not in devices:
            by_mac[view.client.mac].append(view.client)
    return [_client(group) for _, group in sorted(by_mac.items())]


def _device(views: Sequence[DeviceView]) -> Device:
    devices = [view.device for view in views]
    best = devices[0]
    cloud_only = all(view.rank >= Rank.SITE_MANAGER for view in views)
    apis = tuple(dict.fromkeys(view.rank.name.lower() for view in views))
    if len(views) == 1:
        return replace(best, management_ip=_management_ip(views), cloud_only=cloud_only, apis=apis)
    return replace(
        best,
        apis=apis,
        site=_first(devices, "site"),
        name=_first(devices, "name"),
        model_code=_first(devices, "model_code"),
        model_name=_first(devices, "model_name"),
        type=_first(devices, "type"),
        product_line=_first(devices, "product_line"),
        features=frozenset().union(*(device.features for device in devices)),
        serial=_first(devices, "serial"),
        management_ip=_management_ip(views),
        firmware=_first(devices, "firmware"),
        is_console=any(device.is_console for device in devices),
        port_count=_first(devices, "port_count"),
        uplink_mac=_first(devices, "uplink_mac"),
        last_seen=_first(devices, "last_seen"),
        cloud_only=cloud_only,
    )


def _management_ip(views: Sequence[DeviceView]) -> str | None:
    """Never the WAN address of a gateway: of one, only an address known or seen to be inside counts (6.3)."""
    if not any(view.device.management_ip for view in views):
        return None
    gateway = any(_routes(view.device) for view in views)
    for view in views:
        address = view.device.management_ip
        if address and (not gateway or view.lan_ip or _inside(address)):
            return address
    return None


def _routes(device: Device) -> bool:
    """By model where it is known: a captured UDR7 does not show that it is a gateway, and no recorder is one."""
    model = find_model(device.model_code, device.model_name)
    if model is not None:
        return model.kind == "gateway"
    return device.is_console or device.type in GATEWAY_TYPES or "gateway" in device.features


def _inside(address: str) -> bool:
    parsed = ipaddress.ip_address(address)
    return any(parsed in network for network in _PRIVATE if network.version == parsed.version)


def _client(clients: Sequence[Client]) -> Client:
    """The connected record first: it is the newer one."""
    if len(clients) == 1:
        return clients[0]
    ordered = sorted(clients, key=lambda client: not client.connected)
    times = [client.last_seen for client in ordered if client.last_seen]
    firsts = [client.first_seen for client in ordered if client.first_seen]
    return replace(
        ordered[0],
        site=_first(ordered, "site"),
        name=_first(ordered, "name"),
        host_name=_first(ordered, "host_name"),
        ip=_first(ordered, "ip"),
        vendor=_first(ordered, "vendor"),
        wired=next((c.wired for c in ordered if c.wired is not None), None),
        guest=any(client.guest for client in ordered),
        blocked=any(client.blocked for client in ordered),
        connected=any(client.connected for client in ordered),
        uplink_mac=_first(ordered, "uplink_mac"),
        category=_first(ordered, "category"),
        os_name=_first(ordered, "os_name"),
        first_seen=min(firsts, default=None),
        last_seen=max(times, default=None),
    )


def _first(records: Sequence[Any], name: str) -> Any:
    return next((value for record in records if (value := getattr(record, name)) is not None), None)
