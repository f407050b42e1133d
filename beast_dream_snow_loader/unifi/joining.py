"""Three views, one snapshot (unifi-api 4.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.observed import Console, Device, Presence, Read, Site, Snapshot
from beast_dream_snow_loader.unifi.merging import merged_clients, merged_devices
from beast_dream_snow_loader.unifi.views import ClientView, ConsoleView, DeviceView, HostView, Rank, SiteView


@dataclass(slots=True, kw_only=True)
class Estate:
    """All that was read. ``cloud_reads`` are Site Manager's, with the host id where the console's key will be."""

    hosts: list[HostView] = field(default_factory=list)
    cloud_sites: list[SiteView] = field(default_factory=list)
    cloud_devices: list[DeviceView] = field(default_factory=list)
    consoles: list[ConsoleView] = field(default_factory=list)
    cloud_reads: list[Read] = field(default_factory=list)
    skipped: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def join(estate: Estate, taken_at: datetime) -> Snapshot:
    """Sites are keyed by console and short name, devices and clients by MAC; sorted, so equal estates are equal."""
    keys = console_keys(estate)
    hosts = _current_hosts(estate.hosts)
    views = [*_cloud_devices(estate, keys), *_host_devices(hosts, keys), *_local_devices(estate, keys)]
    sites = _sites(estate, keys)
    devices = _placed(merged_devices(views), sites)
    by_mac = {device.mac: device for device in devices}
    clients = merged_clients(_local_clients(estate, keys), by_mac)
    return Snapshot(
        taken_at=taken_at,
        consoles=_consoles(estate, hosts, keys, by_mac),
        sites=tuple(sites[key] for key in sorted(sites)),
        devices=tuple(devices),
        clients=tuple(clients),
        reads=tuple(_reads(estate, keys)),
        findings=(*estate.findings, *_skipped(estate)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Host id → console key, and console address → console key."""

    by_host: Mapping[str, str]
    by_address: Mapping[str, str]

    def of_host(self, host_id: str | None) -> str:
        return self.by_host.get(host_id or "", f"host:{host_id}")


def console_keys(estate: Estate) -> Keys:
    """The MAC where it is known: from the console's own device row, then its host's state; else host id or address."""
    own_rows = {v.host_id: v.device.mac for v in estate.cloud_devices if v.device.is_console and v.host_id}
    by_host = {h.host_id: own_rows.get(h.host_id) or h.mac or f"host:{h.host_id}" for h in estate.hosts}
    by_host |= {host: mac for host, mac in own_rows.items() if host not in by_host}
    macs = set(by_host.values())
    return Keys(by_host=by_host, by_address={c.address: _local_key(c, by_host, macs) for c in estate.consoles})


def console_mac(view: ConsoleView) -> str | None:
    """The console's own MAC among the devices it lists."""
    return next((v.device.mac for v in view.devices if v.device.is_console), None)


def _local_key(view: ConsoleView, by_host: Mapping[str, str], macs: set[str]) -> str:
    if view.host_id is not None:
        return by_host.get(view.host_id, f"host:{view.host_id}")
    listed = [v.device.mac for v in view.devices if v.device.mac in macs]
    return (listed[0] if listed else None) or console_mac(view) or f"url:{view.address}"


def _current_hosts(hosts: Iterable[HostView]) -> list[HostView]:
    """A console registered anew has two host ids: the one not blocked, then the newest, stands (gotcha 25)."""
    by_mac: dict[str, HostView] = {}
    for host in sorted(hosts, key=lambda h: (not h.blocked, h.changed_at.timestamp() if h.changed_at else 0.0)):
        by_mac[host.mac or host.host_id] = host
    return list(by_mac.values())


def _cloud_devices(estate: Estate, keys: Keys) -> Iterable[DeviceView]:
    for view in estate.cloud_devices:
        yield replace(view, device=replace(view.device, console=keys.of_host(view.host_id)))


def _host_devices(hosts: Iterable[HostView], keys: Keys) -> Iterable[DeviceView]:
    """The console itself, from what its host says: it brings the serial number, and a console no list shows."""
    for host in hosts:
        key = keys.of_host(host.host_id)
        if host.software_only or host.blocked or ":" in key:
            continue
        device = Device(
            mac=key,
            console=key,
            name=host.name,
            model_code=host.model_code,
            model_name=host.model_name,
            serial=host.serial,
            presence=Presence.ONLINE if host.online else Presence.OFFLINE,
            is_console=True,
        )
        yield DeviceView(device=device, rank=Rank.HOST, host_id=host.host_id)


def _local_devices(estate: Estate, keys: Keys) -> Iterable[DeviceView]:
    for console in estate.consoles:
        key = keys.by_address[console.address]
        ids = {view.api_id: view.device.mac for view in console.devices if view.api_id}
        for view in console.devices:
            uplink = view.device.uplink_mac or ids.get(view.uplink_id or "")
            is_console = view.device.mac == key or view.device.is_console
            device = replace(view.device, console=key, is_console=is_console, uplink_mac=uplink)
            yield replace(view, device=device)


def _local_clients(estate: Estate, keys: Keys) -> Iterable[ClientView]:
    for console in estate.consoles:
        key = keys.by_address[console.address]
        ids = {view.api_id: view.device.mac for view in console.devices if view.api_id}
        for view in console.clients:
            uplink = view.client.uplink_mac or ids.get(view.uplink_id or "")
            yield replace(view, client=replace(view.client, console=key, uplink_mac=uplink))


def _sites(estate: Estate, keys: Keys) -> dict[str, Site]:
    found: dict[str, Site] = {}
    cloud = [(keys.of_host(view.host_id), view) for view in estate.cloud_sites]
    local = [(keys.by_address[c.address], view) for c in estate.consoles for view in c.sites]
    for console, view in [*cloud, *local]:
        site = Site(
            console=console,
            short_name=view.short_name,
            name=view.name or view.short_name,
            gateway_mac=view.gateway_mac,
            time_zone=view.time_zone,
        )
        known = found.get(site.key)
        if known is not None:
            site = replace(
                site, gateway_mac=site.gateway_mac or known.gateway_mac, time_zone=site.time_zone or known.time_zone
            )
        found[site.key] = site
    return found


def _placed(devices: Sequence[Device], sites: Mapping[str, Site]) -> list[Device]:
    """Site Manager names no site: a device belongs to its console's only one, or to the site whose gateway it is."""
    of_console: dict[str, list[Site]] = {}
    gateways: dict[str, Site] = {site.gateway_mac: site for site in sites.values() if site.gateway_mac}
    for site in sites.values():
        of_console.setdefault(site.console, []).append(site)
    return [_place(device, of_console.get(device.console, []), gateways) for device in devices]


def _place(device: Device, sites: Sequence[Site], gateways: Mapping[str, Site]) -> Device:
    site = gateways.get(device.mac)
    if site is None and len(sites) == 1:
        site = sites[0]
    features = device.features | ({"gateway"} if device.mac in gateways else frozenset())
    if device.site is not None or site is None:
        return replace(device, features=features)
    return replace(device, features=features, site=site.short_name)


def _consoles(
    estate: Estate, hosts: Iterable[HostView], keys: Keys, devices: Mapping[str, Device]
) -> tuple[Console, ...]:
    found = {keys.by_address[c.address]: _local_console(c, keys, devices) for c in estate.consoles}
    for host in hosts:
        if host.blocked:
            continue
        key = keys.of_host(host.host_id)
        local = found.get(key)
        found[key] = Console(
            key=key,
            name=host.name or (local.name if local else key),
            mac=None if ":" in key else key,
            host_id=host.host_id,
            software_only=host.software_only,
            os_version=host.os_version,
            network_version=host.network_version or (local.network_version if local else None),
        )
    for key in sorted({device.console for device in devices.values()} - set(found)):
        found[key] = Console(key=key, name=key, mac=None if ":" in key else key)
    return tuple(found[key] for key in sorted(found))


def _local_console(view: ConsoleView, keys: Keys, devices: Mapping[str, Device]) -> Console:
    key = keys.by_address[view.address]
    own = devices.get(key)
    name = (own.name if own else None) or view.address
    mac = None if ":" in key else key
    return Console(key=key, name=name, mac=mac, host_id=view.host_id, network_version=view.network_version)


def _reads(estate: Estate, keys: Keys) -> Iterable[Read]:
    for read in estate.cloud_reads:
        yield replace(read, console=keys.of_host(read.console) if read.console else "site-manager")
    for console in estate.consoles:
        for read in console.reads:
            yield replace(read, console=keys.by_address[console.address])


def _skipped(estate: Estate) -> Iterable[Finding]:
    counts = dict(estate.skipped)
    for console in estate.consoles:
        for reason, count in console.skipped.items():
            counts[reason] = counts.get(reason, 0) + count
    for reason, count in sorted(counts.items()):
        yield Finding(
            record="source", rule="source.skipped", severity=Severity.INFO, message=f"{count} left out: {reason}."
        )
