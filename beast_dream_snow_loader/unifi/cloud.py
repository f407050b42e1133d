"""Reading Site Manager, and the way through it to consoles we cannot reach ourselves."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from beast_dream_snow_loader.core.observed import Read, Subject
from beast_dream_snow_loader.core.shown import shown
from beast_dream_snow_loader.unifi.apis import site_manager
from beast_dream_snow_loader.unifi.client import Endpoint, by_token, segment
from beast_dream_snow_loader.unifi.config import UniFiSettings
from beast_dream_snow_loader.unifi.door import Transports
from beast_dream_snow_loader.unifi.joining import Estate
from beast_dream_snow_loader.unifi.views import HostView

SITE_MANAGER = "unifi:site-manager"
"""The service's name for its transport."""
CONNECTED = "unifi:connector "
"""Begins the name of the service of a console behind the connector: its limits and its troubles are its own."""


def cloud_endpoint(settings: UniFiSettings, transports: Transports) -> Endpoint | None:
    """Site Manager with its key; None when none is configured."""
    if settings.api_key is None:
        return None
    return Endpoint(
        transport=transports(SITE_MANAGER, None),
        base=settings.site_manager_url.rstrip("/"),
        service="UniFi Site Manager",
        settings="UNIFI_API_KEY",
        headers={"X-API-Key": settings.api_key.reveal()},
    )


def read_cloud(cloud: Endpoint, estate: Estate) -> None:
    """Hosts, sites and devices into the estate; what came before a failure stays there."""
    estate.hosts.extend(filter(None, map(site_manager.host, by_token(cloud, site_manager.HOSTS))))
    estate.cloud_sites.extend(filter(None, map(site_manager.site, by_token(cloud, site_manager.SITES))))
    grouped: set[str] = set()
    for group in by_token(cloud, site_manager.DEVICES):
        for view in site_manager.devices(group):
            grouped.add(str(group.get("hostId")))
            if view is None:
                estate.skipped["device without a MAC address, or not managed there"] += 1
            else:
                estate.cloud_devices.append(view)
    estate.cloud_reads.extend(_verdicts(estate, grouped))


def _verdicts(estate: Estate, grouped: set[str]) -> list[Read]:
    """The device list holds only hosts whose owner or super admin the key belongs to (unifi-api 1.1): a host that has
    devices by its sites' counts and none in the list was not read."""
    devices = Counter(view.host_id for view in estate.cloud_devices)
    sites = Counter(site.host_id for site in estate.cloud_sites)
    counted: Counter[str | None] = Counter()
    for site in estate.cloud_sites:
        counted[site.host_id] += site.device_count
    reads = []
    for host in (host for host in estate.hosts if not host.blocked):
        hidden = bool(counted[host.host_id]) and host.host_id not in grouped
        reads.append(Read(console=host.host_id, subject=Subject.SITES, records=sites[host.host_id]))
        reads.append(
            Read(
                console=host.host_id,
                subject=Subject.DEVICES,
                complete=not hidden,
                records=devices[host.host_id],
                reason="Site Manager lists its devices only to its owner or a super admin" if hidden else "",
            )
        )
    return reads


def unread_hosts(estate: Estate) -> list[HostView]:
    """Hosts that run Network and were not read, with success, at their own address."""
    keys = estate.keys
    read = {keys.of(view) for view in estate.consoles if view.sites}
    found: dict[str, HostView] = {}
    for host in estate.hosts:
        key = keys.of_host(host.host_id)
        if "network" in host.applications and not host.blocked and key not in read:
            newest = found.get(key)
            if newest is None or _changed(host) > _changed(newest):
                found[key] = host
    return list(found.values())


def through(cloud: Endpoint, host: HostView, transports: Transports) -> Endpoint:
    """The console's own API behind the connector (unifi-api 1.7)."""
    return replace(
        cloud,
        transport=transports(f"{CONNECTED}{host.host_id[:12]}", None),
        base=f"{cloud.base}/v1/connector/consoles/{segment(host.host_id)}",
        service=f"console {shown(host.name or host.host_id[:12])} through Site Manager",
        settings="UNIFI_API_KEY (it must belong to the console's owner)",
    )


def _changed(host: HostView) -> float:
    return host.changed_at.timestamp() if host.changed_at else 0.0
