"""The controller API (unifi-api 3): sites, full device records, clients of one console.

Device records hold keys (``x_authkey`` and kin); only what is named here is read.
"""

from __future__ import annotations

from dataclasses import replace

from beast_dream_snow_loader.core.normalize import ip as usable_ip
from beast_dream_snow_loader.core.normalize import mac12, version3
from beast_dream_snow_loader.core.observed import Client, Device, Presence
from beast_dream_snow_loader.unifi.apis.fields import Json, epoch, flag, integer, rows, section, text
from beast_dream_snow_loader.unifi.apis.fingerprints import category
from beast_dream_snow_loader.unifi.views import ClientView, DeviceView, Rank, SiteView, SystemView

GATEWAY_TYPES = frozenset({"ugw", "usg", "uxg", "ucg", "udm"})
CONSOLE_TYPES = frozenset({"udm", "ucg"})

_PENDING, _ADOPTING, _DELETING, _ADOPTION_FAILED = 2, 7, 8, 10
_NOT_OURS = frozenset({_PENDING, _ADOPTING, _DELETING, _ADOPTION_FAILED})
_PRESENCE = {0: Presence.OFFLINE, 1: Presence.ONLINE}
_OUTSIDE = frozenset({"wan", "wan2", "vpn-client"})


def site(record: Json) -> SiteView | None:
    short_name = text(record, "name")
    if short_name is None:
        return None
    return SiteView(
        short_name=short_name, name=text(record, "desc"), api_id=short_name, record_id=text(record, "_id") or ""
    )


def system(record: Json) -> SystemView:
    """``stat/sysinfo``: ``version`` is the Network application's, the console's own goes by other names (3.3)."""
    return SystemView(
        name=text(record, "hostname"),
        network_version=text(record, "version"),
        os_version=text(record, "console_display_version"),
    )


def device(record: Json, site_name: str | None) -> DeviceView | None:
    """One record of ``stat/device``; None without a usable MAC, or when it is not adopted here (gotcha 5)."""
    mac, state = mac12(text(record, "mac")), integer(record, "state")
    if mac is None or flag(record, "adopted") is not True or state in _NOT_OURS:
        return None
    kind = (text(record, "type") or "").lower()
    uplink = _uplink(record, mac)
    lan = _lan_ip(record) if kind in GATEWAY_TYPES else None
    seen = Device(
        mac=mac,
        console="",
        site=site_name,
        name=text(record, "name"),
        model_code=text(record, "model"),
        type=kind or None,
        product_line="network",
        features=_features(record),
        serial=text(record, "serial"),
        management_ip=lan or (None if _routes(record, kind) else usable_ip(text(record, "ip"))),
        firmware=version3(text(record, "displayable_version", "version")),
        presence=_PRESENCE.get(-1 if state is None else state, Presence.TRANSIENT),
        is_console=kind in CONSOLE_TYPES and _own_uplink(record) is None,
        port_count=sum(1 for port in rows(record, "port_table") if "port_idx" in port) or None,
        uplink_mac=uplink,
        last_seen=epoch(record, "last_seen"),
    )
    never = seen.presence is Presence.OFFLINE and seen.last_seen is None
    return DeviceView(device=replace(seen, ever_online=not never), rank=Rank.CONTROLLER, lan_ip=lan is not None)


def client(record: Json, site_name: str | None, *, connected: bool) -> ClientView | None:
    """One record of ``stat/sta`` (connected) or ``rest/user`` (ever known); None without a MAC (gotcha 11)."""
    mac = mac12(text(record, "mac"))
    if mac is None:
        return None
    wired = _wired(record)
    above = text(record, "ap_mac") if wired is False else text(record, "sw_mac", "last_uplink_mac")
    seen = Client(
        mac=mac,
        console="",
        site=site_name,
        name=text(record, "name"),
        host_name=text(record, "hostname"),
        ip=usable_ip(text(record, "ip")) or usable_ip(text(record, "last_ip")),
        vendor=text(record, "oui"),
        wired=wired,
        guest=flag(record, "is_guest") is True,
        blocked=flag(record, "blocked") is True,
        connected=connected,
        category=category(integer(record, "dev_cat")),
        uplink_mac=mac12(above) or mac12(text(record, "last_uplink_mac")),
        first_seen=epoch(record, "first_seen"),
        last_seen=epoch(record, "last_seen"),
    )
    return ClientView(client=seen, rank=Rank.CONTROLLER)


def _features(record: Json) -> frozenset[str]:
    """What the record's tables show, not what the type says: a PDU and a UPS are typed ``usw`` (unifi-api 4.2)."""
    shown = {"outlets": "outlet_table", "ports": "port_table"}
    found = {feature for feature, table in shown.items() if any(True for _ in rows(record, table))}
    return frozenset(found | ({"battery"} if section(record, "vbms_table") else set()))


def _lan_ip(record: Json) -> str | None:
    """A gateway's inside address: named outright, or in its network table."""
    tables = (text(row, "ip") for row in rows(record, "network_table") if text(row, "purpose") not in _OUTSIDE)
    named = (text(record, "lan_ip"), *tables)
    return next((address for address in map(usable_ip, named) if address), None)


def _routes(record: Json, kind: str) -> bool:
    """``ip`` of a gateway is its WAN address (unifi-api 3.4), unless it serves as a plain access point (4.2)."""
    return kind in GATEWAY_TYPES and _own_uplink(record) is None


def _own_uplink(record: Json) -> str | None:
    """The UniFi device above: gateways have none (unifi-api 3.4)."""
    return mac12(text(section(record, "uplink"), "uplink_mac"))


def _uplink(record: Json, mac: str) -> str | None:
    """The device above, from the live link or the last one known; never itself."""
    above = _own_uplink(record) or mac12(text(section(record, "last_uplink"), "uplink_mac"))
    return above if above != mac else None


def _wired(record: Json) -> bool | None:
    """By evidence: ``is_wired`` turns true for a wireless client that just left (gotcha 7), while an access point's MAC
    or a network name is only there for wireless ones."""
    if text(record, "ap_mac", "essid"):
        return False
    return flag(record, "is_wired")
