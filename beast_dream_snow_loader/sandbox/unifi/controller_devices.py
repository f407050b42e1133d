"""The controller's device record (``stat/device``), with the oddities of real ones.

Numbers arrive as strings on some models and as numbers on others, old firmware keeps LLDP in the port table, plugs
have lower-case serials, offline and unadopted devices lack half their fields. Port tables are made once per model.
"""

from __future__ import annotations

from functools import lru_cache

from beast_dream_snow_loader.sandbox.estate.estate import Estate
from beast_dream_snow_loader.sandbox.estate.identifiers import colons, digest, name_uuid, object_id, private_twin
from beast_dream_snow_loader.sandbox.estate.models import Kind, Model, model_of
from beast_dream_snow_loader.sandbox.estate.things import EstateDevice
from beast_dream_snow_loader.sandbox.unifi.answers import Json

_OLD_LLDP = ("US8", "USC8", "US16", "US24P250", "US48P500")
_POWER = frozenset((Kind.PDU, Kind.PLUG, Kind.UPS))
_WIRED_NAMES = ("lan", "wan", "wan2")
_SECRETS = ("x_authkey", "x_inform_authkey", "x_vwirekey", "syslog_key", "guest_token", "x_ssh_hostkey_fingerprint")
"""Fields that hold live keys on a real controller: present, so that what should drop them is put to the test."""


def device_record(estate: Estate, device: EstateDevice) -> Json:
    """The full record as ``stat/device`` gives it."""
    if not device.adopted:
        return _neighbour(device)
    now = int(estate.clock.now().timestamp())
    return {
        **_identity(device),
        **_firmware(device),
        **{name: f"sandbox-secret-{name}" for name in _SECRETS},
        **_life(estate, device, now),
        **({} if device.name is None else {"name": device.name}),
        **_addresses(device),
        **_links(estate, device),
        **_tables(device),
        **_load(device),
    }


def basic_record(device: EstateDevice) -> Json:
    """``stat/device-basic``."""
    return {
        "mac": colons(device.mac),
        "state": device.state,
        "adopted": device.adopted,
        "disabled": False,
        "type": device.model.type,
        "model": device.model_code,
        "in_gateway_mode": device.is_gateway,
        **({} if device.name is None else {"name": device.name}),
    }


def _neighbour(device: EstateDevice) -> Json:
    return {
        "_id": "",
        "mac": colons(device.mac),
        "type": device.model.type,
        "model": device.model_code,
        "serial": device.mac,
        "version": device.version,
        "adopted": False,
        "default": True,
        "state": 2,
        "discovered_via": "l2",
        "x_authkey": "sandbox-secret-x_authkey",
    }


def _identity(device: EstateDevice) -> Json:
    mark = object_id(f"device/{device.mark}")
    return {
        "_id": mark,
        "device_id": mark,
        "anon_id": name_uuid(f"anonymous/{device.mac}"),
        "site_id": device.site,
        "mac": colons(device.mac),
        "serial": device.mac.lower() if device.model.kind is Kind.PLUG else device.mac,
        "type": device.model.type,
        "model": device.model_code,
        "adopted": True,
        "default": False,
        "state": device.state,
        "cfgversion": digest(f"configuration/{device.mac}")[:16],
        "board_rev": 1 + int(device.mac[-1], 16),
        "manufacturer_id": 4,
        "license_state": "registered",
        "inform_ip": "192.0.2.1",
        "inform_url": "http://192.0.2.1:8080/inform",
        "required_version": "4.0.0",
        "has_fan": False,
        "has_temperature": False,
        "led_override": "on",
        "locating": False,
        "isolated": False,
    }


def _firmware(device: EstateDevice) -> Json:
    updates = device.mac[-1] in "048C"
    return {
        "version": device.version,
        "displayable_version": device.short_version,
        "upgradable": updates,
        **({"upgrade_to_firmware": "9.9.99.12345"} if updates else {}),
        "model_in_eol": device.model_code.startswith(("US8", "U7LT", "UGW")),
        "model_in_lts": False,
        "unsupported": False,
        "unsupported_reason": 0,
    }


def _life(estate: Estate, device: EstateDevice, now: int) -> Json:
    if not device.online:
        return {"last_seen": int(estate.moment(device.seen_ago).timestamp())}
    started = int(estate.moment(device.started_ago).timestamp())
    return {
        "last_seen": now - int(device.mac[-1], 16),
        "uptime": now - started,
        "_uptime": now - started,
        "startup_timestamp": started,
        "connected_at": started + 60,
        "provisioned_at": started + 90,
        "next_interval": 27,
    }


def _addresses(device: EstateDevice) -> Json:
    if not device.ip:
        return {}
    return {
        "ip": device.ip,
        **({"lan_ip": device.lan_ip} if device.lan_ip else {}),
        "connect_request_ip": device.ip,
        "connect_request_port": "48591",
        "config_network": {"type": "dhcp", "ip": device.ip},
    }


def _links(estate: Estate, device: EstateDevice) -> Json:
    if device.is_gateway:
        wan = {"ip": device.ip, "up": True, "ifname": "eth8", "name": "eth8", "speed": 1000, "is_uplink": True}
        uplink = {"type": "wire", "name": "eth8", "ip": device.ip, "up": True, "port_idx": 9, "comment": "WAN"}
        return {"uplink": uplink, "wan1": wan, "network_table": _networks(device)}
    parent = estate.find_device(device.uplink)
    if parent is None:
        return {"uplink": {"type": "wire", "name": "eth0", "ip": "0.0.0.0", "up": device.online}}
    link = _link(device, parent)
    last = {key: link[key] for key in ("type", "uplink_mac", "uplink_device_name", "uplink_remote_port") if key in link}
    if not device.online:
        return {"last_uplink": last}
    return {"uplink": {**link, **_link_state(device)}, "last_uplink": last, **_lldp(device, parent)}


def _link(device: EstateDevice, parent: EstateDevice) -> Json:
    link: Json = {"type": "wireless" if device.wireless else "wire", "uplink_mac": colons(parent.mac)}
    if parent.name is not None:
        link["uplink_device_name"] = parent.name
    if device.uplink_port:
        link["uplink_remote_port"] = device.uplink_port
    return link


def _link_state(device: EstateDevice) -> Json:
    if device.wireless:
        return {"up": True, "radio": "na", "essid": "mesh", "channel": 44, "rssi": 60, "tx_rate": 54000}
    return {
        "mac": colons(device.mac),
        "ip": "0.0.0.0" if device.model.kind is Kind.ACCESS_POINT else device.ip,
        "name": "eth0",
        "up": True,
        "full_duplex": True,
        "speed": min(device.model.speed, 1000),
        "max_speed": device.model.speed,
        "num_port": device.model.ports,
        "port_idx": _uplink_port(device.model),
        "rx_bytes-r": 880.5,
        "tx_bytes-r": 120,
        "uplink_source": "lldp",
    }


def _uplink_port(model: Model) -> int:
    return model.ports if model.kind is Kind.SWITCH else 1


def _lldp(device: EstateDevice, parent: EstateDevice) -> Json:
    if device.wireless or device.model_code.startswith(_OLD_LLDP):
        return {}
    row: Json = {
        "chassis_id": colons(parent.mac),
        "is_wired": True,
        "local_port_idx": _uplink_port(device.model),
        "local_port_name": "eth0",
        "port_id": f"Port {device.uplink_port or ''}",
    }
    if int(device.mac[-1], 16) % 2:
        row["chassis_id_subtype"] = "mac"
    return {"lldp_table": [row]}


def _networks(device: EstateDevice) -> list[Json]:
    return [
        {
            "_id": object_id(f"network/{device.site}"),
            "name": "Default",
            "purpose": "corporate",
            "ip": device.lan_ip,
            "ip_subnet": f"{device.lan_ip}/16",
            "mac": colons(device.mac),
            "enabled": True,
            "num_sta": 0,
        }
    ]


def _tables(device: EstateDevice) -> Json:
    model = device.model
    tables: Json = {
        "ethernet_table": _ethernet(device),
        "port_table": _port_table(model.code),
        "outlet_table": _outlets(model.code),
    }
    if model.radios:
        tables["radio_table"] = _radio_table(model.code)
        tables["vap_table"] = [
            {"bssid": private_twin(device.mac), "essid": "corp", "radio": "na", "channel": 40, "up": device.online}
        ]
    if model.poe:
        tables["total_max_power"] = 400
    return tables


def _ethernet(device: EstateDevice) -> list[Json]:
    if not device.model.ports:
        return []
    row: Json = {"mac": colons(device.mac), "name": "eth0", "num_port": device.model.ports}
    if device.model_code == "UGW3":
        return [row, {"mac": device.ip, "name": "eth1"}]
    return [row]


@lru_cache(maxsize=256)
def _port_table(code: str) -> list[Json]:
    model = model_of(code)
    return [_port(model, index) for index in range(1, model.ports + 1)]


def _port(model: Model, index: int) -> Json:
    up = index == 1 or index % 3 == 0 or index == model.ports
    fiber = index > model.ports - model.sfp_ports
    port: Json = {
        "port_idx": index,
        "name": f"SFP+ {index}" if fiber else f"Port {index}",
        "ifname": f"eth{index - 1}",
        "media": "SFP+" if fiber else "GE",
        "up": up,
        "enable": True,
        "is_uplink": index == _uplink_port(model) and model.kind is not Kind.GATEWAY,
        "speed": 1000 if up else 0,
        "speed_caps": 1048623,
        "full_duplex": up,
        "autoneg": True,
        "op_mode": "switch",
        "portconf_id": object_id("portconf/all"),
        "aggregated_by": 1 if model.code == "USAGGPRO" and index == 2 else False,
        "stp_state": "forwarding" if up else "disabled",
        "rx_bytes": 2275836363755,
        "tx_bytes": 124375473,
        "rx_bytes-r": 452.25,
        "tx_bytes-r": 124,
        "mac_table": [],
        "port_poe": model.poe and not fiber,
    }
    if model.code == "UGW3":
        del port["port_idx"]
    if model.kind is Kind.GATEWAY:
        port["network_name"] = _WIRED_NAMES[max(0, index - model.ports + 2)]
    if port["port_poe"]:
        port |= {"poe_enable": up, "poe_power": "4.22", "poe_voltage": "53.12", "poe_current": "79.50"}
    if model.code.startswith(_OLD_LLDP):
        port["lldp_table"] = []
    return port


@lru_cache(maxsize=256)
def _radio_table(code: str) -> list[Json]:
    names = {"2.4": ("ng", "auto", "20"), "5": ("na", 40, 80), "6": ("6e", "37", "320"), "60": ("ad", 2, 1080)}
    return [
        {"radio": names[band][0], "name": f"wifi{place}", "channel": names[band][1], "ht": names[band][2], "nss": 2}
        for place, band in enumerate(model_of(code).radios)
    ]


@lru_cache(maxsize=256)
def _outlets(code: str) -> list[Json]:
    model = model_of(code)
    if model.kind not in _POWER:
        return []
    count = {"UP1": 1, "UP6": 7}.get(code, 8 if model.kind is Kind.UPS else 20)
    return [_outlet(index, metered=model.kind is Kind.PDU and index > 4) for index in range(1, count + 1)]


def _outlet(index: int, *, metered: bool) -> Json:
    outlet: Json = {
        "index": index,
        "name": f"Outlet {index}",
        "relay_state": True,
        "has_relay": True,
        "has_metering": metered,
        "cycle_enabled": False,
    }
    if metered:
        outlet |= {"outlet_power": "73.827", "outlet_voltage": "119.644", "outlet_current": "0.936", "outlet_caps": 3}
    return outlet


def _load(device: EstateDevice) -> Json:
    if not device.online:
        return {"system-stats": {}, "sys_stats": {}}
    stats: Json = {"cpu": "26.6", "mem": "75.7", "uptime": "345678"}
    if "6" in device.model.radios:
        stats = {"cpu": 7.5, "mem": 41.2, "uptime": 345678}
    return {
        "system-stats": stats,
        "sys_stats": {"loadavg_1": "0.15", "loadavg_5": "0.05", "mem_total": 128622592, "mem_used": 63606784},
        "satisfaction": 98,
        "num_sta": 4,
        "user-num_sta": 4,
        "guest-num_sta": 0,
        **({"vbms_table": {"battery_level": 99.5}} if device.model.kind is Kind.UPS else {}),
    }
