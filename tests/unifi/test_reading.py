"""A whole estate over real HTTP: every way in gives the same truth, and it is the estate's own."""

from __future__ import annotations

import pytest

from beast_dream_snow_loader.core.observed import Presence, Snapshot, Subject
from beast_dream_snow_loader.sandbox.certificate import self_signed
from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.estate.shape import Shape
from beast_dream_snow_loader.sandbox.serving import Server
from beast_dream_snow_loader.sandbox.unifi.assembly import console_app
from tests.unifi.conftest import Opening, Town, by_account, by_key, read, rules

SHAPE = Shape(seed=7, sites=6, devices=120, clients=150, consoles=3, cameras=4, neighbours=5, other_hosts=True)


def ours(estate: Estate) -> dict[str, object]:
    """What is really there: every adopted device, blocked consoles apart."""
    found = {}
    for console in estate.consoles():
        if not console.blocked:
            found |= {d.mac.lower(): d for d in estate.devices(console.host_id) if d.adopted}
    return found


def assert_true(snapshot: Snapshot, estate: Estate, *, uplinks: bool = True) -> None:
    truth = ours(estate)
    assert {d.mac for d in snapshot.devices} == set(truth)
    for seen in snapshot.devices:
        real = truth[seen.mac]
        if real.site:
            assert seen.site == estate.site(real.site).name
        if uplinks and real.listed:
            assert seen.uplink_mac == (real.uplink.lower() or None), seen
            assert (seen.presence is Presence.OFFLINE) == (not real.online)


@pytest.mark.parametrize("login", [by_key, by_account])
def test_every_console_read_at_its_own_door_gives_the_estate_as_it_is(town: Opening, login) -> None:
    there = town(Estate.of(SHAPE))
    snapshot = read(**there.settings(consoles=[login(s) for s in there.consoles.values()]))
    assert_true(snapshot, there.estate)
    assert not snapshot.partial
    assert there.asked("stat/device") == 6
    assert not any("connector" in line.path for line in there.log.lines())


def test_the_network_api_gives_the_same_where_the_key_does_not_open_the_controller(town: Opening) -> None:
    there = town(Estate.of(SHAPE), key_opens_controller=False)
    snapshot = read(**there.settings(consoles=[by_key(s) for s in there.consoles.values()]))
    assert_true(snapshot, there.estate)
    assert not snapshot.partial
    assert there.asked("stat/device") == 0


@pytest.mark.parametrize("squeezed", [False, True], ids=["plain", "gzip without a header"])
def test_consoles_without_a_local_login_are_read_through_the_connector(town: Opening, squeezed: bool) -> None:
    there = town(Estate.of(SHAPE), squeezed=squeezed)
    snapshot = read(**there.settings())
    assert_true(snapshot, there.estate)
    assert not any(line.service != "cloud" for line in there.log.lines())


def test_the_cloud_alone_gives_every_device_of_a_single_site_console_its_site(town: Opening) -> None:
    there = town(Estate.of(Shape(seed=3, sites=2, devices=20, consoles=2)))
    snapshot = read(**there.settings(use_connector=False))
    assert_true(snapshot, there.estate, uplinks=False)
    assert all(snapshot.complete(c.key, Subject.DEVICES) for c in snapshot.consoles)
    assert not any(snapshot.complete(c.key, Subject.CLIENTS) for c in snapshot.consoles)


def test_local_consoles_alone_are_enough_and_their_keys_are_those_the_cloud_would_give(town: Opening) -> None:
    there = town(Estate.of(SHAPE))
    consoles = [by_key(server) for server in there.consoles.values()]
    alone, both = read(consoles=consoles), read(**there.settings(consoles=consoles))
    assert {c.key for c in alone.consoles} <= {c.key for c in both.consoles}
    network = {d.mac: (d.console, d.site, d.uplink_mac) for d in alone.devices}
    assert network.items() <= {d.mac: (d.console, d.site, d.uplink_mac) for d in both.devices}.items()


def test_the_demo_with_all_its_flavours_is_read_whole_and_every_console_once(town: Opening) -> None:
    there = town(Estate.demo())
    consoles = [by_account(server) for server in there.consoles.values()]
    snapshot = read(**there.settings(consoles=consoles))
    assert {d.mac for d in snapshot.devices} == set(ours(there.estate))
    running = [c for c in there.estate.consoles() if not c.blocked]
    assert len(snapshot.consoles) == len(running)
    assert not any("connector" in line.path for line in there.log.lines()), "all were matched to their hosts"


def test_clients_come_once_with_what_is_above_them(town: Opening) -> None:
    there = town(Estate.of(SHAPE))
    snapshot = read(**there.settings(consoles=[by_key(s) for s in there.consoles.values()]))
    truth = {c.mac.lower(): c for s in there.estate.sites() for c in there.estate.clients(s.legacy_id) if c.mac}
    connected = [c for c in snapshot.clients if c.connected]
    assert len({c.mac for c in snapshot.clients}) == len(snapshot.clients)
    assert len(connected) > 50
    for seen in connected:
        assert seen.uplink_mac == (truth[seen.mac].uplink.lower() or None)
        assert seen.guest == truth[seen.mac].guest


def test_a_console_with_a_certificate_of_its_own_is_read_when_it_is_pinned(opened: list[Server]) -> None:
    estate = Estate.of(Shape(seed=3, sites=1, devices=5, consoles=1))
    own = self_signed()
    server = Server(console_app(estate, estate.consoles()[0].host_id, rules=rules()), tls=own).start()
    opened.append(server)
    snapshot = read(consoles=[{**by_key(server), "verify_tls": f"fingerprint:{own.fingerprint}"}])
    assert_true(snapshot, estate)


def test_logins_are_one_for_each_console_and_each_is_given_back(town: Opening) -> None:
    there: Town = town(Estate.of(SHAPE))
    read(**there.settings(consoles=[by_account(s) for s in there.consoles.values()]))
    assert there.asked("/api/auth/login", "POST") == 3
    assert there.asked("/api/auth/logout", "POST") == 3
