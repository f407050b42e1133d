"""Network Integration's view of devices and clients (UniFi Network OpenAPI 9.0 to 10.5)."""

from __future__ import annotations

from functools import lru_cache

from beast_dream_snow_loader.sandbox.estate.estate import Estate
from beast_dream_snow_loader.sandbox.estate.identifiers import colons, digest, name_uuid
from beast_dream_snow_loader.sandbox.estate.models import Kind, Model
from beast_dream_snow_loader.sandbox.estate.things import EstateClient, EstateConsole, EstateDevice, EstateSite, Link
from beast_dream_snow_loader.sandbox.unifi.answers import Json
from beast_dream_snow_loader.sandbox.unifi.host_views import instant

_STATES = {0: "OFFLINE", 1: "ONLINE", 2: "PENDING_ADOPTION", 4: "UPDATING", 5: "GETTING_READY"}
_SWITCHING = frozenset((Kind.SWITCH, Kind.GATEWAY))
_SHY_GATEWAYS = frozenset(("UDMA67A", "UDMA69B"))
"""Gateways that do not say so among their features (a recorded UDR7)."""
_WLAN = {"2.4": "802.11ax", "5": "802.11ax", "6": "802.11be", "60": "802.11ad"}
_WIDTH = {"2.4": 20, "5": 80, "6": 320, "60": 1080}
_CHANNEL = {"2.4": 6, "5": 40, "6": 37, "60": 2}


@lru_cache(maxsize=65536)
def device_id(host_id: str, mark: str) -> str:
    """A name-based UUID, local to the console; ``mark`` as :attr:`EstateDevice.mark`."""
    return name_uuid(f"device/{host_id}/{mark}")


def _id_of(estate: Estate, host_id: str, mac: str) -> str:
    device = estate.find_device(mac)
    return device_id(host_id, device.mark if device else mac)


def client_id(client: EstateClient) -> str:
    return name_uuid(f"client/{client.host_id}/{client.key}")


def is_current(console: EstateConsole) -> bool:
    """Network 10 and later: more fields, more endpoints."""
    return int(console.network_version.partition(".")[0]) >= 10


def site_view(site: EstateSite) -> Json:
    return {"id": site.external_id, "internalReference": site.name, "name": site.title}


def device_view(console: EstateConsole, device: EstateDevice) -> Json:
    """The overview in a list: ``features`` and ``interfaces`` are arrays."""
    model = device.model
    return {
        "id": device_id(device.host_id, device.mark),
        **_common(console, device),
        "features": _features(model),
        "interfaces": [*(["ports"] if model.ports else []), *(["radios"] if model.radios else [])],
    }


def device_detail(estate: Estate, console: EstateConsole, device: EstateDevice) -> Json:
    """One device: ``features`` and ``interfaces`` are objects, and the uplink has no port."""
    model = device.model
    uplink = {"uplink": {"deviceId": _id_of(estate, device.host_id, device.uplink)}} if device.uplink else {}
    return {
        "id": device_id(device.host_id, device.mark),
        **_common(console, device),
        "features": {name: {"lags": []} if name == "switching" else {} for name in _features(model)},
        "interfaces": {
            **({"ports": [_port(device, index) for index in range(1, model.ports + 1)]} if model.ports else {}),
            **({"radios": [_radio(band, device) for band in model.radios]} if model.radios else {}),
        },
        "configurationId": digest(f"configuration/{device.mac}")[:16],
        "provisionedAt": instant(estate.moment(device.started_ago)),
        **uplink,
        **({} if device.is_console else {"adoptedAt": instant(estate.moment(device.adopted_ago))}),
    }


def _common(console: EstateConsole, device: EstateDevice) -> Json:
    return {
        "macAddress": colons(device.mac),
        "ipAddress": device.ip or "unknown",
        "name": device.model.name if device.name is None else device.name,
        "model": device.model.name,
        "state": _STATES.get(device.state, "CONNECTION_INTERRUPTED"),
        **(_firmware(device) if is_current(console) else {}),
    }


def _firmware(device: EstateDevice) -> Json:
    return {
        "supported": device.model.kind not in (Kind.PDU, Kind.RPS),
        **({"firmwareVersion": device.short_version} if device.online else {}),
        "firmwareUpdatable": device.mac[-1] in "048C",
    }


def _features(model: Model) -> list[str]:
    names = ["switching"] if model.kind in _SWITCHING else []
    if model.radios and model.kind is not Kind.BRIDGE:
        names.append("accessPoint")
    if model.kind is Kind.GATEWAY and model.code not in _SHY_GATEWAYS:
        names.append("gateway")
    return names


def _port(device: EstateDevice, index: int) -> Json:
    model = device.model
    fiber = index > model.ports - model.sfp_ports
    speed = model.speed if fiber else min(model.speed, 2500)
    up = device.online and (index == 1 or index % 3 == 0 or index == model.ports)
    port: Json = {
        "idx": index,
        "state": "UP" if up else "DOWN",
        "connector": "SFPPLUS" if fiber else "RJ45",
        "maxSpeedMbps": speed,
        **({"speedMbps": min(speed, 1000)} if up else {}),
    }
    if model.poe and not fiber:
        port["poe"] = {"standard": "802.3at", "type": 2, "enabled": True, "state": "UP" if up else "DOWN"}
    return port


def _radio(band: str, device: EstateDevice) -> Json:
    return {
        "wlanStandard": _WLAN[band],
        "frequencyGHz": float(band) if "." in band else int(band),
        "channelWidthMHz": _WIDTH[band],
        **({"channel": _CHANNEL[band]} if device.online else {}),
    }


def statistics_view(estate: Estate, device: EstateDevice) -> Json:
    now = estate.clock.now()
    return {
        "uptimeSec": int((now - estate.moment(device.started_ago)).total_seconds()),
        "lastHeartbeatAt": instant(now),
        "nextHeartbeatAt": instant(now),
        "loadAverage1Min": 0.42,
        "loadAverage5Min": 0.4,
        "loadAverage15Min": 0.38,
        "cpuUtilizationPct": 7.5,
        "memoryUtilizationPct": 41.2,
        "uplink": {"txRateBps": 120000, "rxRateBps": 880000},
    }


def pending_view(site: EstateSite, device: EstateDevice) -> Json:
    """A device that waits for adoption: no id, no name."""
    return {
        "macAddress": colons(device.mac),
        "ipAddress": "192.0.2.99",
        "model": device.model.name,
        "state": "PENDING_ADOPTION",
        "supported": True,
        "firmwareUpdatable": True,
        "features": _features(device.model),
        "adoptionTargetSiteIds": [site.external_id],
    }


def client_view(estate: Estate, client: EstateClient, *, detail: bool = False) -> Json:
    """A connected client. VPN and Teleport clients have no address of their own kind and no uplink."""
    view: Json = {
        "type": client.link.value,
        "id": client_id(client),
        "name": _client_name(client),
        "access": _access(estate, client, detail),
    }
    if client.odd != 1:
        view["connectedAt"] = instant(estate.moment(client.seen_ago % 86400))
    if client.ip and client.link is not Link.TELEPORT:
        view["ipAddress"] = client.ip
    if client.mac:
        view["macAddress"] = colons(client.mac)
    if client.uplink:
        view["uplinkDeviceId"] = _id_of(estate, client.host_id, client.uplink)
    return view


def _client_name(client: EstateClient) -> str:
    if client.name:
        return client.name
    if not client.mac:
        return "Teleport client"
    mac = colons(client.mac)
    return f"{client.host_name} {mac[-5:]}" if client.host_name else mac


def _access(estate: Estate, client: EstateClient, detail: bool) -> Json:
    if not client.guest:
        return {"type": "DEFAULT"}
    access: Json = {"type": "GUEST", "authorized": True}
    if detail:
        access["authorization"] = {
            "authorizedAt": instant(estate.moment(3600)),
            "authorizationMethod": "VOUCHER",
            "expiresAt": instant(estate.moment(-28800)),
        }
    return access
