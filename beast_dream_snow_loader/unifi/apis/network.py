"""The Network Integration API (unifi-api 2): sites, devices, clients of one console."""

from __future__ import annotations

import re

from beast_dream_snow_loader.core.normalize import ip as usable_ip
from beast_dream_snow_loader.core.normalize import mac12, version3
from beast_dream_snow_loader.core.observed import Client, Device, Presence
from beast_dream_snow_loader.unifi.apis.fields import Json, instant, rows, section, text, words
from beast_dream_snow_loader.unifi.views import ClientView, DeviceView, Rank, SiteView

PREFIX = "/proxy/network/integration/v1"
PAGE = 200
"""The documented most per page; without it a page holds 25 and hides the rest (gotcha 21)."""

DEFAULT_SITE = "88f7af54-98f8-306a-a1c7-c9349722b1f6"
"""The default site's id on every console (unifi-api 2.4)."""

_NOT_OURS = frozenset({"PENDING_ADOPTION", "ADOPTING", "DELETING"})
_PRESENCE = {"ONLINE": Presence.ONLINE, "OFFLINE": Presence.OFFLINE}
_MAC_TAIL = re.compile(r"\s[0-9a-fA-F]{2}:[0-9a-fA-F]{2}$")


def site(record: Json) -> SiteView | None:
    api_id = text(record, "id")
    if api_id is None:
        return None
    short_name = text(record, "internalReference") or ("default" if api_id == DEFAULT_SITE else api_id)
    return SiteView(short_name=short_name, name=text(record, "name"), api_id=api_id)


def device(record: Json, site_name: str | None) -> DeviceView | None:
    """An overview or a detail; None for what has no MAC or is not ours (yet)."""
    mac, state = mac12(text(record, "macAddress")), (text(record, "state") or "").upper()
    if mac is None or state in _NOT_OURS:
        return None
    ports = tuple(rows(section(record, "interfaces"), "ports"))
    seen = Device(
        mac=mac,
        console="",
        site=site_name,
        name=text(record, "name"),
        model_name=text(record, "model"),
        product_line="network",
        features=words(record, "features") | ({"ports"} if ports else frozenset()),
        management_ip=usable_ip(text(record, "ipAddress")),
        firmware=version3(text(record, "firmwareVersion")),
        presence=_PRESENCE.get(state, Presence.TRANSIENT),
        port_count=len(ports) or None,
    )
    uplink = text(section(record, "uplink"), "deviceId")
    return DeviceView(device=seen, rank=Rank.NETWORK, api_id=text(record, "id"), uplink_id=uplink)


def client(record: Json, site_name: str | None) -> ClientView | None:
    """A connected client; None for those without a network identity (VPN, Teleport, types yet unknown)."""
    mac, kind = mac12(text(record, "macAddress")), (text(record, "type") or "").upper()
    if mac is None:
        return None
    seen = Client(
        mac=mac,
        console="",
        site=site_name,
        name=_without_mac(text(record, "name"), mac),
        ip=usable_ip(text(record, "ipAddress")),
        wired={"WIRED": True, "WIRELESS": False}.get(kind),
        vpn=kind in ("VPN", "TELEPORT"),
        guest=text(section(record, "access"), "type") == "GUEST",
        connected=True,
        first_seen=instant(record, "connectedAt"),
    )
    return ClientView(client=seen, rank=Rank.NETWORK, uplink_id=text(record, "uplinkDeviceId"))


def _without_mac(name: str | None, mac: str) -> str | None:
    """An unnamed client is called by its MAC, others may carry its last two octets (gotcha 9)."""
    if name is None or mac12(name) == mac:
        return None
    return _MAC_TAIL.sub("", name) or None
