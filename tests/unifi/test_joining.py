"""One made-up estate told by three APIs joins to what is really there (unifi-api 4.1)."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

import orjson
import pytest

from beast_dream_snow_loader.core.observed import Presence, Snapshot
from beast_dream_snow_loader.unifi.offline import read_saved
from tests.unifi.conftest import FIXTURES, client, device

HQ, SWITCH, AP, FAR_AP, PDU = (f"00005e0053{n}" for n in ("01", "02", "03", "04", "05"))
UNADOPTED, CAMERA, NVR, BRANCH_SWITCH = (f"00005e0053{n}" for n in ("06", "07", "20", "30"))
CLOUD = ("site-manager/hosts_list", "site-manager/sites_list", "site-manager/devices_list_page1",
         "site-manager/devices_list_page2")  # fmt: skip
CONTROLLER = ("legacy/self_sites_external_id", "legacy/stat_device_site", "legacy/stat_sta_edge_cases",
              "legacy/rest_user_list")  # fmt: skip
NETWORK = ("network-integration/sites_list", "network-integration/devices_list_page1.v10_5",
           "network-integration/devices_list_page2.v10_5", "network-integration/device_detail_switch.v10_5",
           "network-integration/device_detail_ap.v10_5", "network-integration/device_detail_gateway.v10_5",
           "network-integration/clients_list.v10_5")  # fmt: skip


@pytest.fixture
def told(tmp_path: Path):
    def telling(names: Iterable[str]) -> Snapshot:
        for name in names:
            target = tmp_path / f"{name}.json"
            target.parent.mkdir(exist_ok=True)
            shutil.copy(FIXTURES / f"{name}.constructed.json", target)
        return read_saved(tmp_path)

    return telling


@pytest.mark.parametrize("order", [(*CLOUD, *CONTROLLER), (*CLOUD, *NETWORK), (*CLOUD, *CONTROLLER, *NETWORK)])
def test_every_device_is_there_once_and_nothing_that_is_not_ours(told, order: tuple[str, ...]) -> None:
    snapshot = told(order)
    assert [d.mac for d in snapshot.devices] == sorted([HQ, SWITCH, AP, FAR_AP, PDU, CAMERA, NVR, BRANCH_SWITCH])
    assert UNADOPTED not in repr(snapshot)


def test_the_console_is_one_device_with_its_serial_its_inside_address_and_its_own_key(told) -> None:
    snapshot = told((*CLOUD, *CONTROLLER, *NETWORK))
    own = device(snapshot, HQ)
    assert (own.name, own.console, own.is_console, own.site) == ("hq-gw", HQ, True, "default")
    assert (own.serial, own.management_ip, own.firmware) == ("00005E005301", "192.0.2.1", "5.0.16")
    assert (own.model_code, own.model_name, own.type) == ("UDMPROMAX", "UDM Pro Max", "udm")
    assert own.uplink_mac is None


def test_consoles_with_and_without_network_and_software_only_ones_are_told_apart(told) -> None:
    consoles = {c.key: c for c in told((*CLOUD, *CONTROLLER)).consoles}
    server = next(c for c in consoles.values() if c.software_only)
    assert set(consoles) == {HQ, NVR, server.key}
    assert server.key == "host:5f3a1c52-7d0b-4a59-9a53-0d1f6c0a2b11"
    assert consoles[HQ].name == "HQ ☃ Console"
    assert (consoles[HQ].network_version, consoles[HQ].os_version) == ("10.5.62", "5.0.16")


def test_a_blocked_console_is_left_out_and_said_so(told) -> None:
    snapshot = told(CLOUD)
    assert [f.rule for f in snapshot.findings if f.rule == "source.blocked"] == ["source.blocked"]
    assert not any("005340" in c.key for c in snapshot.consoles)


def test_the_richest_api_wins_field_by_field(told) -> None:
    snapshot = told((*CLOUD, *CONTROLLER, *NETWORK))
    switch = device(snapshot, SWITCH)
    assert (switch.firmware, switch.port_count, switch.uplink_mac) == ("7.2.123", 2, HQ)
    assert device(snapshot, AP).uplink_mac == SWITCH
    far = device(snapshot, FAR_AP)
    assert (far.presence, far.management_ip, far.uplink_mac) == (Presence.OFFLINE, None, AP)
    assert "outlets" in device(snapshot, PDU).features


def test_uplinks_of_the_network_api_are_resolved_inside_their_console(told) -> None:
    snapshot = told((*CLOUD, *NETWORK))
    assert device(snapshot, SWITCH).uplink_mac == HQ
    assert device(snapshot, AP).uplink_mac == SWITCH
    assert device(snapshot, HQ).management_ip is None, "its address there is the WAN's"


def test_what_only_the_cloud_knows_stays_and_has_no_site_unless_there_is_only_one(told) -> None:
    alone = told(CLOUD)
    assert device(alone, CAMERA).site == "default"
    assert device(alone, CAMERA).product_line == "protect"
    assert device(told((*CLOUD, *CONTROLLER)), CAMERA).site is None, "the controller shows two sites"


def test_sites_are_keyed_by_console_and_short_name(told) -> None:
    keys = {site.key: site for site in told((*CLOUD, *CONTROLLER, *NETWORK)).sites}
    assert set(keys) == {f"{HQ}/default", f"{HQ}/8ab3cd1e", "host:5f3a1c52-7d0b-4a59-9a53-0d1f6c0a2b11/8ab3cd1e"}
    assert (keys[f"{HQ}/default"].gateway_mac, keys[f"{HQ}/default"].time_zone) == (HQ, "Europe/Amsterdam")


def test_clients_are_merged_from_the_connected_and_the_known(told) -> None:
    snapshot = told((*CLOUD, *CONTROLLER))
    wired, phone = client(snapshot, "00005e0053a1"), client(snapshot, "02005e0053a2")
    assert (wired.wired, wired.uplink_mac, wired.name, wired.connected) == (True, SWITCH, None, True)
    assert (phone.wired, phone.uplink_mac, phone.category) == (False, AP, "handheld")
    assert client(snapshot, "00005e0053a6").ip == "192.0.2.106", "an empty ip gives way to the last one"
    assert not client(snapshot, "00005e0053a7").connected
    assert client(snapshot, "da005e0053a9").guest
    assert any("1 left out: client without a MAC" in f.message for f in snapshot.findings)


def test_clients_of_the_network_api_lose_the_mac_in_their_name(told) -> None:
    snapshot = told(NETWORK)
    assert client(snapshot, "00005e0053a1").name is None
    assert client(snapshot, "da005e0053a3").name == "guest-laptop"
    assert client(snapshot, "da005e0053a3").guest
    assert client(snapshot, "00005e0053a1").uplink_mac == SWITCH
    assert any("2 left out: client without a network identity" in f.message for f in snapshot.findings)


def test_equal_estates_give_equal_snapshots_whatever_the_order_of_the_answers(tmp_path: Path) -> None:
    body = orjson.loads((FIXTURES / "legacy/stat_device_site.constructed.json").read_bytes())
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    one.write_bytes(orjson.dumps(body))
    two.write_bytes(orjson.dumps({**body, "data": body["data"][::-1]}))
    assert read_saved(one) == read_saved(two)


def test_a_console_registered_anew_is_one_console_under_its_newest_registration(tmp_path: Path) -> None:
    def host(number: str, day: int, name: str) -> dict[str, object]:
        return {"id": number, "hardwareId": "x", "type": "console", "isBlocked": False,
                "lastConnectionStateChange": f"2025-11-{day:02}T00:00:00Z",
                "reportedState": {"mac": "00005E005301", "name": name, "state": "connected"}}  # fmt: skip

    def group(number: str, status: str) -> dict[str, object]:
        row = {"id": "00005E005302", "mac": "00005E005302", "status": status, "productLine": "network"}
        return {"hostId": number, "devices": [row]}

    (tmp_path / "hosts.json").write_bytes(orjson.dumps({"data": [host("new", 20, "now"), host("old", 2, "then")]}))
    (tmp_path / "devices.json").write_bytes(orjson.dumps({"data": [group("old", "online"), group("new", "offline")]}))
    snapshot = read_saved(tmp_path)
    assert [(c.key, c.name, c.host_id) for c in snapshot.consoles] == [(HQ, "now", "new")]
    assert device(snapshot, SWITCH).presence is Presence.OFFLINE
