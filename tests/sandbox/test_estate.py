"""The made-up estate: exact counts, one tree per gateway, the same for the same seed, quick at any size, changeable."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beast_dream_snow_loader.sandbox.estate import Estate, Shape
from beast_dream_snow_loader.sandbox.estate.identifiers import DEFAULT_SITE_UUID
from beast_dream_snow_loader.sandbox.estate.models import Kind
from beast_dream_snow_loader.sandbox.estate.things import EstateDevice, Flavour, HostType, Link
from beast_dream_snow_loader.sandbox.unifi.controller_devices import device_record
from beast_dream_snow_loader.sandbox.unifi.network_views import device_id


class Still:
    """A clock that stands."""

    def now(self) -> datetime:
        return datetime(2026, 11, 22, 4, 31, 23, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        pass


def _devices(estate: Estate) -> list[EstateDevice]:
    return [device for console in estate.consoles() for device in estate.devices(console.host_id)]


def _root(estate: Estate, device: EstateDevice) -> EstateDevice:
    seen = set()
    while device.uplink:
        assert device.mac not in seen, "a cycle of uplinks"
        seen.add(device.mac)
        device = estate.device(device.uplink)
    return device


@settings(max_examples=25, deadline=None)
@given(sites=st.integers(1, 12), extra=st.integers(0, 300), seed=st.integers(0, 2**31), data=st.data())
def test_the_devices_asked_for_form_one_tree_per_gateway(
    sites: int, extra: int, seed: int, data: st.DataObject
) -> None:
    consoles = data.draw(st.integers(1, sites))
    estate = Estate.generate(seed=seed, sites=sites, consoles=consoles, devices=sites + extra)
    devices = _devices(estate)
    assert len(estate.sites()) == sites
    assert len(estate.consoles()) == consoles
    assert len({device.mac for device in devices}) == len(devices) == sites + extra
    gateways = [device for device in devices if device.is_gateway]
    assert len(gateways) == sites
    assert sum(bool(device.uplink) for device in devices) == len(devices) - len(gateways)
    for device in devices:
        root = _root(estate, device)
        assert root.is_gateway
        assert root.site == device.site


def test_the_same_seed_gives_the_same_estate_and_another_seed_another() -> None:
    shape = Shape(seed=3, sites=4, devices=80, clients=100)
    one, two = Estate.of(shape, clock=Still()), Estate.of(shape, clock=Still())
    assert _devices(one) == _devices(two)
    assert [one.clients(site.legacy_id) for site in one.sites()] == [
        two.clients(site.legacy_id) for site in two.sites()
    ]
    other = Estate.generate(seed=4, sites=4, devices=80)
    assert not {device.mac for device in _devices(one)} & {device.mac for device in _devices(other)}


def test_no_port_holds_two_devices() -> None:
    devices = _devices(Estate.generate(sites=3, devices=900))
    taken = [(device.uplink, device.uplink_port) for device in devices if device.uplink_port]
    assert len(set(taken)) == len(taken)


def test_too_few_devices_for_the_sites_is_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        Estate.generate(sites=5, devices=4)
    with pytest.raises(ValueError, match="consoles"):
        Estate.generate(sites=2, consoles=3, devices=10)


def test_every_console_has_the_default_site_with_the_constant_uuid() -> None:
    estate = Estate.generate(sites=9, consoles=3, devices=90)
    for console in estate.consoles():
        first, *others = estate.sites(console.host_id)
        assert (first.name, first.external_id) == ("default", DEFAULT_SITE_UUID)
        assert all(site.external_id != DEFAULT_SITE_UUID and site.name != "default" for site in others)


def test_a_generated_estate_has_its_share_of_awkward_devices() -> None:
    devices = _devices(Estate.of(Shape(sites=4, devices=2000, awkward=0.05)))
    names = [device.name for device in devices]
    assert (
        sum(name is None or name == "" or not name.isascii() or len(name) > 200 or "^" in name for name in names) > 20
    )
    assert None in names
    assert any(names.count(name) > 1 for name in set(names) if name)
    assert any(device.state == 0 and not device.ip for device in devices)
    assert all(device.name for device in _devices(Estate.of(Shape(sites=4, devices=2000, awkward=0.0))))


def test_neighbours_cameras_and_other_hosts_come_on_top() -> None:
    estate = Estate.of(Shape(sites=2, consoles=1, devices=40, neighbours=3, cameras=4, other_hosts=True))
    devices = _devices(estate)
    adopted = [device for device in devices if device.adopted and device.listed]
    assert len(adopted) == 40
    assert sum(not device.adopted for device in devices) == 3
    assert sum(device.model.kind is Kind.CAMERA for device in devices) == 4
    assert len(estate.consoles()) == 3


@pytest.mark.bench
def test_two_thousand_devices_take_less_than_a_second() -> None:
    started = time.perf_counter()
    Estate.generate(sites=10, devices=2000)
    assert time.perf_counter() - started < 1


@pytest.mark.slow
@pytest.mark.bench
def test_two_hundred_thousand_clients_take_less_than_twenty_seconds() -> None:
    started = time.perf_counter()
    estate = Estate.generate(sites=20, devices=12_000, clients=200_000)
    assert time.perf_counter() - started < 20
    clients = [client for site in estate.sites() for client in estate.clients(site.legacy_id)]
    macs = [client.mac for client in clients if client.mac]
    assert len(clients) == 200_000
    assert len(set(macs)) == len(macs)
    assert not set(macs) & {device.mac for device in _devices(estate)}
    assert {client.link for client in clients} == set(Link)


def test_clients_hang_below_devices_of_their_own_site() -> None:
    estate = Estate.generate(sites=3, devices=60, clients=600)
    for site in estate.sites():
        for client in estate.clients(site.legacy_id):
            assert not client.uplink or estate.device(client.uplink).site == site.legacy_id


def test_the_demo_shows_all_four_kinds_and_the_awkward_cases() -> None:
    estate = Estate.demo()
    devices = _devices(estate)
    kinds = {device.model.kind for device in devices}
    assert {Kind.GATEWAY, Kind.SWITCH, Kind.ACCESS_POINT, Kind.PDU, Kind.UPS, Kind.PLUG, Kind.CONTROLLER} <= kinds
    assert {Kind.CAMERA, Kind.RECORDER, Kind.BRIDGE, Kind.MODEM} <= kinds
    names = [device.name for device in devices if device.adopted]
    points = [device for device in devices if device.model.kind is Kind.ACCESS_POINT and device.adopted]
    assert sum(device.name is None for device in points) == 5
    assert names.count("Access Point") == 2
    assert any(name and len(name) == 299 for name in names)
    assert any(name and "^OR" in name for name in names)
    assert any(name and "\x07" in name for name in names)
    assert any(name == device.model.name for name, device in zip(names, devices, strict=False))
    assert any(not device.adopted for device in devices)
    assert any(device.wireless and device.model.kind is Kind.ACCESS_POINT for device in devices)
    assert {console.type for console in estate.consoles()} == set(HostType)
    assert {console.flavour for console in estate.consoles()} == set(Flavour)
    clients = [client for site in estate.sites() for client in estate.clients(site.legacy_id)]
    assert len(clients) == 40
    assert {client.link for client in clients} == set(Link)
    assert any(client.guest for client in clients)
    assert any(client.mac[1:2] in "26AE" for client in clients if client.mac)


def test_a_device_can_be_renamed_taken_offline_and_upgraded() -> None:
    estate = Estate.demo()
    device = estate.site_devices(estate.sites()[0].legacy_id)[2]
    estate.rename_device(device.mac, None)
    estate.set_online(device.mac, False)
    estate.upgrade_device(device.mac, "9.9.9.1234")
    now = estate.device(device.mac)
    assert (now.name, now.state, now.short_version) == (None, 0, "9.9.9")
    assert now in estate.site_devices(device.site)


def test_what_hung_below_a_removed_device_hangs_below_its_parent() -> None:
    estate = Estate.generate(sites=1, devices=100)
    gone = next(device for device in _devices(estate) if device.uplink and _children(estate, device))
    children = _children(estate, gone)
    estate.remove_device(gone.mac)
    assert estate.find_device(gone.mac) is None
    assert all(estate.device(child.mac).uplink == gone.uplink for child in children)


def _children(estate: Estate, parent: EstateDevice) -> list[EstateDevice]:
    return [device for device in _devices(estate) if device.uplink == parent.mac]


def test_a_new_device_gets_a_mac_of_its_own_and_a_place_in_the_tree() -> None:
    estate = Estate.generate(sites=1, devices=50)
    site = estate.sites()[0].legacy_id
    added = [estate.add_device(site=site, model="U7PRO", name=f"new {number}") for number in range(20)]
    assert len({device.mac for device in _devices(estate)}) == 70
    assert {device.uplink for device in added} == {estate.gateway_of(site)}


def test_a_device_moves_to_another_site_and_a_site_to_another_console() -> None:
    estate = Estate.generate(sites=4, consoles=2, devices=80, clients=40)
    one, two = estate.consoles()
    first, second = estate.sites(one.host_id)
    mover = next(device for device in estate.site_devices(first.legacy_id) if not device.is_gateway)
    estate.move_device(mover.mac, second.legacy_id)
    assert estate.device(mover.mac).uplink == estate.gateway_of(second.legacy_id)
    estate.move_site(second.legacy_id, two.host_id)
    assert second.legacy_id in {site.legacy_id for site in estate.sites(two.host_id)}
    assert {device.host_id for device in estate.site_devices(second.legacy_id)} == {two.host_id}
    assert {client.host_id for client in estate.clients(second.legacy_id)} == {two.host_id}
    with pytest.raises(ValueError, match="default"):
        estate.move_site(first.legacy_id, two.host_id)


def test_what_does_not_exist_cannot_change() -> None:
    estate = Estate.demo()
    with pytest.raises(KeyError):
        estate.rename_device("000000000000", "x")
    with pytest.raises(KeyError):
        estate.add_device(site=estate.sites()[0].legacy_id, model="NOSUCH", name=None)


def test_a_device_adopted_again_has_new_ids_and_the_same_mac() -> None:
    estate = Estate.generate(seed=5, sites=1, devices=5)
    device = _devices(estate)[1]
    ids = (device_id(device.host_id, device.mark), device_record(estate, device)["_id"])
    again = estate.readopt_device(device.mac)
    assert again.mac == device.mac
    assert set(ids).isdisjoint((device_id(again.host_id, again.mark), device_record(estate, again)["_id"]))


def test_a_client_roams_and_time_goes_by() -> None:
    estate = Estate.generate(seed=5, sites=2, devices=20, clients=10)
    client = next(one for site in estate.sites() for one in estate.clients(site.legacy_id) if one.uplink)
    other = next(one for one in _devices(estate) if one.site and one.site != client.site)
    assert estate.roam_client(client.key, other.mac).site == other.site
    assert client.key in {one.key for one in estate.clients(other.site)}
    founded = estate.founded
    estate.grow_older(60)
    assert (founded - estate.founded).total_seconds() == 60
