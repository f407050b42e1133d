"""Every device in the recorded payloads lands in one class, none twice."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from beast_dream_snow_loader.core.mapping import map_snapshot
from beast_dream_snow_loader.core.mapping_rules import DEFAULT_RULES
from beast_dream_snow_loader.core.observed import Snapshot
from beast_dream_snow_loader.core.validation import check
from beast_dream_snow_loader.unifi.offline import read_saved

if TYPE_CHECKING:
    from conftest import Estate

RECORDED = Path(__file__).parents[1] / "fixtures" / "unifi"
KINDS = {
    "legacy/stat_device_uap_U7PG2.json": ["ap"],
    "legacy/stat_device_uap_UP1_smart_plug.json": ["pdu"],
    "legacy/stat_device_uap_UP6_power_strip.json": ["pdu"],
    "legacy/stat_device_ugw_UGW3.json": ["gateway"],
    "legacy/stat_device_usw_US16P150.json": ["switch"],
    "legacy/stat_device_usw_US8.json": ["switch"],
    "legacy/stat_device_usw_USMINI.json": ["switch"],
    "legacy/stat_device_usw_USPPDUP_pdu.json": ["pdu"],
    "legacy/stat_device_usw_USWDA26_ups.json": ["ups"],
    "legacy/stat_device_site.constructed.json": ["ap", "ap", "gateway", "pdu", "switch"],
    "network-integration/devices_list.json": ["gateway", "switch"],
    "network-integration/device_detail.json": ["gateway"],
    "site-manager/devices_list.json": ["switch"],
    "site-manager/devices_list_page1.constructed.json": ["ap", "ap", "camera", "gateway", "pdu", "switch"],
    "site-manager/devices_list_page2.constructed.json": ["nvr", "switch"],
}


@pytest.mark.parametrize(("file", "kinds"), KINDS.items(), ids=lambda value: value if isinstance(value, str) else "")
def test_each_recorded_device_is_one_ci_of_the_right_kind(estate: Estate, file: str, kinds: list[str]) -> None:
    snapshot = read_saved(RECORDED / file)
    desired = estate.fitted(snapshot)
    assert sorted(item.kind for item in desired.items.values()) == kinds
    assert len(desired.items) == len(snapshot.devices)
    assert check(desired) == ()


def test_all_recorded_views_together_give_each_mac_once() -> None:
    snapshots = [read_saved(file) for file in sorted(RECORDED.glob("*/*device*.json"))]
    devices = tuple(device for snapshot in snapshots for device in snapshot.devices)
    items = map_snapshot(Snapshot(taken_at=snapshots[0].taken_at, devices=devices), DEFAULT_RULES).items
    macs = {device.mac for device in devices}
    assert len(devices) > len(macs) > 10
    assert {key.mac for key in items} == macs
    assert all(item.class_chain for item in items.values())
