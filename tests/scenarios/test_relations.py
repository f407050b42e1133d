"""Relations drawn, moved and removed (L4, cmdb-model 6.7), judged by reading the sandbox's tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.estate.things import EstateDevice
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from beast_dream_snow_loader.sandbox.servicenow import oracle
from beast_dream_snow_loader.sandbox.servicenow.ire.options import IreOptions
from tests.scenarios.conftest import Town
from tests.scenarios.desk import LOAD, OpenTown, clean, key_of, uplinks

RELATION = "/api/now/cmdb/instance/*/relation/*"
FORBIDDEN = '{"error":{"message":"Operation Failed","detail":"ACL Exception Delete Failed due to security constraint"}}'
ABORTED = '{"error":{"message":"Operation Failed","detail":"Operation was aborted by Business Rule \'Freeze\'."}}'


class Relations:
    """One loaded town, a device in it that can hang on either of two others, and the edges as they are."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.estate = town.estate
        host = self.estate.consoles()[0].host_id
        adopted = [d for d in self.estate.devices(host) if d.adopted and d.online]
        self.moving = next(d for d in reversed(adopted) if d.uplink and not self._below(d))
        self.first = self.estate.device(self.moving.uplink)
        self.second = next(d for d in adopted if d.mac not in (self.moving.mac, self.first.mac) and self._below(d))

    def _below(self, device: EstateDevice) -> list[EstateDevice]:
        return [d for c in self.estate.consoles() for d in self.estate.devices(c.host_id) if d.uplink == device.mac]

    def load(self, *flags: str, **variables: str) -> Any:
        return self.town.run(*LOAD, *flags, **variables)

    def uplinks(self, device: EstateDevice | None = None) -> set[str]:
        """Native keys of what the CMDB says the device hangs on."""
        edges = oracle.edges(self.town.app.instance, "UniFi")
        return {
            edge.child for edge in edges if edge.parent == key_of(device or self.moving) and "Connects" in edge.type
        }

    def tree(self) -> set[tuple[str, str]]:
        edges = oracle.edges(self.town.app.instance, "UniFi")
        return {(edge.parent, edge.child) for edge in edges if "Connects" in edge.type}

    def row(self, upper: EstateDevice) -> str:
        """The sys_id of the moving device's edge to ``upper``."""
        instance = self.town.app.instance
        there = oracle.by_native_key(instance, "UniFi")
        ends = {"parent": there[key_of(self.moving)].sys_id, "child": there[key_of(upper)].sys_id}
        return next(row["sys_id"] for row in instance.find("cmdb_rel_ci", **ends))

    def deletes(self) -> int:
        return sum(1 for line in self.town.sandbox.log.lines("servicenow") if line.method == "DELETE")


def edge_rules(result: Any) -> list[str]:
    return [finding["rule"] for finding in result.document["findings"] if finding["rule"].startswith(("rel", "unl"))]


@pytest.fixture
def here(town: OpenTown) -> Relations:
    relations = Relations(town(Estate.generate(seed=3, sites=1, devices=24)))
    first = relations.load()
    assert first.code == 0, first.err
    assert relations.uplinks() == {key_of(relations.first)}
    return relations


@pytest.fixture
def moved(here: Relations) -> Relations:
    """The device hangs elsewhere, and one load has seen it."""
    here.estate.change_uplink(here.moving.mac, here.second.mac)
    once = here.load()
    assert (once.code, once.document["plan"]["link"], once.document["plan"]["unlink"]) == (0, 0, 0)
    assert "relation.moving" in edge_rules(once)
    assert here.uplinks() == {key_of(here.first)}
    return here


def test_a_moved_uplink_is_relinked_by_the_second_complete_read_and_the_old_edge_removed(moved: Relations) -> None:
    before = len(oracle.edges(moved.town.app.instance))
    twice = moved.load()
    assert (twice.code, twice.document["written"]["linked"], twice.document["written"]["unlinked"]) == (0, 1, 1)
    assert moved.uplinks() == {key_of(moved.second)}
    assert len(oracle.edges(moved.town.app.instance)) == before
    assert not any(moved.load().document["written"].values())
    clean(moved.town)


def test_a_full_load_reports_the_edges_that_were_there_as_unchanged(here: Relations) -> None:
    before = here.load().document["links"]
    full = here.load("--full").document
    assert before["linked"] == before["wanted"] > 0
    assert (full["written"]["linked"], full["written"]["links_unchanged"]) == (0, before["linked"])
    assert full["links"] == before


def test_an_uplink_that_flaps_back_changes_nothing(moved: Relations) -> None:
    for upper in (moved.first, moved.second, moved.first):
        moved.estate.change_uplink(moved.moving.mac, upper.mac)
        assert not any(moved.load().document["written"].values())
    assert moved.uplinks() == {key_of(moved.first)}


def test_an_offline_devices_last_known_uplink_is_kept(moved: Relations) -> None:
    moved.estate.set_online(moved.moving.mac, False)
    for _ in range(2):
        assert moved.load().document["plan"]["unlink"] == 0
    assert moved.uplinks() == {key_of(moved.first)}


def test_a_dry_run_shows_the_move_does_not_count_as_a_read_and_sends_nothing(moved: Relations) -> None:
    for _ in range(2):
        planned = moved.load("--dry-run")
        assert {row["change"] for row in planned.document["changes"]} == {"link", "unlink"}
    assert (moved.deletes(), moved.uplinks()) == (0, {key_of(moved.first)})


def test_an_edge_that_another_source_recorded_too_stays_and_is_told_once(moved: Relations) -> None:
    row = moved.row(moved.first)
    moved.town.app.instance.insert("sys_rel_source", {"name": "Discovery", "cmdb_rel_ci": row})
    twice = moved.load()
    assert (twice.code, twice.document["written"]["unlinked"]) == (0, 0)
    assert "unlink.shared" in edge_rules(twice)
    assert moved.uplinks() == {key_of(moved.first), key_of(moved.second)}
    assert not edge_rules(moved.load())


def test_an_edge_that_was_there_before_us_is_never_removed(here: Relations) -> None:
    """The same edge, drawn by a person before the first load ever ran: a fresh memory finds it there."""
    state = next(here.town.run.home.rglob("state.sqlite"))
    for file in state.parent.glob("state.sqlite*"):
        file.unlink()
    assert here.load().code == 0
    here.estate.change_uplink(here.moving.mac, here.second.mac)
    here.load()
    twice = here.load()
    assert "unlink.not_ours" in edge_rules(twice)
    assert here.uplinks() == {key_of(here.first), key_of(here.second)}
    assert here.deletes() == 0


def test_a_refused_removal_names_the_right_that_is_missing_and_is_tried_again(moved: Relations) -> None:
    moved.town.sandbox.servicenow.faults.add(
        Fault(effect=Effect.STATUS, status=403, method="DELETE", path=RELATION, body=FORBIDDEN)
    )
    refused = moved.load()
    assert refused.code == 3
    (failure,) = refused.document["failed"]
    assert (failure["change"], "cmdb_rel_ci" in failure["message"]) == ("unlink", True)
    moved.town.sandbox.servicenow.faults.clear()
    assert moved.load().document["written"]["unlinked"] == 1
    assert moved.uplinks() == {key_of(moved.second)}


def test_an_outage_queues_the_removal_and_a_replay_sends_it_once(moved: Relations) -> None:
    moved.town.sandbox.servicenow.faults.add(Fault(effect=Effect.STATUS, status=429, method="DELETE", path=RELATION))
    away = moved.load()
    assert (away.code, away.document["queued"]) == (8, 1), away.err
    moved.town.sandbox.servicenow.faults.clear()
    replayed = moved.town.run("replay-queue", "--env", "testing", "--json")
    assert (replayed.code, replayed.document["sent"], replayed.document["left"]) == (0, 1, 0)
    assert moved.uplinks() == {key_of(moved.second)}
    assert not any(moved.load().document["written"].values())


def test_both_queued_by_an_outage_replay_in_order(moved: Relations) -> None:
    moved.town.sandbox.servicenow.faults.add(Fault(effect=Effect.STATUS, status=503, path="/api/*"))
    away = moved.load()
    assert (away.code, away.document["queued"]) == (8, 2), away.err
    moved.town.sandbox.servicenow.faults.clear()
    replayed = moved.town.run("replay-queue", "--env", "testing", "--json")
    assert replayed.document["written"] | {"linked": 1, "unlinked": 1} == replayed.document["written"]
    assert moved.uplinks() == {key_of(moved.second)}


@pytest.mark.parametrize("effect", [Effect.RESET_AFTER, Effect.RESET_BEFORE])
def test_a_removal_whose_answer_was_lost_is_looked_up_by_the_next_load(moved: Relations, effect: Effect) -> None:
    fault = Fault(effect=effect, method="DELETE", path=RELATION, acts=effect is Effect.RESET_AFTER)
    moved.town.sandbox.servicenow.faults.add(fault)
    lost = moved.load()
    assert (lost.code, lost.document["written"]["linked"]) == (8, 1), lost.err
    moved.town.sandbox.servicenow.faults.clear()
    before = moved.deletes()
    after = moved.load()
    assert (after.code, moved.uplinks()) == (0, {key_of(moved.second)})
    assert moved.deletes() - before == (0 if effect is Effect.RESET_AFTER else 1)
    assert not any(moved.load().document["written"].values())


def test_the_old_edge_stays_while_the_new_one_cannot_be_drawn(moved: Relations) -> None:
    fault = Fault(effect=Effect.STATUS, status=403, path="/api/now/identifyreconcile/enhanced", body=ABORTED)
    moved.town.sandbox.servicenow.faults.add(fault)
    refused = moved.load()
    assert (refused.code, moved.deletes(), moved.uplinks()) == (3, 0, {key_of(moved.first)})
    moved.town.sandbox.servicenow.faults.clear()
    moved.load()
    assert moved.uplinks() == {key_of(moved.second)}


def test_a_device_moved_to_another_console_is_managed_by_that_one_after_two_reads(town: OpenTown) -> None:
    estate = Estate.generate(seed=3, sites=2, devices=30, consoles=2)
    relations = Relations(town(estate))
    assert relations.load().code == 0
    instance = relations.town.app.instance

    def managers() -> set[str]:
        edges = oracle.edges(instance, "UniFi")
        return {edge.child for edge in edges if edge.parent == key_of(relations.moving) and "Managed" in edge.type}

    (before,), there = managers(), len(oracle.by_native_key(instance, "UniFi"))
    other = next(site for site in estate.sites() if site.host_id != relations.moving.host_id)
    estate.move_device(relations.moving.mac, other.legacy_id, estate.gateway_of(other.legacy_id))
    relations.load()
    assert managers() == {before}
    relations.load()
    (after,) = managers()
    assert after != before
    assert len(oracle.by_native_key(instance, "UniFi")) == there
    clean(relations.town)


def test_an_end_deleted_by_hand_is_told_made_anew_and_then_linked(moved: Relations) -> None:
    """R3.4: the edge is not sent to a CI that is not there, nor is a stub made of it."""
    instance = moved.town.app.instance
    gone = oracle.by_native_key(instance, "UniFi")[key_of(moved.second)]
    with instance.lock, instance.acting_as("admin"):
        instance.delete(gone.class_name, gone.sys_id)
    twice = moved.load()
    assert twice.code == 0, twice.err
    told = [f["message"] for f in twice.document["findings"] if f["rule"] == "ledger.gone"]
    assert [key_of(moved.second) in message for message in told] == [True]
    there = oracle.by_native_key(instance, "UniFi")[key_of(moved.second)]
    assert (there.name, there.values["serial_number"]) == (gone.name, gone.values["serial_number"])
    assert moved.uplinks() == {key_of(moved.second)}
    assert moved.tree() == {(lower, upper) for lower, upper in uplinks(moved.estate).items() if upper}
    assert not any(moved.load().document["written"].values())


def test_a_load_reads_back_the_edges_it_drew_and_counts_what_it_inserted(here: Relations) -> None:
    """R3.2, in bulk reads: what did not change is not asked about."""
    added = here.estate.add_device(site=here.moving.site, model="U7PRO", name="new-ap", uplink=here.first.mac)
    load = here.load()
    ours = len(oracle.by_native_key(here.town.app.instance, "UniFi"))
    assert load.document["verify"] == {
        "checked": 1, "mismatches": 0, "links_checked": 2, "duplicates": 0, "ledger": ours, "cmdb": ours
    }  # fmt: skip
    assert here.uplinks(added) == {key_of(here.first)}
    assert load.document["links"]["rate"] == 1.0
    verified = here.load().document["verify"]
    assert (verified["links_checked"], verified["cmdb"]) == (0, None)


def test_an_edge_that_the_instance_drops_though_it_said_insert_is_told_by_name(here: Relations) -> None:
    """R3.2: only reading it back tells."""
    options = IreOptions(dropped_relations=frozenset({"Connects to::Connected by"}))
    here.town.app.backend.set_options(ire=options)
    added = here.estate.add_device(site=here.moving.site, model="U7PRO", name="new-ap", uplink=here.first.mac)
    load = here.load()
    told = [f for f in load.document["findings"] if f["rule"] == "cmdb.write_not_kept"]
    assert (load.code, load.document["verify"]["mismatches"]) == (3, 1)
    assert [(finding["record"], finding["field"]) for finding in told] == [(key_of(added), "relation")]


def test_edges_to_a_record_that_is_held_wait_are_named_and_lower_the_linking_rate(town: OpenTown) -> None:
    """R3.4: two CIs of others carry the serial number of a switch, so a person decides which it is."""
    relations = Relations(town(Estate.generate(seed=3, sites=1, devices=12)))
    upper, instance = relations.first, relations.town.app.instance
    for name in ("rack 1", "rack 2"):
        instance.insert("cmdb_ci_ip_switch", {"name": name, "serial_number": upper.mac.upper()})
    below = {lower for lower, above in uplinks(relations.estate).items() if above == key_of(upper)}
    load = relations.load()
    assert [held["key"] for held in load.document["held"]] == [key_of(upper)]
    told = {f["record"] for f in load.document["findings"] if f["rule"] == "relation.end_held"}
    assert told - {key_of(upper)} == below
    links = load.document["links"]
    assert links["wanted"] - links["linked"] == links["orphans"] == len(below) + 2
    assert links["rate"] == round(links["linked"] / links["wanted"], 4)
    shown = relations.town.run("load", "--env", "testing")
    assert f"rate {links['rate']:.1%}" in shown.out
    report = relations.town.run("report", "--env", "testing", "--json")
    assert {run["linking_rate"] for run in report.document["runs"]} == {links["rate"]}


def types(town: Town, *there: str) -> None:
    """The instance has these relation types, and none of the others that snowload would use."""
    instance = town.app.instance
    with instance.lock, instance.acting_as("admin"):
        for row in instance.find("cmdb_rel_type"):
            if row["name"] in ALL_TYPES:
                instance.delete("cmdb_rel_type", row["sys_id"])
        for name in there:
            parent, child = name.split("::")
            values = {"name": name, "parent_descriptor": parent, "child_descriptor": child}
            instance.insert("cmdb_rel_type", values)


ALL_TYPES = (
    "Connects to::Connected by",
    "IP Connection::IP Connection",
    "Managed by::Manages",
    "Manages::Managed by",
    "Controller for::Controlled by",
)


@pytest.mark.parametrize(
    ("there", "uplink", "manager", "reversed_"),
    [
        (ALL_TYPES, "Connects to::Connected by", "Managed by::Manages", False),
        (ALL_TYPES[1:], "IP Connection::IP Connection", "Managed by::Manages", False),
        ((ALL_TYPES[0], *ALL_TYPES[3:]), "Connects to::Connected by", "Manages::Managed by", True),
        ((ALL_TYPES[1], ALL_TYPES[4]), "IP Connection::IP Connection", "Controller for::Controlled by", True),
        ((ALL_TYPES[0],), "Connects to::Connected by", None, False),
    ],
    ids=["all", "no connects to", "manages reversed", "controller for reversed", "no manager type"],
)
def test_the_first_relation_type_the_instance_has_is_used_in_its_direction(
    town: OpenTown, there: tuple[str, ...], uplink: str, manager: str | None, *, reversed_: bool
) -> None:
    """cmdb-model 6.7: uplink and manager, each with its fallbacks; without any, that kind is told and left out."""
    here = town(Estate.generate(seed=3, sites=1, devices=8))
    types(here, *there)
    load = here.run(*LOAD)
    edges = oracle.edges(here.app.instance, "UniFi")
    wanted = {(lower, upper) for lower, upper in uplinks(here.estate).items() if upper}
    assert {(edge.parent, edge.child) for edge in edges if edge.type == uplink} == wanted
    (console,) = {key_of(d) for d in here.estate.devices(here.estate.consoles()[0].host_id) if d.is_console}
    managed = {(edge.parent, edge.child) for edge in edges if edge.type != uplink}
    pairs = {(device, console) for device in uplinks(here.estate) if device != console}
    assert managed == (set() if manager is None else {(b, a) if reversed_ else (a, b) for a, b in pairs})
    assert {edge.type for edge in edges} == {uplink, *([manager] if manager else [])}
    assert ("relation.type_absent" in edge_rules(load)) is (manager is None)


def test_a_type_that_went_away_since_it_was_looked_up_costs_its_edges_only_and_is_told_once(here: Relations) -> None:
    """cmdb-model 2.9: an invalid relation type disables that kind of edge; the devices are written."""
    types(here.town, "Managed by::Manages")
    added = [
        here.estate.add_device(site=here.moving.site, model="U7PRO", name=f"ap-{n}", uplink=here.first.mac)
        for n in range(3)
    ]
    load = here.load("--json", SNOWLOAD_SERVICENOW__BATCH_SIZE="1")
    assert (load.code, load.document["written"]["created"], load.document["written"]["linked"]) == (3, 3, 3)
    assert edge_rules(load).count("relation.type_refused") == 1
    assert {failure["change"] for failure in load.document["failed"]} == {"link"}
    types(here.town, "Managed by::Manages", "Connects to::Connected by")
    assert here.load("--full").code in (0, 3)
    assert {frozenset(here.uplinks(device)) for device in added} == {frozenset({key_of(here.first)})}


def test_edges_across_batches_consoles_and_parallel_lanes_are_each_drawn_once(town: OpenTown) -> None:
    estate = Estate.generate(seed=5, sites=6, devices=90, consoles=3)
    relations = Relations(town(estate))
    load = relations.load("--workers", "4", SNOWLOAD_SERVICENOW__BATCH_SIZE="7")
    assert (load.code, load.document["links"]["rate"]) == (0, 1.0), load.err
    assert relations.tree() == {(lower, upper) for lower, upper in uplinks(estate).items() if upper}
    clean(relations.town)


def test_the_map_of_outlets_draws_what_powers_what(town: OpenTown, tmp_path: Path) -> None:
    """cmdb-model 6.7: optional, from a map by hand; an end that UniFi does not list is named."""
    here = town(Estate.generate(seed=3, sites=1, devices=8))
    device, pdu = [d for d in here.estate.devices(here.estate.consoles()[0].host_id) if d.adopted][1:3]
    instance = here.app.instance
    if not instance.find("cmdb_rel_type", name="Powered by::Powers"):
        row = {"name": "Powered by::Powers", "parent_descriptor": "Powered by", "child_descriptor": "Powers"}
        instance.insert("cmdb_rel_type", row)
    config = tmp_path / "outlets.toml"
    config.write_text(f'[mapping.outlets]\n"{device.mac}" = "{pdu.mac.lower()}"\n"00:00:5e:00:53:99" = "{pdu.mac}"\n')
    load = here.run(*LOAD, "--config", str(config))
    powered = [edge for edge in oracle.edges(instance, "UniFi") if edge.type == "Powered by::Powers"]
    assert [(edge.parent, edge.child) for edge in powered] == [(key_of(device), key_of(pdu))]
    orphans = [f["record"] for f in load.document["findings"] if f["rule"] == "relation.orphan"]
    assert orphans == ["device/00005e005399"]
    assert not any(here.run(*LOAD, "--config", str(config)).document["written"].values())


def test_a_line_taken_out_of_the_map_of_outlets_takes_its_relation_along(town: OpenTown, tmp_path: Path) -> None:
    """cmdb-model 6.7: an edge of ours whose rule is gone is no longer true; one that waits for its PDU stays."""
    here = town(Estate.generate(seed=3, sites=1, devices=8))
    first, second, pdu = [d for d in here.estate.devices(here.estate.consoles()[0].host_id) if d.adopted][1:4]
    instance = here.app.instance
    if not instance.find("cmdb_rel_type", name="Powered by::Powers"):
        row = {"name": "Powered by::Powers", "parent_descriptor": "Powered by", "child_descriptor": "Powers"}
        instance.insert("cmdb_rel_type", row)
    config = tmp_path / "outlets.toml"

    def powered(*lines: str) -> list[str]:
        config.write_text("[mapping.outlets]\n" + "\n".join(lines))
        load = here.run(*LOAD, "--config", str(config))
        assert load.code == 0, load.err
        return sorted(edge.parent for edge in oracle.edges(instance, "UniFi") if edge.type == "Powered by::Powers")

    one, other = (f'"{device.mac}" = "{pdu.mac}"' for device in (first, second))
    assert powered(one, other) == sorted((key_of(first), key_of(second)))
    assert powered(other) == [key_of(second)]
    here.estate.remove_device(pdu.mac)
    assert powered(other) == [key_of(second)]
    assert powered() == []
    assert not any(here.run(*LOAD, "--config", str(config)).document["written"].values())


_ADAPTER_DUE = "mapping.write_adapters is on and its adapter was not written yet"


@pytest.mark.parametrize("before", [False, True], ids=["from the start", "switched on later"])
def test_adapters_as_items_hang_on_their_device_once(town: OpenTown, tmp_path: Path, *, before: bool) -> None:
    """cmdb-model 2.5: the item with its relation instead of the lookup, never both."""
    here = town(Estate.generate(seed=3, sites=1, devices=8))
    config = tmp_path / "adapters.toml"
    config.write_text("[mapping]\nwrite_adapters = true\n")
    if before:
        assert here.run(*LOAD).code == 0
        planned = here.run("plan", "--env", "testing", "--json", "--config", str(config)).document
        assert {change["reason"] for change in planned["changes"]} == {_ADAPTER_DUE}
        load = here.run(*LOAD, "--config", str(config))
    else:
        load = here.run(*LOAD, "--config", str(config))
    assert load.code == 0, load.err
    instance = here.app.instance
    there = oracle.by_native_key(instance, "UniFi")
    adapters = list(instance.rows("cmdb_ci_network_adapter"))
    assert sorted(row["mac_address"].replace(":", "") for row in adapters) == sorted(k.split("/")[1] for k in there)
    macs = {row["sys_id"]: row["mac_address"].replace(":", "") for row in adapters}
    owns = [edge for edge in oracle.edges(instance, "UniFi") if edge.type == "Owns::Owned by" and edge.child in macs]
    assert sorted((edge.parent, f"device/{macs[edge.child]}") for edge in owns) == sorted((k, k) for k in there)
    clean(here)
    assert not any(here.run(*LOAD, "--config", str(config)).document["written"].values())


def test_an_instance_that_takes_no_adapters_as_items_gets_lookups_and_is_told_once(
    town: OpenTown, tmp_path: Path
) -> None:
    here = town(Estate.generate(seed=3, sites=1, devices=8))
    here.app.backend.set_options(ire=IreOptions(without_rules=frozenset({"cmdb_ci_network_adapter"})))
    config = tmp_path / "adapters.toml"
    config.write_text("[mapping]\nwrite_adapters = true\n")
    load = here.run(*LOAD, "--config", str(config), SNOWLOAD_SERVICENOW__BATCH_SIZE="3")
    assert load.code == 0, load.err
    assert [f["rule"] for f in load.document["findings"]].count("adapter.impossible") == 1
    assert len(oracle.by_native_key(here.app.instance, "UniFi")) == 8


@pytest.mark.parametrize("effect", [Effect.RESET_AFTER, Effect.CUT_JSON])
def test_edges_whose_answer_was_lost_are_ours_and_move_like_all_others(town: OpenTown, effect: Effect) -> None:
    here = Relations(town(Estate.generate(seed=3, sites=1, devices=12)))
    path = "/api/now/identifyreconcile/enhanced"
    here.town.sandbox.servicenow.faults.add(Fault(effect=effect, path=path, first=1))
    assert here.load().code == 0
    here.estate.change_uplink(here.moving.mac, here.second.mac)
    here.load()
    assert here.load().document["written"]["unlinked"] == 1
    assert here.uplinks() == {key_of(here.second)}


def rolled_back(here: Relations, run_id: str, *more: str) -> Any:
    return here.town.run("rollback", run_id, "--env", "testing", "--json", *more)


def test_a_rollback_leaves_the_relations_of_later_loads_and_says_so(here: Relations) -> None:
    """To and fro: what the run drew was removed since, and drawn again as another row."""
    runs = []
    for upper in (here.second, here.first, here.second):
        here.estate.change_uplink(here.moving.mac, upper.mac)
        here.load()
        runs.append(here.load().document["run_id"])
    row = here.row(here.second)
    undone = rolled_back(here, runs[0])
    assert (undone.code, here.uplinks(), here.row(here.second)) == (3, {key_of(here.second)}, row)
    told = [one["record"] for one in undone.document["findings"] if one["rule"] == "rollback.changed_since"]
    assert len(told) == len([record for record in told if "uplink" in record]) == 2


def test_a_rollback_of_the_last_move_puts_the_relation_back(moved: Relations) -> None:
    run_id = moved.load().document["run_id"]
    assert rolled_back(moved, run_id).code == 0
    assert moved.uplinks() == {key_of(moved.first)}
    again = rolled_back(moved, run_id)
    assert (again.code, moved.uplinks()) == (0, {key_of(moved.first)})
