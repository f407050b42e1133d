"""Fields of the made-up answers against the recorded ones: what was recorded is there, with the same JSON type."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.unifi.answers import Json
from beast_dream_snow_loader.sandbox.unifi.estate_content import EstateCloud, EstateController, EstateNetwork

FIXTURES = Path(__file__).parents[1] / "fixtures" / "unifi"
WORDS = {bool: "bool", int: "number", float: "number", str: "text", type(None): "null", list: "list", dict: "object"}
DEVICE_FIELDS = [
    "_id",
    "device_id",
    "mac",
    "serial",
    "model",
    "type",
    "version",
    "displayable_version",
    "name",
    "ip",
    "state",
    "adopted",
    "last_seen",
    "uptime",
    "_uptime",
    "site_id",
    "board_rev",
    "upgradable",
    "upgrade_to_firmware",
    "model_in_eol",
    "model_in_lts",
    "unsupported",
    "uplink",
    "uplink.uplink_mac",
    "uplink.uplink_remote_port",
    "uplink.port_idx",
    "uplink.type",
    "uplink.uplink_device_name",
    "uplink.speed",
    "uplink.ip",
    "last_uplink",
    "last_uplink.uplink_mac",
    "lldp_table",
    "lldp_table[].chassis_id",
    "lldp_table[].port_id",
    "lldp_table[].local_port_idx",
    "lldp_table[].local_port_name",
    "lldp_table[].is_wired",
    "lldp_table[].chassis_id_subtype",
    "port_table",
    "port_table[].port_idx",
    "port_table[].name",
    "port_table[].ifname",
    "port_table[].media",
    "port_table[].up",
    "port_table[].enable",
    "port_table[].speed",
    "port_table[].full_duplex",
    "port_table[].is_uplink",
    "port_table[].network_name",
    "port_table[].port_poe",
    "port_table[].poe_power",
    "port_table[].aggregated_by",
    "port_table[].mac_table",
    "ethernet_table",
    "ethernet_table[].mac",
    "ethernet_table[].name",
    "ethernet_table[].num_port",
    "radio_table",
    "radio_table[].channel",
    "vap_table",
    "vap_table[].bssid",
    "network_table",
    "wan1",
    "outlet_table",
    "outlet_table[].outlet_power",
    "outlet_table[].outlet_voltage",
    "system-stats",
    "sys_stats",
    "total_max_power",
    "x_authkey",
    "syslog_key",
]
CLIENT_FIELDS = [
    "mac",
    "_id",
    "user_id",
    "site_id",
    "name",
    "hostname",
    "oui",
    "is_wired",
    "is_guest",
    "blocked",
    "ip",
    "last_ip",
    "fixed_ip",
    "use_fixedip",
    "ap_mac",
    "essid",
    "bssid",
    "channel",
    "radio",
    "radio_proto",
    "sw_mac",
    "sw_port",
    "network",
    "network_id",
    "vlan",
    "gw_vlan",
    "gw_mac",
    "last_uplink_mac",
    "last_uplink_name",
    "last_uplink_remote_port",
    "first_seen",
    "last_seen",
    "uptime",
    "assoc_time",
    "_last_seen_by_uap",
    "_last_seen_by_usw",
    "_last_seen_by_ugw",
    "dev_cat",
    "dev_family",
    "dev_vendor",
    "dev_id",
    "dev_id_override",
    "os_name",
    "os_class",
    "noted",
    "note",
    "usergroup_id",
]
PERSONAL_OR_UNREAD = ("consoleGroupMembers", "userData.features", "reportedState.")
READ_OF_STATE = [
    "hostname",
    "name",
    "state",
    "version",
    "mac",
    "ip",
    "ipAddrs",
    "timezone",
    "mgmt_port",
    "host_type",
    "controller_uuid",
    "releaseChannel",
    "deviceState",
    "firmwareUpdate",
    "firmwareUpdate.latestAvailableVersion",
    "hardware",
    "hardware.name",
    "hardware.shortname",
    "hardware.serialno",
    "hardware.firmwareVersion",
    "hardware.hwrev",
    "hardware.mac",
    "hardware.uuid",
    "hardware.sysid",
    "hardware.cpu.id",
    "controllers",
    "controllers[].name",
    "controllers[].version",
    "controllers[].state",
    "controllers[].isInstalled",
    "wans",
    "wans[].type",
    "wans[].interface",
    "wans[].enabled",
    "wans[].plugged",
    "wans[].port",
    "wans[].mac",
    "wans[].ipv4",
    "uidb",
    "consolesOnSameLocalNetwork",
    "unadoptedUnifiOSDevices",
    "isStacked",
    "deviceId",
    "firmware_version",
    "hardware_id",
    "inform_port",
    "override_inform_host",
    "release_channel",
]


def _kinds(records: Iterable[object]) -> dict[str, set[str]]:
    """The JSON types seen at each path: ``uplink.speed``, ``port_table[].name``."""
    found: dict[str, set[str]] = defaultdict(set)

    def walk(value: object, path: str) -> None:
        found[path].add(WORDS[type(value)])
        if isinstance(value, dict):
            for name, inner in value.items():
                walk(inner, f"{path}.{name}" if path else name)
        elif isinstance(value, list):
            for inner in value:
                walk(inner, f"{path}[]")

    for record in records:
        walk(record, "")
    return found


def _recorded(pattern: str) -> dict[str, set[str]]:
    records: list[object] = []
    for path in sorted(FIXTURES.glob(pattern)):
        body = json.loads(path.read_bytes())
        data = body.get("data", body)
        records += data if isinstance(data, list) else [data]
    assert records, pattern
    return _kinds(records)


def _everything(made: Callable[[Estate, str], Iterable[Json]]) -> dict[str, set[str]]:
    estate = Estate.demo()
    hosts = [console.host_id for console in estate.consoles() if console.runs_network and not console.blocked]
    return _kinds(record for host in hosts for record in made(estate, host))


def _differences(recorded: dict[str, set[str]], made: dict[str, set[str]], wanted: Iterable[str]) -> list[str]:
    return [
        f"{path}: recorded {recorded[path]}, made {made.get(path)}"
        for path in wanted
        if path in recorded and not recorded[path] - {"null"} <= made.get(path, {"absent"})
    ]


CLOUD: dict[str, Callable[[EstateCloud], list[Json]]] = {
    "site-manager/host*.json": lambda cloud: cloud.hosts().page(0, 99),
    "site-manager/sites_list*.json": lambda cloud: cloud.sites().page(0, 99),
    "site-manager/devices_list*.json": lambda cloud: cloud.groups([]).page(0, 99),
}


@pytest.mark.parametrize("pattern", CLOUD)
def test_site_manager_has_the_recorded_fields(pattern: str) -> None:
    recorded, made = _recorded(pattern), _kinds(CLOUD[pattern](EstateCloud(Estate.demo())))
    read = [path for path in recorded if not any(part in path for part in PERSONAL_OR_UNREAD)]
    read += [f"reportedState.{name}" for name in READ_OF_STATE]
    assert _differences(recorded, made, read) == []


def _pages(estate: Estate, host: str, what: str) -> Iterable[Json]:
    network = EstateNetwork(estate, host)
    for site in estate.sites(host):
        rows = network.devices(site.external_id) if what != "clients" else network.clients(site.external_id)
        yield from rows.page(0, 999) if rows else []


def _details(estate: Estate, host: str, what: str) -> Iterable[Json]:
    network = EstateNetwork(estate, host)
    for site in estate.sites(host):
        rows = network.devices(site.external_id) if what != "clients" else network.clients(site.external_id)
        one = network.device if what != "clients" else network.client
        for record in rows.page(0, 999) if rows else []:
            found = one(site.external_id, str(record["id"]))
            assert found
            yield found


NETWORK: dict[str, Callable[[Estate, str], Iterable[Json]]] = {
    "network-integration/sites_list*.json": lambda estate, host: EstateNetwork(estate, host).sites().page(0, 99),
    "network-integration/devices_list*.json": lambda estate, host: _pages(estate, host, "devices"),
    "network-integration/device_detail*.json": lambda estate, host: _details(estate, host, "devices"),
    "network-integration/clients_list*.json": lambda estate, host: _pages(estate, host, "clients"),
    "network-integration/client_detail*.json": lambda estate, host: _details(estate, host, "clients"),
}


@pytest.mark.parametrize("pattern", NETWORK)
def test_network_integration_has_the_recorded_fields(pattern: str) -> None:
    recorded = _recorded(pattern)
    assert _differences(recorded, _everything(NETWORK[pattern]), recorded) == []


CONTROLLER: dict[str, tuple[Callable[[EstateController], Iterable[Json]], list[str]]] = {
    "legacy/stat_device*.json": (lambda api: api.device_rows("default"), DEVICE_FIELDS),
    "legacy/stat_sta*.json": (lambda api: api.station_rows("default"), CLIENT_FIELDS),
    "legacy/rest_user*.json": (lambda api: api.known_rows("default", 0), CLIENT_FIELDS),
    "legacy/self_sites*.json": (
        lambda api: api.site_rows(),
        ["_id", "name", "desc", "anonymous_id", "external_id", "role", "device_count", "attr_hidden_id"],
    ),
    "legacy/stat_sysinfo*.json": (
        lambda api: [api.system()],
        [
            "version",
            "console_display_version",
            "udm_version",
            "hostname",
            "name",
            "timezone",
            "ip_addrs",
            "sso_app_sec",
        ],
    ),
}


@pytest.mark.parametrize("pattern", CONTROLLER)
def test_the_controller_api_has_the_recorded_fields_that_are_read(pattern: str) -> None:
    rows, wanted = CONTROLLER[pattern]
    made = _everything(lambda estate, host: rows(EstateController(estate, host)))
    assert _differences(_recorded(pattern), made, wanted) == []
