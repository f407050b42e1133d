"""Clients in the mode ``link``: only the edge is drawn, and only where there is exactly one CI (cmdb-model 6.4)."""

from __future__ import annotations

import json

import pytest

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.estate.things import EstateClient, EstateDevice
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from beast_dream_snow_loader.sandbox.servicenow import oracle
from tests.scenarios.conftest import Town
from tests.scenarios.desk import HELD_BACK, LOAD, LOOK_UP, REPLAY, WRITES, OpenTown, away, eligible
from tests.scenarios.model import colons, key_of

NEW = "0c00000000aa"
RELATION = "/api/now/cmdb/instance/*/relation"


class Linked:
    """A town whose CMDB holds computers that Intune made, one for each of some clients."""

    def __init__(self, town: Town) -> None:
        self.town, self.estate = town, town.estate
        self.clients = eligible(town.estate)
        town.run.variables["SNOWLOAD_CLIENTS__MODE"] = "link"

    @property
    def instance(self) -> object:
        return self.town.app.instance

    def computer(self, client: EstateClient, mac: str = "", *, adapter: bool = False, **values: str) -> str:
        """The sys_id of a new CI of somebody else that has the client's MAC."""
        instance = self.town.app.instance
        spelled = mac or colons(client.mac)
        told = {"name": f"PC-{client.key}", "discovery_source": "ServiceNow", **values}
        with instance.lock, instance.acting_as("intune"):
            made = instance.insert("cmdb_ci_computer", told if adapter else {**told, "mac_address": spelled})
            if adapter:
                card = {"name": "eth0", "mac_address": spelled, "cmdb_ci": made["sys_id"]}
                instance.insert("cmdb_ci_network_adapter", card)
        return str(made["sys_id"])

    def load(self, *more: str, code: int = 0, **variables: str) -> dict[str, object]:
        ended = self.town.run(*LOAD, *more, **variables)
        assert ended.code == code, (ended.code, ended.err, ended.out[-1500:])
        document: dict[str, object] = ended.document
        return document

    def ends(self) -> dict[str, list[str]]:
        """The devices (native keys) that each foreign CI connects to."""
        found: dict[str, list[str]] = {}
        for edge in oracle.edges(self.town.app.instance, "UniFi"):
            if len(edge.parent) == 32:
                found.setdefault(edge.parent, []).append(edge.child)
        return found

    def calls(self) -> int:
        lines = self.town.sandbox.log.lines("servicenow")
        return sum(1 for line in lines if line.path.endswith("/relation") and line.method == "POST")

    def at_a_new_device(self, client: EstateClient) -> str:
        """The client roams to a device that comes with it; the device's MAC."""
        like = self.elsewhere(client)
        new = self.estate.add_device(site=like.site, model=like.model_code, name="new", uplink=like.mac, mac=NEW)
        self.estate.roam_client(client.key, new.mac)
        return new.mac

    def elsewhere(self, client: EstateClient) -> EstateDevice:
        """Another device of the client's site."""
        devices = self.estate.site_devices(client.site)
        return next(d for d in devices if d.adopted and d.mac != client.uplink and d.model.type and not d.is_gateway)


@pytest.fixture
def here(town: OpenTown) -> Linked:
    return Linked(town(Estate.generate(seed=5, sites=2, devices=30, clients=120)))


def test_each_client_with_one_ci_gets_its_edge_and_no_field_of_the_ci_changes(here: Linked) -> None:
    spellings = (colons, str.lower, str.upper, lambda mac: colons(mac).upper().replace(":", "-"))
    made = {
        here.computer(client, spell(client.mac)): client  # type: ignore[operator]
        for client, spell in zip(here.clients[:4], spellings, strict=True)
    }
    made[here.computer(here.clients[4], adapter=True)] = here.clients[4]
    before = {sys_id: here.town.app.instance.get("cmdb_ci", sys_id) for sys_id in made}
    document = here.load()
    assert here.ends() == {sys_id: [key_of(client.uplink)] for sys_id, client in made.items()}
    assert {sys_id: here.town.app.instance.get("cmdb_ci", sys_id) for sys_id in made} == before
    assert not oracle.duplicate_edges(here.town.app.instance)
    assert not [item for item in oracle.by_native_key(here.town.app.instance, "UniFi") if item.startswith("client/")]
    links = document["links"]
    assert links["wanted"] == links["linked"] + links["orphans"]  # type: ignore[index]


def test_a_second_load_writes_nothing_and_asks_only_for_clients_without_an_edge(here: Linked) -> None:
    for client in here.clients[:3]:
        here.computer(client)
    first = here.load()
    here.town.sandbox.log.clear()
    second = here.load()
    assert not any(second["written"].values())  # type: ignore[attr-defined]
    assert (here.town.writes(), here.calls()) == (0, 0)
    assert second["links"] == first["links"]


def test_the_edge_of_a_client_is_explained_before_and_after_it_is_drawn(here: Linked) -> None:
    client = here.clients[0]
    here.computer(client)
    here.load(SNOWLOAD_CLIENTS__MODE="off")

    def rules() -> list[str]:
        told = here.town.run("explain", client.uplink, "--env", "testing", "--json").document["relations"]
        return [edge["rule"] for edge in told if f"client/{client.mac.lower()}" in edge["edge"]]

    before = rules()
    here.load()
    assert (before, rules()) == (["relation.to_draw"], ["relation.drawn"])


def test_none_or_several_cis_mean_no_edge_and_are_told(here: Linked) -> None:
    client = here.clients[0]
    here.computer(client)
    here.computer(client, adapter=True)
    document = here.load()
    assert not here.ends()
    told = {finding["rule"]: finding for finding in document["findings"]}  # type: ignore[attr-defined]
    assert f"client/{client.mac.lower()}" in told["client.several_cis"]["message"]
    assert int(told["client.no_ci"]["value"]) >= len(here.clients) - 1
    assert document["links"]["orphans"] >= len(here.clients)  # type: ignore[index]


def test_a_ci_marked_as_the_duplicate_of_another_does_not_count(here: Linked) -> None:
    main = here.computer(here.clients[0])
    here.computer(here.clients[0], duplicate_of=main)
    here.load()
    assert list(here.ends()) == [main]


def test_an_edge_somebody_else_drew_is_not_drawn_again_and_never_removed(here: Linked) -> None:
    client = here.clients[0]
    pc = here.computer(client)
    here.load(SNOWLOAD_CLIENTS__MODE="off")
    instance = here.town.app.instance
    device = oracle.by_native_key(instance, "UniFi")[key_of(client.uplink)]
    with instance.lock:
        (kind,) = instance.find("cmdb_rel_type", name="Connects to::Connected by")
        theirs = instance.insert("cmdb_rel_ci", {"parent": pc, "child": device.sys_id, "type": kind["sys_id"]})
    here.load()
    assert here.calls() == 0
    here.estate.change_client(client.key, uplink=here.elsewhere(client).mac)
    for _ in range(3):
        here.load()
    assert instance.get("cmdb_rel_ci", theirs["sys_id"]) is not None
    assert sorted(here.ends()[pc]) == sorted([key_of(client.uplink), key_of(here.elsewhere(client).mac)])


def test_a_client_that_roams_is_linked_anew_after_two_complete_reads(here: Linked) -> None:
    """cmdb-model 6.7."""
    client = here.clients[0]
    pc = here.computer(client)
    here.load()
    there = here.elsewhere(client)
    here.estate.change_client(client.key, uplink=there.mac)
    first = here.load()
    assert (here.ends()[pc], first["plan"]["link"]) == ([key_of(client.uplink)], 0)  # type: ignore[index]
    second = here.load()
    assert here.ends()[pc] == [key_of(there.mac)]
    assert (second["written"]["linked"], second["written"]["unlinked"]) == (1, 1)  # type: ignore[index]
    assert not any(here.load()["written"].values())  # type: ignore[attr-defined]


def test_a_client_that_comes_back_in_time_keeps_its_edge(here: Linked) -> None:
    client = here.clients[0]
    pc = here.computer(client)
    here.load()
    for uplink in (here.elsewhere(client).mac, client.uplink, here.elsewhere(client).mac):
        here.estate.change_client(client.key, uplink=uplink)
        here.load()
    assert here.ends()[pc] == [key_of(client.uplink)]


def test_an_incomplete_read_does_not_count_towards_a_move(here: Linked) -> None:
    client = here.clients[0]
    pc = here.computer(client)
    here.load()
    here.estate.change_client(client.key, uplink=here.elsewhere(client).mac)
    here.load()
    for server in here.town.sandbox.consoles:
        server.server.faults.add(Fault(effect=Effect.STATUS, status=500, path="*/stat/alluser*"))
        server.server.faults.add(Fault(effect=Effect.STATUS, status=500, path="*/rest/user*"))
    here.load(code=3)
    assert here.ends()[pc] == [key_of(client.uplink)]


def test_a_client_that_disconnects_keeps_its_edge(here: Linked) -> None:
    client = here.clients[0]
    pc = here.computer(client)
    here.load()
    here.estate.change_client(client.key, connected=False)
    assert not any(here.load()["written"].values())  # type: ignore[attr-defined]
    assert here.ends()[pc] == [key_of(client.uplink)]


def test_the_edge_of_a_deleted_ci_is_forgotten_and_its_successor_linked(here: Linked) -> None:
    client = here.clients[0]
    pc = here.computer(client)
    here.load()
    with here.town.app.instance.lock:
        here.town.app.instance.delete("cmdb_ci", pc)
    assert not any(here.load()["written"].values())  # type: ignore[attr-defined]
    new = here.computer(client)
    here.load()
    assert here.ends() == {new: [key_of(client.uplink)]}
    assert not oracle.orphans(here.town.app.instance)


def test_an_edge_that_a_person_removed_stays_away_until_a_full_load(here: Linked) -> None:
    client, other = here.clients[:2]
    pc = here.computer(client)
    here.computer(other)
    before = here.load()["links"]
    instance = here.town.app.instance
    with instance.lock, instance.acting_as("admin"):
        (row,) = instance.find("cmdb_rel_ci", parent=pc)
        instance.delete("cmdb_rel_ci", row["sys_id"])
    for _ in range(2):
        load = here.load()
        told = [one["record"] for one in load["findings"] if one["rule"] == "relation.removed_by_hand"]  # type: ignore[attr-defined]
        assert told == [f"client/{client.mac.lower()}"]
        assert not any(load["written"].values())  # type: ignore[attr-defined]
        assert load["links"]["linked"] == before["linked"] - 1  # type: ignore[index]
    away(here.town)
    assert here.town.run(*LOAD).document["links"]["linked"] == before["linked"] - 1  # type: ignore[index]
    here.town.sandbox.servicenow.faults.clear()
    assert pc not in here.ends()
    full = here.load("--full")
    assert full["written"]["linked"] == 1  # type: ignore[index]
    assert here.ends()[pc] == [f"device/{client.uplink.lower()}"]
    assert here.load()["links"] == before


@pytest.mark.parametrize("effect", [Effect.RESET_AFTER, Effect.RESET_BEFORE, Effect.CUT_JSON])
def test_a_lost_answer_is_looked_up_and_draws_no_edge_twice(here: Linked, effect: Effect) -> None:
    for client in here.clients[:6]:
        here.computer(client)
    here.town.sandbox.servicenow.faults.add(Fault(effect=effect, path=RELATION, first=1))
    document = here.load()
    assert (len(here.ends()), document["queued"]) == (6, 0)
    assert not oracle.duplicate_edges(here.town.app.instance)
    client = here.clients[0]
    here.estate.change_client(client.key, uplink=here.elsewhere(client).mac)
    here.load()
    assert here.load()["written"]["unlinked"] == 1  # type: ignore[index]  # it is known to be ours


def test_an_outage_queues_the_edges_and_a_replay_draws_them_once(here: Linked) -> None:
    here.load()
    for client in here.clients[:3]:
        here.computer(client)
    here.town.sandbox.servicenow.faults.add(Fault(effect=Effect.HIBERNATING, path=RELATION))
    away = here.load(code=8)
    assert (away["queued"], here.ends()) == (3, {})
    here.town.sandbox.servicenow.faults.clear()
    replayed = here.town.run("replay-queue", "--env", "testing", "--json")
    assert (replayed.code, replayed.document["sent"], len(here.ends())) == (0, 3, 3), replayed.err
    assert not any(here.load()["written"].values())  # type: ignore[attr-defined]


def test_edges_of_clients_wait_in_the_queue_behind_a_device_that_waits_there(here: Linked) -> None:
    here.computer(here.clients[0])
    document = here.load(code=8, **HELD_BACK)
    assert "relation.end_missing" not in [one["rule"] for one in document["findings"]]  # type: ignore[attr-defined]
    assert here.town.run(*REPLAY).code == 0
    assert len(here.ends()) == 1
    assert not any(here.load()["written"].values())  # type: ignore[attr-defined]


def test_the_edge_of_a_client_whose_device_was_given_up_makes_a_replay_partial_and_says_the_way_on(
    here: Linked,
) -> None:
    here.load(SNOWLOAD_CLIENTS__MODE="off")
    client = here.clients[0]
    here.computer(client)
    new = here.at_a_new_device(client)
    here.load(code=8, **HELD_BACK)
    listed = here.town.run("queue", "list", "--env", "testing", "--json").document["entries"]
    (made,) = [one["id"] for one in listed if one["change"] == "create"]
    assert here.town.run("queue", "drop", str(made), "--env", "testing", "--yes").code == 0
    replayed = here.town.run(*REPLAY)
    told = [one["record"] for one in replayed.document["findings"] if one["rule"] == "relation.end_dropped"]
    assert (replayed.code, [client.mac.lower() in one for one in told].count(True)) == (3, 1), told
    here.load()
    assert list(here.ends().values()) == [[key_of(new)]]


def test_edges_of_clients_wait_behind_a_device_without_an_answer_too(here: Linked) -> None:
    here.computer(here.clients[0])
    faults = here.town.sandbox.servicenow.faults
    faults.add(Fault(effect=Effect.STATUS, status=503, path=WRITES))
    here.load(code=8)
    faults.clear()
    assert here.town.run(*REPLAY).code == 0
    assert len(here.ends()) == 1


def test_a_client_keeps_its_old_edge_while_the_new_one_waits_for_a_device_without_an_answer(here: Linked) -> None:
    client = here.clients[0]
    computer = here.computer(client)
    here.load()
    new = here.at_a_new_device(client)
    here.load(code=8, **HELD_BACK)
    faults = here.town.sandbox.servicenow.faults
    faults.add(Fault(effect=Effect.RESET_BEFORE, path=WRITES))
    faults.add(Fault(effect=Effect.STATUS, status=503, path=LOOK_UP))
    here.load(code=8)
    assert here.ends() == {computer: [key_of(client.uplink)]}
    faults.clear()
    assert here.town.run(*REPLAY).code == 0
    here.load()
    assert here.ends() == {computer: [key_of(new)]}


def test_a_client_keeps_its_old_edge_while_the_new_one_is_parked(here: Linked) -> None:
    client = here.clients[0]
    computer = here.computer(client)
    here.load()
    here.estate.change_client(client.key, uplink=here.elsewhere(client).mac)
    here.load(**HELD_BACK)
    here.load(code=8, **HELD_BACK)
    closed = Fault(effect=Effect.STATUS, status=400, method="POST", path=RELATION)
    here.town.sandbox.servicenow.faults.add(closed)
    parked = [here.load(code=3, SNOWLOAD_QUEUE__MAX_ATTEMPTS="2")["parked"] for _ in range(3)]
    assert parked[-1]
    assert here.ends() == {computer: [key_of(client.uplink)]}


def test_a_full_queue_leaves_an_edge_that_waits_to_the_next_load_and_stops_nothing(here: Linked) -> None:
    here.load(SNOWLOAD_CLIENTS__MODE="off")
    here.computer(here.clients[0])
    new = here.at_a_new_device(here.clients[0])
    faults = here.town.sandbox.servicenow.faults
    faults.add(Fault(effect=Effect.RESET_BEFORE, path=WRITES))
    faults.add(Fault(effect=Effect.STATUS, status=503, path=LOOK_UP))
    document = here.load(code=8, SNOWLOAD_QUEUE__MAX_ENTRIES="1")
    assert "relation.end_missing" in [one["rule"] for one in document["findings"]]  # type: ignore[attr-defined]
    faults.clear()
    here.load()
    assert list(here.ends().values()) == [[key_of(new)]]


def test_while_servicenow_is_away_only_the_edges_that_are_known_count_as_drawn(here: Linked) -> None:
    for client in here.clients[:3]:
        here.computer(client)
    before = here.load()["links"]
    away(here.town)
    assert here.town.run(*LOAD).document["links"] == before


def test_a_load_of_clients_alone_leaves_the_edges_to_devices_that_are_not_there_and_is_done(here: Linked) -> None:
    here.computer(here.clients[0])
    document = here.load("--kind", "client")
    assert "relation.end_missing" in [finding["rule"] for finding in document["findings"]]  # type: ignore[attr-defined]
    assert here.ends() == {}


def test_one_bad_target_costs_only_its_own_edge(here: Linked) -> None:
    """The instance refuses a call as a whole: its edges are then sent one by one."""
    client = here.clients[0]
    twin = next(other for other in here.clients[1:] if other.uplink == client.uplink)
    good, bad = here.computer(client), here.computer(twin)
    here.town.sandbox.servicenow.faults.add(Fault(effect=Effect.STATUS, status=400, path=RELATION, first=1))
    document = here.load()
    assert set(here.ends()) == {good, bad}
    assert not document["failed"]


def test_a_dry_run_says_which_edges_it_would_draw_and_sends_nothing(here: Linked) -> None:
    here.computer(here.clients[0])
    before = oracle.everything(here.town.app.instance)
    document = here.load("--dry-run")
    rows = [row for row in document["changes"] if row["record"].startswith("client/")]  # type: ignore[attr-defined]
    assert [row["change"] for row in rows] == ["link"]
    assert oracle.everything(here.town.app.instance) == before


def test_a_filter_links_only_the_clients_of_its_site(here: Linked) -> None:
    sites = [here.estate.site(legacy) for legacy in dict.fromkeys(client.site for client in here.clients)]
    made = {here.computer(client): client for client in here.clients}
    here.load("--site", sites[0].title)
    assert set(here.ends()) == {sys_id for sys_id, client in made.items() if client.site == sites[0].legacy_id}


def test_relations_that_cannot_be_read_are_not_drawn(here: Linked) -> None:
    here.computer(here.clients[0])
    here.town.sandbox.servicenow.faults.add(Fault(effect=Effect.STATUS, status=403, path="/api/now/table/cmdb_rel_ci*"))
    document = here.load()
    assert "client.edges_unreadable" in json.dumps(document["findings"])
    assert not here.ends()


def test_a_rollback_puts_the_edge_of_a_roamed_client_back(here: Linked) -> None:
    """R3.5."""
    client = here.clients[0]
    pc = here.computer(client)
    here.load()
    here.estate.change_client(client.key, uplink=here.elsewhere(client).mac)
    here.load()
    moved = here.load()
    assert here.ends()[pc] == [key_of(here.elsewhere(client).mac)]
    undone = here.town.run("rollback", str(moved["run_id"]), "--env", "testing", "--json")
    assert undone.code == 0, (undone.err, undone.out[-800:])
    assert here.ends()[pc] == [key_of(client.uplink)]


def test_a_saved_plan_draws_the_edges_it_shows(here: Linked) -> None:
    client = here.clients[0]
    pc = here.computer(client)
    here.load(SNOWLOAD_CLIENTS__MODE="off")
    file = here.town.run.home / "links.plan"
    planned = here.town.run("plan", "--env", "testing", "--json", "--out", str(file))
    assert planned.code == 0, planned.err
    applied = here.load("--plan", str(file))
    assert here.ends() == {pc: [key_of(client.uplink)]}
    assert applied["written"]["linked"] == 1  # type: ignore[index]
