"""The controller's client records: ``stat/sta`` (connected) and ``rest/user`` (all ever known)."""

from __future__ import annotations

from beast_dream_snow_loader.sandbox.estate.client_profiles import PROFILES
from beast_dream_snow_loader.sandbox.estate.estate import Estate
from beast_dream_snow_loader.sandbox.estate.identifiers import colons, object_id, private_twin
from beast_dream_snow_loader.sandbox.estate.things import EstateClient, Link
from beast_dream_snow_loader.sandbox.unifi.answers import Json


def station_record(estate: Estate, client: EstateClient) -> Json:
    """A connected client; VPN clients are not in this list."""
    now = int(estate.clock.now().timestamp())
    gateway = estate.gateway_of(client.site)
    record = {
        **_known(estate, client, now),
        "user_id": _key(client),
        "ip": client.ip,
        "last_ip": client.ip,
        "network": "Default",
        "network_id": object_id(f"network/{client.site}"),
        **({"gw_mac": colons(gateway)} if gateway else {}),
        "assoc_time": int(estate.moment(client.seen_ago % 86400).timestamp()),
        "uptime": 3600 + client.port,
        "authorized": True,
        "satisfaction": 98,
        "tx_bytes": 52852089,
        "rx_bytes": 12867114,
        "tx_bytes-r": 483,
        "rx_bytes-r": 326.25,
        **(_wired(estate, client, now) if client.link is Link.WIRED else _wireless(estate, client, now)),
    }
    return _made_odd(record, client.odd)


def known_record(estate: Estate, client: EstateClient) -> Json:
    """A client ever seen; one in many has lost its ``mac``."""
    record = _known(estate, client, int(estate.clock.now().timestamp()))
    record |= {"last_ip": client.ip, "last_connection_network_name": "Default"}
    record |= {"network_id": object_id(f"network/{client.site}"), "note": "asset 4711" if client.port else ""}
    if client.uplink:
        record["last_uplink_mac"] = colons(client.uplink)
    if client.port:
        record["last_uplink_remote_port"] = client.port
    return record


def _key(client: EstateClient) -> str:
    return object_id(f"client/{client.key}")


def _known(estate: Estate, client: EstateClient, now: int) -> Json:
    profile = PROFILES[client.profile]
    return {
        "_id": _key(client),
        **({"mac": colons(client.mac)} if client.mac else {}),
        "site_id": client.site,
        "oui": profile.vendor,
        **({} if client.name is None else {"name": client.name}),
        **({} if client.host_name is None else {"hostname": client.host_name}),
        "is_wired": client.link is Link.WIRED,
        "is_guest": client.guest,
        "blocked": client.blocked,
        "first_seen": int(estate.moment(client.first_ago).timestamp()),
        "last_seen": now - 10 if client.connected else int(estate.moment(client.seen_ago).timestamp()),
        "usergroup_id": "",
        "noted": bool(client.name),
        "use_fixedip": client.odd == 1,
        **({"fixed_ip": client.ip} if client.odd == 1 else {}),
        "dev_cat": profile.category,
        "dev_family": profile.family,
        "dev_vendor": profile.vendor_code,
        "dev_id": 4000 + client.profile,
        "dev_id_override": 0,
        **({"os_name": profile.os_name, "os_class": 16} if profile.os_name else {}),
        "fingerprint_source": 0,
    }


def _wired(estate: Estate, client: EstateClient, now: int) -> Json:
    parent = estate.find_device(client.uplink)
    return {
        "sw_mac": colons(client.uplink) if client.uplink else "",
        "sw_port": client.port,
        "sw_depth": 1,
        "wired_rate_mbps": 1000,
        "wired-tx_bytes-r": 2.68,
        "gw_vlan": 1,
        "_last_seen_by_usw": now - 10,
        "_last_seen_by_ugw": now - 10,
        **({"last_uplink_mac": colons(client.uplink), "last_uplink_remote_port": client.port} if client.uplink else {}),
        **({"last_uplink_name": parent.name} if parent and parent.name is not None else {}),
    }


def _wireless(estate: Estate, client: EstateClient, now: int) -> Json:
    parent = estate.find_device(client.uplink)
    record: Json = {
        "essid": "guests" if client.guest else "corp",
        "channel": 40,
        "radio": "na",
        "radio_name": "wifi1",
        "radio_proto": "ax",
        "rssi": 35,
        "signal": -61,
        "tx_rate": 216000,
        "rx_rate": 400000,
        "vlan": 0,
        "_last_seen_by_uap": now - 10,
    }
    if parent is None:
        return record
    record |= {"ap_mac": colons(parent.mac), "bssid": private_twin(parent.mac)}
    if parent.uplink:
        record |= {"sw_mac": colons(parent.uplink), "sw_port": parent.uplink_port}
    return record


def _made_odd(record: Json, odd: int) -> Json:
    """What controllers have been seen to do: booleans as words, no address yet, nulls, numbers as text."""
    if odd == 1:
        words = {"is_wired": str(record["is_wired"]).lower(), "is_guest": "false", "blocked": ""}
        return {**record, **words, "ip": "", "vlan": "20", "name": "", "hostname": ""}
    if odd == 2:
        return {**record, "name": None, "hostname": None, "sw_port": None, "oui": ""}
    if odd == 3:
        record = {name: value for name, value in record.items() if name not in ("ip", "oui")}
        return {**record, "uptime": "3600"}
    return record
