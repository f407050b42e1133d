"""The Site Manager API (unifi-api 1): hosts, sites, devices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from beast_dream_snow_loader.core.normalize import ip as usable_ip
from beast_dream_snow_loader.core.normalize import mac12, version3
from beast_dream_snow_loader.core.observed import Device, Presence
from beast_dream_snow_loader.unifi.apis.fields import Json, flag, instant, integer, rows, section, text, words
from beast_dream_snow_loader.unifi.views import DeviceView, HostView, Rank, SiteView

HOSTS, SITES, DEVICES = "/v1/hosts", "/v1/sites", "/v1/devices"
_PRESENCE = {"online": Presence.ONLINE, "offline": Presence.OFFLINE}
_NOT_OURS = frozenset({"pending", "pendingadoption", "adopting", "adoptionfailed", "deleting"})


def host(record: Json) -> HostView | None:
    """One host; None without an id. Owner, e-mail and location are never read."""
    host_id = text(record, "id")
    if host_id is None:
        return None
    state = section(record, "reportedState")
    hardware = section(state, "hardware")
    return HostView(
        host_id=host_id,
        name=text(state, "name", "hostname"),
        mac=mac12(text(state, "mac")) or mac12(text(hardware, "mac")),
        software_only=text(record, "type") == "network-server",
        blocked=flag(record, "isBlocked") is True,
        online=(text(state, "state") or "connected") == "connected",
        applications=_applications(record, state),
        os_version=text(state, "version"),
        network_version=next(
            (text(c, "version") for c in rows(state, "controllers") if text(c, "name") == "network"), None
        ),
        serial=text(hardware, "serialno"),
        model_code=text(hardware, "shortname"),
        model_name=text(hardware, "name"),
        changed_at=instant(record, "lastConnectionStateChange"),
    )


def site(record: Json) -> SiteView | None:
    """One site; None without a host or a short name."""
    meta = section(record, "meta")
    host_id, short_name = text(record, "hostId"), text(meta, "name")
    if host_id is None or short_name is None:
        return None
    return SiteView(
        short_name=short_name,
        name=text(meta, "desc"),
        api_id=text(record, "siteId") or "",
        host_id=host_id,
        device_count=integer(section(section(record, "statistics"), "counts"), "totalDevice") or 0,
        gateway_mac=mac12(text(meta, "gatewayMac")),
        time_zone=text(meta, "timezone"),
    )


def devices(group: Json) -> Iterator[DeviceView | None]:
    """The devices of one host; None for each that has no usable MAC or is not managed there."""
    host_id = text(group, "hostId")
    for record in rows(group, "devices"):
        yield _device(record, host_id)


def _device(record: Json, host_id: str | None) -> DeviceView | None:
    mac = mac12(text(record, "mac", "id"))
    is_console = flag(record, "isConsole") is True
    status = _word(text(record, "status"))
    if mac is None or (not is_console and (flag(record, "isManaged") is False or status in _NOT_OURS)):
        return None
    device = Device(
        mac=mac,
        console="",
        name=text(record, "name"),
        model_code=text(record, "shortname"),
        model_name=text(record, "model"),
        product_line=text(record, "productLine"),
        management_ip=usable_ip(text(record, "ip")),
        firmware=version3(text(record, "version")),
        presence=_PRESENCE.get(status, Presence.TRANSIENT),
        is_console=is_console,
    )
    return DeviceView(device=device, rank=Rank.SITE_MANAGER, host_id=host_id)


def _word(status: str | None) -> str:
    """States are an open list in changing spellings: ``pendingAdoption``, ``PENDING_ADOPTION``."""
    return (status or "").lower().replace("_", "").replace(" ", "")


def _applications(record: Json, state: Json) -> frozenset[str]:
    """Which applications run: strings under ``userData``, objects under ``reportedState`` (unifi-api 1.3)."""
    installed = [
        c
        for c in rows(state, "controllers")
        if flag(c, "isRunning") is not False and flag(c, "isInstalled") is not False
    ]
    names: Iterable[str | None] = (text(controller, "name") for controller in installed)
    reported = frozenset(name.lower() for name in names if name)
    return reported or words(section(record, "userData"), "controllers")
