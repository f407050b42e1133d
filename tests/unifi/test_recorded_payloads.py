"""Recorded UniFi answers: every success parses, every device in them is seen once, no key travels on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from beast_dream_snow_loader.core.mapping import map_snapshot
from beast_dream_snow_loader.core.mapping_rules import DEFAULT_RULES
from beast_dream_snow_loader.errors import SourceDataInvalid
from beast_dream_snow_loader.unifi.offline import read_saved

FIXTURES = Path(__file__).parents[1] / "fixtures" / "unifi"
SUCCESSES = sorted(
    file
    for file in FIXTURES.rglob("*.json")
    if "errors" not in file.parts and not file.name.startswith("http_exchange")
)
DEVICES = {
    "stat_device_site.constructed.json": 5,
    "stat_device_uap_U7PG2.json": 1,
    "stat_device_uap_UP1_smart_plug.json": 1,
    "stat_device_uap_UP6_power_strip.json": 1,
    "stat_device_udm_UDMPRO.json": 0,  # an extract without a MAC address: nothing to know it by
    "stat_device_ugw_UGW3.json": 1,
    "stat_device_usw_US16P150.json": 1,
    "stat_device_usw_US8.json": 1,
    "stat_device_usw_USMINI.json": 1,
    "stat_device_usw_USPPDUP_pdu.json": 1,
    "stat_device_usw_USWDA26_ups.json": 1,
    "devices_list_page1.v10_5.constructed.json": 3,
    "devices_list_page2.v10_5.constructed.json": 2,
    "devices_list_page1.constructed.json": 6,
    "devices_list_page2.constructed.json": 2,
}


@pytest.mark.parametrize("file", SUCCESSES, ids=lambda file: file.name)
def test_every_recorded_success_parses_and_no_secret_travels_on(file: Path) -> None:
    snapshot = read_saved(file)
    without_serials = tuple(replace(device, serial=None) for device in snapshot.devices)  # one is blanked at its source
    assert "REDACTED" not in repr(replace(snapshot, devices=without_serials))
    assert "@example" not in repr(snapshot)


@pytest.mark.parametrize("name", sorted(DEVICES))
def test_every_recorded_device_lands_in_a_class_and_none_twice(name: str) -> None:
    file = next(FIXTURES.rglob(name))
    snapshot = read_saved(file)
    desired = map_snapshot(snapshot, DEFAULT_RULES)
    assert len(snapshot.devices) == DEVICES[name]
    assert len({device.mac for device in snapshot.devices}) == len(snapshot.devices)
    assert all(item.class_chain for item in desired.items.values())
    assert len(desired.items) == len(snapshot.devices)


def test_three_apis_that_tell_of_the_same_devices_give_each_once(tmp_path: Path) -> None:
    for file in SUCCESSES:
        (tmp_path / f"{file.parent.name}-{file.name}").write_bytes(file.read_bytes())
    snapshot = read_saved(tmp_path)
    assert len(snapshot.devices) >= 20
    assert len({device.mac for device in snapshot.devices}) == len(snapshot.devices)


def test_a_file_that_is_no_unifi_answer_is_named(tmp_path: Path) -> None:
    file = tmp_path / "other.json"
    file.write_text('{"data": [{"something": "else"}]}')
    with pytest.raises(SourceDataInvalid, match=r"other\.json"):
        read_saved(file)
