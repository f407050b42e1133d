"""What UniFi said becomes what the CMDB should hold (cmdb-model 6)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beast_dream_snow_loader.core.desired import RelationRole
from beast_dream_snow_loader.core.findings import Severity
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.core.mapping import map_snapshot
from beast_dream_snow_loader.core.mapping_rules import DEFAULT_RULES, MappingRules
from beast_dream_snow_loader.core.observed import Client, Console, Device, Presence, Site, Snapshot

if TYPE_CHECKING:
    from conftest import Estate

CREATE = replace(DEFAULT_RULES, clients_mode="create")
Found = Callable[[Iterable[object]], list[str]]


def test_the_example_of_the_model_comes_out_as_written(estate: Estate) -> None:
    """cmdb-model 6.12."""
    switch = estate.device(
        2,
        name="hq-sw-01",
        management_ip="192.0.2.2",
        model_code="USPM24P",
        firmware="7.2.123.16565",
        serial="00005E005302",
    )
    ap = estate.device(3, name="hq-ap-01", model_code="U7PRO", uplink_mac=switch.mac)
    desired = estate.fitted(estate.snapshot(switch, ap))
    item = desired.items[SourceKey("device", "00005e005302")]
    written = {
        "name": "hq-sw-01",
        "serial_number": "00005E005302",
        "mac_address": "00:00:5e:00:53:02",
        "ip_address": "192.0.2.2",
        "model_number": "USW-Pro-Max-24-PoE",
        "firmware_version": "7.2.123",
        "correlation_id": "device/00005e005302",
        "install_status": "1",
        "operational_status": "1",
    }
    assert item.class_name == "cmdb_ci_ip_switch"
    assert {element: item.values[element] for element in written} == written
    assert item.seen_at == estate.taken_at
    assert not item.serial_derived
    other = desired.items[SourceKey("device", "00005e005303")]
    assert (other.class_name, other.values["serial_number"]) == ("cmdb_ci_wap_network", "00005E005303")
    (edge,) = desired.relations
    assert (str(edge.parent), str(edge.child), edge.type) == (
        "device/00005e005303",
        "device/00005e005302",
        "Connects to::Connected by",
    )


def test_two_devices_of_one_name_get_their_mac_and_five_unnamed_ones_do_too(estate: Estate, found: Found) -> None:
    named = [estate.device(n, name="Lobby AP", model_code="U7PRO") for n in (1, 2)]
    unnamed = [estate.device(n, name=None, model_code="UAL6", model_name="U6 Lite") for n in range(3, 8)]
    alone = estate.device(9, name="core")
    desired = map_snapshot(estate.snapshot(*named, *unnamed, alone), DEFAULT_RULES)
    names = [item.name for item in desired.items.values()]
    assert len(set(names)) == 8
    assert names[0] == "Lobby AP (HQ) 005301"
    assert names[2] == "U6 Lite (HQ) 005303"
    assert names[7] == "core"
    assert found(desired.findings) == ["name.shared"] * 7


def test_one_unnamed_device_gets_its_site(estate: Estate, found: Found) -> None:
    desired = map_snapshot(estate.snapshot(estate.device(1, name=" \x07 ", model_code="UAL6")), DEFAULT_RULES)
    (item,) = desired.items.values()
    assert item.name == "U6-Lite (HQ)"
    assert item.name_forms == ("U6-Lite (HQ)", "U6-Lite (HQ) 005301", "U6-Lite (HQ) 00005e005301")
    assert found(desired.findings) == ["name.missing"]


@pytest.mark.parametrize("name", ["u6-lite", "U6 Lite"])
def test_a_device_that_bears_its_models_name_counts_as_unnamed(estate: Estate, found: Found, name: str) -> None:
    """However it is spelled: Site Manager's name of the model may be missing."""
    desired = map_snapshot(estate.snapshot(estate.device(1, name=name, model_code="UAL6")), DEFAULT_RULES)
    assert next(iter(desired.items.values())).name == f"{name} (HQ)"
    assert found(desired.findings) == ["name.of_model"]


def test_a_name_that_is_unique_is_tried_as_it_is_first(estate: Estate) -> None:
    (item,) = map_snapshot(estate.snapshot(estate.device(1, name="core")), DEFAULT_RULES).items.values()
    assert item.name_forms == ("core", "core (HQ)", "core (HQ) 005301", "core (HQ) 00005e005301")


def test_a_name_crafted_to_look_like_anothers_form_stays_apart(estate: Estate) -> None:
    devices = (
        estate.device(1, name="AP"),
        estate.device(2, name="AP"),
        estate.device(3, name="ap (HQ) 005301"),
        estate.device(4, name="AP (HQ)"),
    )
    names = [item.name.casefold() for item in map_snapshot(estate.snapshot(*devices), DEFAULT_RULES).items.values()]
    assert len(set(names)) == 4


def test_without_a_serial_number_the_mac_stands_in_and_is_marked(estate: Estate, found: Found) -> None:
    devices = (
        estate.device(1, serial=None),
        estate.device(2, serial="**REDACTED**"),
        estate.device(3, serial="SHARED-1"),
        estate.device(4, serial="shared-1"),
    )
    desired = map_snapshot(estate.snapshot(*devices), DEFAULT_RULES)
    assert all(item.serial_derived for item in desired.items.values())
    assert [item.values["serial_number"] for item in desired.items.values()] == [d.mac.upper() for d in devices]
    assert found(desired.findings) == ["serial.placeholder", "serial.shared", "serial.shared"]


def test_last_discovered_is_honest_about_offline_gear(estate: Estate) -> None:
    before, later = estate.taken_at - timedelta(days=3), estate.taken_at + timedelta(hours=1)
    devices = (
        estate.device(1),
        estate.device(2, presence=Presence.TRANSIENT),
        estate.device(3, presence=Presence.OFFLINE, last_seen=before),
        estate.device(4, presence=Presence.OFFLINE, last_seen=later),
        estate.device(5, presence=Presence.OFFLINE),
    )
    seen = [item.seen_at for item in map_snapshot(estate.snapshot(*devices), DEFAULT_RULES).items.values()]
    assert seen == [estate.taken_at, estate.taken_at, before, None, None]


def test_a_device_never_seen_online_is_inserted_as_not_operational(estate: Estate) -> None:
    item = estate.fitted(estate.snapshot(estate.device(1, ever_online=False))).items[SourceKey("device", estate.mac(1))]
    assert (item.values["install_status"], item.values["operational_status"]) == ("1", "2")


def test_nothing_empty_is_sent(estate: Estate) -> None:
    device = estate.device(1, management_ip="unknown", firmware="", port_count=0, model_code=None)
    (item,) = map_snapshot(estate.snapshot(device), DEFAULT_RULES).items.values()
    assert all(item.values.values())
    assert not {"ip_address", "firmware_version", "ports", "model_number"} & item.values.keys()


def test_a_device_listed_by_two_consoles_is_one_item_from_where_it_is_online(estate: Estate, found: Found) -> None:
    old = estate.device(1, console="c9", name="old", presence=Presence.OFFLINE)
    desired = map_snapshot(estate.snapshot(old, estate.device(1, name="new")), DEFAULT_RULES)
    (item,) = desired.items.values()
    assert (item.name, item.lane) == ("new", "c0")
    assert "device.twice" in found(desired.findings)


def test_a_device_without_a_mac_is_left_out_and_told(estate: Estate) -> None:
    desired = map_snapshot(estate.snapshot(estate.device(1, mac="\x1b[2Jgarbage")), DEFAULT_RULES)
    assert not desired.items
    (finding,) = desired.findings
    assert (finding.rule, finding.severity) == ("mac.invalid", Severity.ERROR)
    assert "\x1b" not in finding.value


def test_edges_run_up_to_the_uplink_and_to_the_console(estate: Estate) -> None:
    console = Console(key="c0", name="HQ", mac=estate.mac(1))
    gateway = estate.device(1, model_code="UDMPRO", is_console=True)
    switch = estate.device(2, uplink_mac="00:00:5E:00:53:01")
    desired = map_snapshot(estate.snapshot(gateway, switch, consoles=(console,)), DEFAULT_RULES)
    assert [relation.key for relation in desired.relations] == [
        "uplink device/00005e005302 -> device/00005e005301",
        "managed_by device/00005e005302 -> device/00005e005301",
    ]


def test_no_edge_to_itself_and_an_unknown_far_end_is_an_orphan(estate: Estate, found: Found) -> None:
    console = Console(key="c0", name="HQ", mac=estate.mac(1))
    itself = estate.device(1, uplink_mac=estate.mac(1), is_console=True, model_code="UDMPRO")
    lost = estate.device(2, uplink_mac=estate.mac(77))
    desired = map_snapshot(estate.snapshot(itself, lost, consoles=(console,)), DEFAULT_RULES)
    assert [relation.role for relation in desired.relations] == [RelationRole.MANAGED_BY]
    assert found(desired.findings) == ["relation.self"]
    assert [orphan.record for orphan in desired.orphans] == [f"device/{estate.mac(2)}"]


def test_a_mesh_that_goes_round_loses_one_edge_at_the_top(estate: Estate, found: Found) -> None:
    devices = (
        estate.device(1, uplink_mac=estate.mac(2)),
        estate.device(2, uplink_mac=estate.mac(3)),
        estate.device(3, uplink_mac=estate.mac(1), model_code="UDMPRO"),
        estate.device(4, uplink_mac=estate.mac(1)),
    )
    desired = map_snapshot(estate.snapshot(*devices), DEFAULT_RULES)
    assert sorted(relation.lower.mac for relation in desired.relations) == [estate.mac(n) for n in (1, 2, 4)]
    assert found(desired.findings) == ["relation.loop"]


def test_a_console_without_a_mac_is_one_orphan_not_one_per_device(estate: Estate) -> None:
    desired = map_snapshot(estate.snapshot(*(estate.device(n) for n in range(1, 6))), DEFAULT_RULES)
    assert [orphan.record for orphan in desired.orphans] == ["console/c0"]


def _client(number: int, **told: object) -> Client:
    defaults: dict[str, object] = {"mac": f"3c22fb{number:06x}", "console": "c0", "host_name": f"pc-{number}"}
    return Client(**{**defaults, **told})  # type: ignore[arg-type]


def test_clients_are_left_alone_unless_asked_for(estate: Estate) -> None:
    snapshot = estate.snapshot(estate.device(1), clients=(_client(1),))
    assert [key.record for key in map_snapshot(snapshot, DEFAULT_RULES).items] == ["device"]


def test_every_exclusion_of_clients_is_counted_once_with_its_reason(estate: Estate) -> None:
    long = {"first_seen": estate.taken_at - timedelta(days=30), "last_seen": estate.taken_at}
    clients = (
        _client(1, category="computer", connected=True, uplink_mac=estate.mac(1), **long),
        _client(2, guest=True, **long),
        _client(3, vpn=True, **long),
        _client(4, blocked=True, **long),
        *(_client(5, mac=f"{digit}{second}22fb000005", **long) for digit, second in ("32", "36", "3a", "3e")),
        _client(6, mac=estate.mac(1), **long),
        _client(7, first_seen=estate.taken_at - timedelta(days=6), last_seen=estate.taken_at),
        _client(8),
        _client(9, mac="not-a-mac", **long),
        _client(1, host_name="older", **{**long, "last_seen": estate.taken_at - timedelta(days=1)}),
    )
    desired = map_snapshot(estate.snapshot(estate.device(1, model_code="U7PRO"), clients=clients), CREATE)
    counts = {finding.rule: finding.value for finding in desired.findings if finding.record == "clients"}
    assert counts == {
        "client.guest": "1",
        "client.vpn": "1",
        "client.blocked": "1",
        "client.private_mac": "4",
        "client.managed": "1",
        "client.passing": "1",
        "client.time_unknown": "1",
        "client.mac_invalid": "1",
        "client.twice": "1",
    }
    (client,) = [item for key, item in desired.items.items() if key.record == "client"]
    assert client.name == "pc-1 (3c:22:fb:00:00:01)"
    assert client.class_chain == ("cmdb_ci_computer", "cmdb_ci_hardware")
    assert not {"serial_number", "model_id", "manufacturer"} & client.values.keys()
    assert [str(relation.upper) for relation in desired.relations] == [f"device/{estate.mac(1)}"]


@pytest.mark.parametrize(("days", "seconds", "mapped"), [(7, 0, True), (7, -1, False), (7, 1, True), (0, 0, True)])
def test_the_time_a_client_must_have_been_seen_counts_to_the_second(
    estate: Estate, days: float, seconds: int, mapped: bool
) -> None:
    seen = {"first_seen": estate.taken_at - timedelta(days=days, seconds=seconds), "last_seen": estate.taken_at}
    desired = map_snapshot(estate.snapshot(clients=(_client(1, **seen),)), replace(CREATE, client_minimum_days=days))
    assert bool(desired.items) is mapped


@pytest.mark.parametrize(
    ("told", "first"),
    [
        ({"category": "printer"}, "cmdb_ci_printer"),
        ({"category": "handheld"}, "cmdb_ci_handheld_computing"),
        ({"category": "camera"}, "cmdb_ci_ip_camera"),
        ({"category": "tv"}, "cmdb_ci_stv"),
        ({"category": "console"}, "cmdb_ci_game_console"),
        ({"category": "media"}, "cmdb_ci_media_player"),
        ({"category": "iot"}, "cmdb_ci_iot"),
        ({"category": "phone"}, "cmdb_ci_ip_phone"),
        ({"os_name": "Windows 11"}, "cmdb_ci_computer"),
        ({"os_name": "iOS 19"}, "cmdb_ci_handheld_computing"),
        ({"category": "a word from the future"}, "cmdb_ci_unclassified_hardware"),
        ({}, "cmdb_ci_unclassified_hardware"),
    ],
)
def test_a_clients_category_chooses_its_class(estate: Estate, told: dict[str, object], first: str) -> None:
    rules = replace(CREATE, client_minimum_days=0)
    desired = map_snapshot(estate.snapshot(clients=(_client(1, **told),)), rules)
    assert next(iter(desired.items.values())).class_chain[0] == first


MACS = st.one_of(
    st.integers(min_value=1, max_value=12).map(lambda n: f"00005e{n:06x}"),
    st.integers(min_value=1, max_value=12).map(lambda n: f"00:00:5E:00:00:{n:02X}"),
    st.text(max_size=20),
)
NAMES = st.one_of(
    st.none(), st.sampled_from(["AP", "ap", "AP (HQ)", "U6-Lite", "AP (HQ) 000001"]), st.text(max_size=300)
)
DEVICES = st.builds(
    Device,
    mac=MACS,
    console=st.sampled_from(["c0", "c1", "gone"]),
    site=st.one_of(st.none(), st.sampled_from(["default", "x", ""])),
    name=NAMES,
    model_code=st.one_of(
        st.none(), st.sampled_from(["UAL6", "UDMPRO", "UX", "USWDA26", "UP1", "?"]), st.text(max_size=9)
    ),
    model_name=NAMES,
    type=st.one_of(st.none(), st.sampled_from(["udm", "usw", "uap"]), st.text(max_size=9)),
    product_line=st.one_of(st.none(), st.sampled_from(["network", "protect", "talk"])),
    features=st.frozensets(st.sampled_from(["gateway", "switching", "accesspoint", "outlets", "battery", "ports"])),
    serial=st.one_of(st.none(), MACS),
    management_ip=st.one_of(st.none(), st.ip_addresses().map(str), st.text(max_size=20)),
    firmware=st.one_of(st.none(), st.text(max_size=20)),
    presence=st.sampled_from(Presence),
    is_console=st.booleans(),
    port_count=st.one_of(st.none(), st.integers()),
    uplink_mac=st.one_of(st.none(), MACS),
    ever_online=st.booleans(),
)
CLIENTS = st.builds(
    Client, mac=MACS, console=st.sampled_from(["c0", "c1"]), host_name=NAMES, uplink_mac=st.one_of(st.none(), MACS),
    category=st.one_of(st.none(), st.text(max_size=9)), connected=st.booleans(),
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(DEVICES, max_size=12), st.lists(CLIENTS, max_size=4), st.booleans())
def test_whatever_unifi_says_mapping_gives_each_mac_one_item_one_class_and_a_name_of_its_own(
    estate: Estate, devices: list[Device], clients: list[Client], with_mac: bool
) -> None:
    snapshot = Snapshot(
        taken_at=estate.taken_at,
        consoles=(Console(key="c0", name="", mac="00005e000001" if with_mac else None), Console(key="c1", name="\x00")),
        sites=(Site(console="c0", short_name="default", name="HQ"), Site(console="c1", short_name="x", name="")),
        devices=tuple(devices),
        clients=tuple(clients),
    )
    desired = estate.fitted(snapshot, replace(CREATE, client_minimum_days=0))
    assert all(item.class_name == item.class_chain[0] for item in desired.items.values())
    assert all(count == 1 for count in Counter(key.mac for key in desired.items).values())
    names = [item.name.casefold() for item in desired.items.values()]
    assert len(set(names)) == len(names)
    assert all(names)
    assert all(0 < len(item.name) <= 255 for item in desired.items.values())
    ends = {end for relation in desired.relations for end in (relation.lower, relation.upper)}
    assert ends <= desired.items.keys()
    above = {r.lower: r.upper for r in desired.relations if r.role is RelationRole.UPLINK}
    for start in above:
        steps, at = 0, start
        while at in above:
            at, steps = above[at], steps + 1
            assert steps <= len(above)


def test_the_same_estate_in_another_order_gives_the_same_state(estate: Estate) -> None:
    snapshot = estate.large(2, 30)
    turned = replace(snapshot, devices=tuple(reversed(snapshot.devices)), sites=tuple(reversed(snapshot.sites)))
    one, other = map_snapshot(snapshot, DEFAULT_RULES), map_snapshot(turned, DEFAULT_RULES)
    assert (one.items, one.relations) == (other.items, other.relations)


def test_locations_and_models_are_looked_up_by_what_the_operator_said(estate: Estate) -> None:
    rules = MappingRules().override(
        {
            "location_map": {"hq": "b" * 32, "c0/x": "World/Annex"},
            "company": "Acme",
            "manufacturer": "c" * 32,
            "groups": {"support_group": "Network"},
        }
    )
    sites = (Site(console="c0", short_name="default", name="HQ"), Site(console="c0", short_name="x", name="Annex"))
    devices = (estate.device(1, model_name="USW Pro Max 24 PoE"), estate.device(2, site="x"))
    desired = map_snapshot(estate.snapshot(*devices, sites=sites), rules)
    first, second = ({r.element: r for r in item.references} for item in desired.items.values())
    assert first["location"].sys_id == "b" * 32
    assert second["location"].any_of == ((("full_name", "World/Annex"),), (("name", "World/Annex"),))
    assert first["manufacturer"].sys_id == "c" * 32
    assert first["model_id"].any_of[0] == (("model_number", "USW-Pro-Max-24-PoE"),)
    assert first["model_id"].within == (("manufacturer", first["manufacturer"]),)
    assert first["company"].any_of == ((("name", "Acme"),),)
    assert first["support_group"].table == "sys_user_group"
