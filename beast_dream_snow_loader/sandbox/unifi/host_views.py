"""Site Manager's view: hosts, sites, devices (Site Manager API v1.0.0 and recorded answers)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from beast_dream_snow_loader.sandbox.estate.estate import Estate
from beast_dream_snow_loader.sandbox.estate.identifiers import colons, digest, name_uuid
from beast_dream_snow_loader.sandbox.estate.models import Kind, Model, model_of
from beast_dream_snow_loader.sandbox.estate.things import (
    EstateClient,
    EstateConsole,
    EstateDevice,
    EstateSite,
    HostType,
    Link,
)
from beast_dream_snow_loader.sandbox.unifi.answers import Json

_DAY = 86400
_STATUS = {0: "offline", 4: "updating", 5: "gettingReady"}
_ISSUES = [{"index": 5879001, "latencyAvgMs": 12, "wanDowntime": True}, {"index": 5879007, "highLatency": True}]
_APPLICATIONS = ("network", "protect", "access", "talk")


def instant(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def host_view(estate: Estate, console: EstateConsole) -> Json:
    """One host; ``reportedState`` by its type, null when it reports nothing."""
    server = console.type is HostType.NETWORK_SERVER
    return {
        "id": console.host_id,
        "hardwareId": console.hardware_id,
        "type": console.type.value,
        "ipAddress": console.wan_ip,
        "owner": console.owner,
        "isBlocked": console.blocked,
        "registrationTime": "" if server else instant(estate.moment(1000 * _DAY)),
        "lastConnectionStateChange": estate.moment(2 * _DAY).strftime("%Y-%m-%dT%H:%M:%S.391Z"),
        "latestBackupTime": instant(estate.moment(_DAY)) if console.runs_network and not server else "",
        "userData": None if server else _user_data(console),
        "reportedState": _reported_state(console) if console.reports else None,
    }


def _user_data(console: EstateConsole) -> Json:
    return {
        "apps": ["users"],
        "controllers": list(console.applications),
        "email": "netops@example.com",
        "fullName": "Example NetOps",
        "localId": name_uuid(f"user/{console.host_id}"),
        "permissions": {f"{name}.management": ["admin"] for name in console.applications},
        "role": "owner",
        "roleId": name_uuid("role/owner"),
        "status": "ACTIVE",
    }


def _reported_state(console: EstateConsole) -> Json:
    return _server_state(console) if console.type is HostType.NETWORK_SERVER else _console_state(console)


def _server_state(console: EstateConsole) -> Json:
    return {
        "controller_uuid": console.hardware_id,
        "deviceId": console.host_id,
        "firmware_version": None,
        "hardware_id": console.hardware_id,
        "host_type": 0,
        "hostname": "unifi.example.com",
        "inform_port": 8080,
        "ipAddrs": [console.lan_ip],
        "mgmt_port": 8443,
        "name": console.name,
        "override_inform_host": False,
        "release_channel": "release",
        "state": _state(console),
        "version": console.network_version,
    }


def _console_state(console: EstateConsole) -> Json:
    model = model_of(console.model)
    return {
        "availableChannels": ["release", "release-candidate"],
        "consolesOnSameLocalNetwork": [],
        "controller_uuid": console.host_id,
        "controllers": [_application(console, name) for name in _APPLICATIONS],
        "country": 528,
        "deviceState": "online",
        "firmwareUpdate": {"latestAvailableVersion": "5.1.26" if console.runs_network else None},
        "hardware": _hardware(console, model),
        "host_type": model.system_id,
        "hostname": console.name.lower().replace(" ", "-").encode("ascii", "ignore").decode(),
        "ip": console.wan_ip,
        "ipAddrs": [console.wan_ip, console.lan_ip, "fe80::1"],
        "isStacked": False,
        "location": {"lat": 52.1, "long": 5.1, "radius": 200, "text": "Example City"},
        "mac": console.mac,
        "mgmt_port": 443,
        "name": console.name,
        "releaseChannel": "release",
        "state": _state(console),
        "timezone": console.time_zone,
        "uidb": _uidb(model),
        "unadoptedUnifiOSDevices": [],
        "version": console.os_version,
        "wans": [_wan(console)],
    }


def _state(console: EstateConsole) -> str:
    return "connected" if console.reachable else "disconnected"


def _application(console: EstateConsole, name: str) -> Json:
    present = name in console.applications
    version = {"network": console.network_version, "protect": "7.2.84"}.get(name, "") if present else ""
    return {
        "abridged": True,
        "controllerStatus": "READY" if present else "OFFLINE",
        "initialDeviceListSynced": present,
        "installState": "installed" if present else "uninstalled",
        "isConfigured": present,
        "isInstalled": present,
        "isRunning": present,
        "name": name,
        "port": 8081 if name == "network" else 7080,
        "releaseChannel": "release",
        "required": name == "network",
        "state": "active" if present else "inactive",
        "status": "ok" if present else "",
        "type": "controller",
        "uiVersion": version,
        "version": version,
    }


def _hardware(console: EstateConsole, model: Model) -> Json:
    return {
        "cpu.id": "example",
        "debianCodename": "bullseye",
        "firmwareVersion": console.os_version,
        "hwrev": 3,
        "mac": console.mac,
        "name": f"UniFi {model.name}",
        "serialno": console.mac.lower(),
        "shortname": model.shortname,
        "sysid": model.system_id,
        "uuid": console.hardware_id,
    }


def _wan(console: EstateConsole) -> Json:
    return {
        "enabled": True,
        "interface": "eth8",
        "ipv4": console.wan_ip,
        "mac": console.mac,
        "plugged": True,
        "port": 9,
        "type": "WAN",
    }


def device_group(estate: Estate, console: EstateConsole) -> Json:
    """A host's row in ``/v1/devices``: no sites here, no serial numbers, no uplinks."""
    seen = estate.clock.now() if console.reachable else estate.moment(50 * _DAY)
    return {
        "hostId": console.host_id,
        "hostName": console.name if console.type is not HostType.NETWORK_SERVER else "unifi.example.com",
        "devices": [_device(estate, console, one) for one in estate.devices(console.host_id) if one.adopted],
        "updatedAt": instant(seen),
    }


def _device(estate: Estate, console: EstateConsole, device: EstateDevice) -> Json:
    model, hosted = device.model, console.type is HostType.NETWORK_SERVER
    updates = device.mac[-1] in "048C"
    return {
        "id": device.mac,
        "mac": device.mac,
        "name": model.name if device.name is None else device.name,
        "model": model.name,
        "shortname": model.shortname,
        "ip": device.ip,
        "productLine": None if hosted else model.product_line,
        "status": _STATUS.get(device.state, "online"),
        "version": device.short_version,
        "firmwareStatus": "updateAvailable" if updates else "upToDate",
        "updateAvailable": "9.9.99" if updates else None if device.online else "",
        "isConsole": device.is_console,
        "isManaged": None if hosted else True,
        "startupTime": instant(estate.moment(device.started_ago)) if device.online else None,
        "adoptionTime": None if device.is_console else instant(estate.moment(device.adopted_ago)),
        "note": device.note,
        "uidb": _uidb(model),
    }


def _uidb(model: Model) -> Json:
    mark = digest(f"uidb/{model.code}")
    return {
        "guid": None if model.code == "USMINI" else name_uuid(f"guid/{model.code}"),
        "iconId": name_uuid(f"icon/{model.code}"),
        "id": name_uuid(f"product/{model.code}"),
        "images": {"default": mark, "nopadding": mark[::-1], "topology": mark},
    }


def site_view(estate: Estate, site: EstateSite) -> Json:
    """A site with its counters; ``gatewayMac`` and ``gateway`` are absent where there is none."""
    devices = [device for device in estate.site_devices(site.legacy_id) if device.adopted]
    gateway = next((device for device in devices if device.is_gateway), None)
    console = estate.console(site.host_id)
    return {
        "siteId": site.legacy_id,
        "hostId": site.host_id,
        "meta": {
            "desc": site.title,
            **({"gatewayMac": colons(gateway.mac)} if gateway else {}),
            "name": site.name,
            "timezone": site.time_zone,
        },
        "statistics": {
            "counts": _counts(devices, estate.clients(site.legacy_id)),
            **({"gateway": _gateway(console, gateway)} if gateway else {}),
            "internetIssues": _ISSUES if site.number % 3 == 1 else [],
            **_provider(gateway),
            "percentages": {"wanUptime": 100} if site.number % 2 else {"txRetry": 2.03, "wanUptime": 99.86},
        },
        "permission": "admin" if console.owner else "readonly",
        "isOwner": console.owner,
    }


def _gateway(console: EstateConsole, gateway: EstateDevice) -> Json:
    own = gateway.is_console
    return {
        "hardwareId": console.hardware_id if own else name_uuid(f"hardware/{gateway.mac}"),
        "inspectionState": "off",
        "ipsMode": "disabled",
        "ipsSignature": {"rulesCount": 53031, "type": "ET"},
        "shortname": gateway.model.shortname,
    }


def _provider(gateway: EstateDevice | None) -> Json:
    if gateway is None:
        return {}
    provider = {"name": "Example ISP", "organization": "Example Networks"}
    return {"ispInfo": provider, "wans": {"WAN": {"externalIp": gateway.ip, "ispInfo": provider, "wanUptime": 99.86}}}


def _counts(devices: Sequence[EstateDevice], clients: Sequence[EstateClient]) -> Json:
    here = [client for client in clients if client.connected]
    wifi = [device for device in devices if device.model.kind is Kind.ACCESS_POINT]
    gateways = [device for device in devices if device.is_gateway]
    wired = len(devices) - len(wifi) - len(gateways)
    off = [device for device in devices if not device.online]
    off_wifi = sum(device.model.kind is Kind.ACCESS_POINT for device in off)
    off_gateways = sum(device.is_gateway for device in off)
    return {
        "criticalNotification": 0,
        "gatewayDevice": len(gateways),
        "guestClient": sum(client.guest for client in here),
        "lanConfiguration": 1,
        "offlineDevice": len(off),
        "offlineGatewayDevice": off_gateways,
        "offlineWifiDevice": off_wifi,
        "offlineWiredDevice": len(off) - off_wifi - off_gateways,
        "pendingUpdateDevice": 0,
        "totalDevice": len(devices),
        "wanConfiguration": 2,
        "wifiClient": sum(client.link is Link.WIRELESS for client in here),
        "wifiConfiguration": 2,
        "wifiDevice": len(wifi),
        "wiredClient": sum(client.link is Link.WIRED for client in here),
        "wiredDevice": wired,
    }
