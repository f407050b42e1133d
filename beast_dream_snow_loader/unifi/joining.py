"""Three views, one snapshot (unifi-api 4.1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.observed import Console, Device, Presence, Read, Site, Snapshot
from beast_dream_snow_loader.core.shown import shown
from beast_dream_snow_loader.unifi.consoles import ConsoleKeys, console_keys, current_hosts, is_mac
from beast_dream_snow_loader.unifi.merging import merged_clients, merged_devices
from beast_dream_snow_loader.unifi.verdicts import Accounts, verdicts
from beast_dream_snow_loader.unifi.views import ClientView, ConsoleView, DeviceView, HostView, Rank, SiteView


@dataclass(slots=True, kw_only=True)
class Estate:
    """All that was read. ``cloud_reads`` are Site Manager's, with the host id where the console's key will be."""

    hosts: list[HostView] = field(default_factory=list)
    cloud_sites: list[SiteView] = field(default_factory=list)
    cloud_devices: list[DeviceView] = field(default_factory=list)
    consoles: list[ConsoleView] = field(default_factory=list)
    cloud_reads: list[Read] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    @property
    def keys(self) -> ConsoleKeys:
        return console_keys(self.hosts, self.cloud_devices, self.consoles)


def join(estate: Estate, taken_at: datetime) -> Snapshot:
    """Sites are keyed by console and short name, devices and clients by MAC; sorted, so equal estates are equal."""
    keys = estate.keys
    hosts = current_hosts(estate.hosts, keys)
    accounts = Accounts.of(estate.consoles, estate.cloud_sites, keys)
    cloud = _cloud_devices(estate, keys, hosts)
    views = [
        *(view for view in cloud if not accounts.disown(view)),
        *_host_devices(hosts),
        *_local_devices(estate, keys),
    ]
    sites = _sites(estate, keys, hosts)
    devices = _placed(merged_devices(views), sites)
    by_mac = {device.mac: device for device in devices}
    return Snapshot(
        taken_at=taken_at,
        consoles=_consoles(estate, hosts, keys, by_mac),
        sites=tuple(sites[key] for key in sorted(sites)),
        devices=tuple(devices),
        clients=tuple(merged_clients(_local_clients(estate, keys), by_mac)),
        reads=(*verdicts(estate.cloud_reads, estate.consoles, keys), *accounts.unseen_sites()),
        findings=(*estate.findings, *_failures(estate, keys), *_blocked(hosts), *_skipped(estate, accounts, cloud)),
    )


def _cloud_devices(estate: Estate, keys: ConsoleKeys, hosts: Mapping[str, HostView]) -> list[DeviceView]:
    """Without those of blocked hosts and of registrations that a newer one has replaced.

    Of a host that the cloud has lost it shows what it last knew: nobody has seen those devices now.
    """
    current = {host.host_id: not host.blocked for host in hosts.values()}
    lost = {host.host_id for host in hosts.values() if not host.online}
    known = {host.host_id for host in estate.hosts}
    return [
        replace(view, device=_of_host(view.device, keys.of_host(view.host_id), lost=view.host_id in lost))
        for view in estate.cloud_devices
        if current.get(view.host_id or "", view.host_id not in known)
    ]


def _of_host(device: Device, console: str, *, lost: bool) -> Device:
    return replace(device, console=console, presence=Presence.OFFLINE if lost else device.presence)


def _host_devices(hosts: Mapping[str, HostView]) -> Iterable[DeviceView]:
    """The console itself, from what its host says: it brings the serial number, and a console no list shows."""
    for key, host in hosts.items():
        if host.software_only or host.blocked or not is_mac(key):
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


def _local_devices(estate: Estate, keys: ConsoleKeys) -> Iterable[DeviceView]:
    for console in estate.consoles:
        key = keys.of(console)
        ids = {view.api_id: view.device.mac for view in console.devices if view.api_id}
        for view in console.devices:
            device = view.device
            uplink = device.uplink_mac or ids.get(view.uplink_id or "")
            is_console = device.mac == key if is_mac(key) else device.is_console
            yield replace(view, device=replace(device, console=key, is_console=is_console, uplink_mac=uplink))


def _local_clients(estate: Estate, keys: ConsoleKeys) -> Iterable[ClientView]:
    for console in estate.consoles:
        key = keys.of(console)
        ids = {view.api_id: view.device.mac for view in console.devices if view.api_id}
        for view in console.clients:
            uplink = view.client.uplink_mac or ids.get(view.uplink_id or "")
            yield replace(view, client=replace(view.client, console=key, uplink_mac=uplink))


def _sites(estate: Estate, keys: ConsoleKeys, hosts: Mapping[str, HostView]) -> dict[str, Site]:
    """The console's own words over the cloud's, which alone knows the gateway and the time zone."""
    found: dict[str, Site] = {}
    blocked = {key for key, host in hosts.items() if host.blocked}
    cloud = [(keys.of_host(view.host_id), view) for view in estate.cloud_sites]
    local = [(keys.of(console), view) for console in estate.consoles for view in console.sites]
    for console, view in [*((key, view) for key, view in cloud if key not in blocked), *local]:
        known = found.get(f"{console}/{view.short_name}")
        site = Site(
            console=console,
            short_name=view.short_name,
            name=view.name or (known.name if known else view.short_name),
            gateway_mac=view.gateway_mac or (known.gateway_mac if known else None),
            time_zone=view.time_zone or (known.time_zone if known else None),
        )
        found[site.key] = site
    return found


def _placed(devices: Sequence[Device], sites: Mapping[str, Site]) -> list[Device]:
    """Site Manager names no site: a device belongs to its console's only one, or to the site whose gateway it is."""
    of_console: dict[str, list[Site]] = {}
    for site in sites.values():
        of_console.setdefault(site.console, []).append(site)
    gateways = {(site.console, site.gateway_mac): site for site in sites.values() if site.gateway_mac}
    return [
        _place(device, of_console.get(device.console, []), gateways.get((device.console, device.mac)))
        for device in devices
    ]


def _place(device: Device, sites: Sequence[Site], routed: Site | None) -> Device:
    if routed is not None:
        device = replace(device, features=device.features | {"gateway"}, site=device.site or routed.short_name)
    if device.site is None and len(sites) == 1:
        return replace(device, site=sites[0].short_name)
    return device


def _consoles(
    estate: Estate, hosts: Mapping[str, HostView], keys: ConsoleKeys, devices: Mapping[str, Device]
) -> tuple[Console, ...]:
    found = {keys.of(v): _local_console(v, keys.of(v), devices) for v in estate.consoles if v.sites or v.devices}
    for key, host in hosts.items():
        if host.blocked:
            continue
        local = found.get(key)
        found[key] = Console(
            key=key,
            name=host.name or (local.name if local else key),
            mac=key if is_mac(key) else None,
            host_id=host.host_id,
            software_only=host.software_only,
            os_version=(local.os_version if local else None) or host.os_version,
            network_version=(local.network_version if local else None) or host.network_version,
            address=local.address if local else None,
            lost=local is None and not host.online,
        )
    for key in sorted({device.console for device in devices.values()} - set(found)):
        found[key] = Console(key=key, name=key, mac=key if is_mac(key) else None)
    return tuple(found[key] for key in sorted(found))


def _local_console(view: ConsoleView, key: str, devices: Mapping[str, Device]) -> Console:
    own, system = devices.get(key), view.system
    return Console(
        key=key,
        name=(own.name if own else None) or system.name or view.address,
        mac=key if is_mac(key) else None,
        host_id=view.host_id,
        os_version=system.os_version,
        network_version=system.network_version,
        address=view.address if view.host_id is None else None,
    )


def _failures(estate: Estate, keys: ConsoleKeys) -> Iterable[Finding]:
    """One for each console that could not be read whole, with its first cause."""
    for view in estate.consoles:
        if view.error is None:
            continue
        lost = sum(1 for read in view.reads if not read.complete)
        more = f" {lost} of its {len(view.reads)} collections are missing or cut." if lost > 1 else ""
        yield Finding(
            record=f"console/{shown(keys.of(view))}",
            rule=view.error.code,
            severity=Severity.WARNING,
            message=f"{view.error}{more}",
        )


def _blocked(hosts: Mapping[str, HostView]) -> Iterable[Finding]:
    for key, host in sorted(hosts.items()):
        if host.blocked:
            yield Finding(
                record=f"console/{shown(key)}",
                rule="source.blocked",
                severity=Severity.WARNING,
                message=f"Console {shown(host.name or host.host_id[:12])} is blocked in Site Manager: skipped.",
            )


def _skipped(estate: Estate, accounts: Accounts, cloud: Iterable[DeviceView]) -> Iterable[Finding]:
    counts = Counter(estate.skipped)
    for console in estate.consoles:
        counts.update(console.skipped)
    counts["device that Site Manager lists and its console does not"] += sum(map(accounts.disown, cloud))
    for reason, count in sorted(counts.items()):
        if count:
            yield Finding(
                record="source", rule="source.skipped", severity=Severity.INFO, message=f"{count} left out: {reason}."
            )
