"""A run undone from what was there before it; what others changed since is theirs (R3.5)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import pytest

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from beast_dream_snow_loader.sandbox.servicenow import oracle
from tests.scenarios.conftest import Town
from tests.scenarios.desk import (
    HELD_BACK,
    LOAD,
    REPLAY,
    OpenTown,
    by_hand,
    edges,
    key_of,
    meanwhile,
    rules,
    small,
    switch,
    switches,
    value,
    when,
)

AT_ONCE = {"SNOWLOAD_SERVICENOW__RECHECK_SECONDS": "0"}
MOVING = frozenset({"sys_mod_count", "sys_updated_on", "sys_updated_by", "last_discovered"})


def rollback(here: Town, run_id: str, *more: str, **variables: str) -> Any:
    return here.run("rollback", run_id, "--env", "testing", "--json", *more, **variables)


def held(here: Town) -> Mapping[str, Mapping[str, str]]:
    """Every CI with what a person may see in it."""
    return {
        item.sys_id: {element: value for element, value in item.values.items() if element not in MOVING}
        for item in oracle.config_items(here.app.instance)
    }


def renamed(here: Town, *names: str) -> list[str]:
    """So many devices with a name of their own, renamed."""
    devices = switches(here.estate)
    for device, name in zip(devices, names, strict=False):
        here.estate.rename_device(device.mac, name)
    return [key_of(device) for device in devices[: len(names)]]


def test_updates_go_back_field_by_field_and_a_second_rollback_has_nothing_to_do(town: OpenTown) -> None:
    here = town(Estate.generate(seed=3, sites=2, devices=40))
    assert here.run(*LOAD).code == 0
    before, edges_before = held(here), edges(here)
    renamed(here, "one", "two")
    second = here.run(*LOAD)
    assert second.document["written"]["updated"] == 2
    undone = rollback(here, second.document["run_id"])
    assert undone.code == 0, undone.err
    assert undone.document["written"]["updated"] == 2
    assert (held(here), edges(here)) == (before, edges_before)
    writes = here.writes()
    again = rollback(here, second.document["run_id"])
    assert (again.code, here.writes() - writes) == (0, 0)


@pytest.mark.parametrize("created", ["retire", "delete"])
def test_what_a_run_made_is_retired_or_deleted_with_its_edges(town: OpenTown, created: str) -> None:
    here = town(Estate.generate(seed=3, sites=1, devices=20))
    foreign = held(here)
    first = here.run(*LOAD)
    made = {item.sys_id for item in oracle.by_native_key(here.app.instance, "UniFi").values()}
    assert first.document["written"]["created"] == 20
    undone = rollback(here, first.document["run_id"], "--created", created)
    assert undone.code == 0, (undone.out, undone.err)
    if created == "delete":
        assert undone.document["deleted"] == 20
        assert held(here) == foreign
        assert not [row for row in oracle.orphans(here.app.instance) if not row.startswith("sys_object_source")]
    else:
        assert undone.document["written"]["retired"] == 20
        assert {held(here)[sys_id]["install_status"] for sys_id in made} == {"7"}
    assert [edge for edge in edges(here) if "Connect" in edge[1] or "Manage" in edge[1]] == []
    again = here.run(*LOAD)
    assert again.code == 0, again.err
    assert len(oracle.by_native_key(here.app.instance, "UniFi")) == 20
    assert not oracle.duplicate_keys(here.app.instance)


def wait_a_second(here: Town) -> None:
    """Until a sign of life is another one, so that whatever is sent changes the CI."""
    began = here.app.instance.now()
    when(lambda: here.app.instance.now() != began, "the clock stands still")


def edit_by_hand(here: Town, key: str) -> str:
    """A person notes something in a field that we never send; the sys_id of the CI."""
    by_hand(here, key, comments="asset 4711, do not touch")
    return oracle.by_native_key(here.app.instance, "UniFi")[key].sys_id


def slow(here: Town, path: str, seconds: float, **which: Any) -> None:
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.LATENCY, path=path, seconds=seconds, **which))


def asked(here: Town, path: str) -> list[str]:
    """The methods of the requests for it so far."""
    return [line.method for line in here.sandbox.log.lines("servicenow") if line.path.startswith(path)]


def stays_as_edited(here: Town, run_id: str, sys_id: str, created: str) -> None:
    """A rollback leaves this one CI of the run alone, says so, and takes back the others."""
    before = held(here)[sys_id]
    stays_as_edited_now(here, run_id, sys_id, created)
    assert held(here)[sys_id] == before


def stays_as_edited_now(here: Town, run_id: str, sys_id: str, created: str, **variables: str) -> None:
    made = len(oracle.by_native_key(here.app.instance, "UniFi"))
    undone = rollback(here, run_id, "--created", created, **variables)
    assert (undone.code, "1 left alone" in undone.err) == (3, True), (undone.code, undone.err)
    assert [f["rule"] for f in undone.document["findings"]] == ["rollback.changed_since"]
    taken_back = undone.document["deleted"] if created == "delete" else undone.document["written"]["retired"]
    there = held(here)[sys_id]
    assert (there["comments"], there["install_status"], taken_back) == ("asset 4711, do not touch", "1", made - 1)
    shown = {change["record"] for change in undone.document["changes"] if change["change"] == "retire"}
    assert len(shown) == (made - 1 if created == "retire" else 0)


@pytest.mark.parametrize("created", ["retire", "delete"])
def test_a_ci_that_somebody_has_edited_stays_though_loads_have_looked_at_it_since(town: OpenTown, created: str) -> None:
    here = town(Estate.generate(seed=3, sites=1, devices=6))
    run_id = here.run(*LOAD).document["run_id"]
    sys_id = edit_by_hand(here, key_of(switches(here.estate)[0]))
    assert not any(here.run(*LOAD).document["written"].values())
    stays_as_edited(here, run_id, sys_id, created)


def test_a_ci_that_somebody_has_edited_stays_where_nothing_was_ever_read_back(town: OpenTown) -> None:
    here = town(Estate.generate(seed=3, sites=1, devices=6))
    run_id = here.run(*LOAD, SNOWLOAD_FEATURES__VERIFY="false").document["run_id"]
    sys_id = edit_by_hand(here, key_of(switches(here.estate)[0]))
    stays_as_edited(here, run_id, sys_id, "delete")


@pytest.mark.parametrize("created", ["retire", "delete"])
@pytest.mark.parametrize("again", ["full", "renamed", "renamed and rolled back"])
def test_a_ci_that_somebody_has_edited_stays_though_we_have_written_it_since(
    town: OpenTown, created: str, again: str
) -> None:
    here = town(Estate.generate(seed=3, sites=1, devices=6))
    run_id, device = here.run(*LOAD).document["run_id"], switches(here.estate)[0]
    name = here.estate.device(device.mac).name
    sys_id = edit_by_hand(here, key_of(device))
    if again == "full":
        wait_a_second(here)
    else:
        here.estate.rename_device(device.mac, "another")
    second = here.run(*LOAD, *(["--full"] if again == "full" else []))
    assert second.document["written"]["updated"] >= 1
    if again == "renamed and rolled back":
        assert rollback(here, second.document["run_id"]).code == 0
    elif again == "renamed":
        here.estate.rename_device(device.mac, name)
        assert here.run(*LOAD).document["written"]["updated"] == 1
    stays_as_edited(here, run_id, sys_id, created)


def test_a_ci_that_somebody_has_edited_stays_though_an_edge_was_drawn_to_it_since(town: OpenTown) -> None:
    here = town(Estate.generate(seed=3, sites=1, devices=6))
    run_id, device = here.run(*LOAD).document["run_id"], switches(here.estate)[0]
    sys_id = edit_by_hand(here, key_of(device))
    wait_a_second(here)
    here.estate.add_device(site=device.site, model="U7PRO", name="new", uplink=device.mac)
    assert here.run(*LOAD).document["written"]["created"] == 1
    undone = rollback(here, run_id, "--created", "delete")
    assert (undone.code, rules(undone), undone.document["deleted"]) == (3, {"rollback.changed_since"}, 5), undone.err
    assert here.app.instance.get("cmdb_ci", sys_id)


def test_a_ci_edited_while_a_rollback_of_a_later_run_was_still_to_come_stays(town: OpenTown) -> None:
    here = town(Estate.generate(seed=3, sites=1, devices=6))
    run_id = here.run(*LOAD).document["run_id"]
    (key,) = renamed(here, "another")
    second = here.run(*LOAD).document["run_id"]
    sys_id = edit_by_hand(here, key)
    assert rollback(here, second).code == 0
    stays_as_edited(here, run_id, sys_id, "delete")


@pytest.mark.parametrize("created", ["retire", "delete"])
def test_what_only_loads_of_ours_have_written_again_is_taken_back(town: OpenTown, created: str) -> None:
    here = town(Estate.generate(seed=3, sites=1, devices=6))
    run_id = here.run(*LOAD).document["run_id"]
    wait_a_second(here)
    full = here.run(*LOAD, "--full").document
    assert full["written"]["updated"] == 6
    assert rollback(here, full["run_id"]).code == 0
    assert here.run(*LOAD).code == 0
    undone = rollback(here, run_id, "--created", created)
    assert (undone.code, rules(undone)) == (0, set()), undone.err
    taken_back = undone.document["deleted"] if created == "delete" else undone.document["written"]["retired"]
    assert taken_back == 6


def test_a_ci_edited_while_others_are_being_deleted_stays(town: OpenTown) -> None:
    here = town(Estate.generate(seed=3, sites=1, devices=14))
    run_id = here.run(*LOAD).document["run_id"]
    with closing(sqlite3.connect(next(here.run.home.rglob("state.sqlite")))) as state:
        made = state.execute("SELECT subject FROM journal WHERE operation = 'inserted' ORDER BY id")
        last = made.fetchall()[-1][0]
    sys_id = oracle.by_native_key(here.app.instance, "UniFi")[last].sys_id
    slow(here, "/api/now/table/cmdb_ci*", 0.1, method="DELETE")
    with meanwhile(lambda: "DELETE" in asked(here, "/api/now/table/cmdb_ci"), lambda: edit_by_hand(here, last)):
        stays_as_edited_now(here, run_id, sys_id, "delete")


def test_a_ci_edited_right_before_it_is_retired_stays(town: OpenTown) -> None:
    here = town(Estate.generate(seed=3, sites=1, devices=6))
    run_id, key = here.run(*LOAD).document["run_id"], key_of(switches(here.estate)[0])
    sys_id = oracle.by_native_key(here.app.instance, "UniFi")[key].sys_id
    slow(here, "/api/now/cmdb/instance/*", 0.2, method="DELETE")
    with meanwhile(lambda: "DELETE" in asked(here, "/api/now/cmdb/instance"), lambda: edit_by_hand(here, key)):
        stays_as_edited_now(here, run_id, sys_id, "retire", **AT_ONCE)


def test_a_field_changed_right_before_it_goes_back_stays(town: OpenTown) -> None:
    here = town(Estate.generate(seed=3, sites=2, devices=40))
    assert here.run(*LOAD).code == 0
    one, two = renamed(here, "one", "two")
    second = here.run(*LOAD).document["run_id"]
    here.sandbox.log.clear()
    slow(here, "/api/now/table/cmdb_ci", 1.5, from_request=2)
    with meanwhile(lambda: asked(here, "/api/now/table/cmdb_ci"), lambda: by_hand(here, one, name="by hand")):
        undone = rollback(here, second, **AT_ONCE)
    assert (undone.code, rules(undone)) == (3, {"rollback.changed_since"}), undone.err
    assert [(f["record"], f["field"]) for f in undone.document["findings"]] == [(one, "name")]
    names = {key: item.name for key, item in oracle.by_native_key(here.app.instance, "UniFi").items()}
    assert (names[one], names[two] != "two") == ("by hand", True)


@pytest.mark.parametrize("adapters", ["false", "true"])
def test_a_ci_that_somebody_has_related_to_another_is_not_deleted(town: OpenTown, adapters: str) -> None:
    here = town(Estate.generate(seed=3, sites=1, devices=6))
    own = {"SNOWLOAD_MAPPING": json.dumps({"write_adapters": adapters == "true"})}
    run_id = here.run(*LOAD, **own).document["run_id"]
    key, instance = key_of(switches(here.estate)[0]), here.app.instance
    sys_id = oracle.by_native_key(instance, "UniFi")[key].sys_id
    with instance.lock, instance.acting_as("admin"):
        payroll = instance.insert("cmdb_ci_netgear", {"name": "payroll", "serial_number": "PAY-1"})
        kind = next(iter(instance.rows("cmdb_rel_type")))["sys_id"]
        theirs = instance.insert("cmdb_rel_ci", {"parent": payroll["sys_id"], "child": sys_id, "type": kind})
    undone = rollback(here, run_id, "--created", "delete", **own)
    assert (undone.code, undone.document["deleted"], rules(undone)) == (3, 5, {"rollback.changed_since"}), undone.err
    assert [f["record"] for f in undone.document["findings"]] == [key]
    assert instance.get("cmdb_ci", sys_id)
    assert instance.get("cmdb_rel_ci", theirs["sys_id"])


def test_a_rollback_can_be_undone(town: OpenTown) -> None:
    here = town(Estate.generate(seed=3, sites=1, devices=6))
    assert here.run(*LOAD).code == 0
    renamed(here, "one")
    second, after = here.run(*LOAD).document["run_id"], held(here)
    undone = rollback(here, second)
    assert held(here) != after
    assert rollback(here, undone.document["run_id"]).code == 0
    assert held(here) == after


def test_what_others_changed_since_is_reported_and_not_touched(town: OpenTown) -> None:
    here = town(Estate.generate(seed=3, sites=2, devices=40))
    assert here.run(*LOAD).code == 0
    keys = renamed(here, "one", "two")
    second = here.run(*LOAD)
    theirs = oracle.by_native_key(here.app.instance, "UniFi")[keys[0]]
    with here.app.instance.lock:
        here.app.instance.update(theirs.class_name, theirs.sys_id, {"name": "by hand"})
    undone = rollback(here, second.document["run_id"])
    assert (undone.code, undone.document["status"]) == (3, "partial"), undone.err
    assert "1 left alone" in undone.err
    told = [f for f in undone.document["findings"] if f["rule"] == "rollback.changed_since"]
    assert [(f["record"], f["field"]) for f in told] == [(keys[0], "name")]
    names = {key: item.name for key, item in oracle.by_native_key(here.app.instance, "UniFi").items()}
    assert (names[keys[0]], names[keys[1]] != "two") == ("by hand", True)


def test_a_dry_run_shows_what_would_go_back_and_writes_nothing(town: OpenTown) -> None:
    here = town(Estate.generate(seed=3, sites=2, devices=40))
    assert here.run(*LOAD).code == 0
    renamed(here, "one")
    second = here.run(*LOAD)
    before = oracle.everything(here.app.instance)
    shown = rollback(here, second.document["run_id"], "--dry-run")
    assert shown.code == 0, shown.err
    assert [(c["field"], c["old"], c["reason"]) for c in shown.document["changes"]] == [("name", "one", "rollback")]
    assert oracle.everything(here.app.instance) == before


def test_a_run_that_is_not_there_is_a_usage_error_that_names_the_last_ones(town: OpenTown) -> None:
    here = town(Estate.generate(seed=3, sites=1, devices=4))
    first = here.run(*LOAD).document["run_id"]
    ended = rollback(here, "never")
    assert ended.code == 2
    assert first in ended.document["error"]["next_step"]


def test_the_next_load_writes_again_what_a_rollback_put_back_and_unifi_still_says(town: OpenTown) -> None:
    here = town(Estate.generate(seed=3, sites=2, devices=40))
    assert here.run(*LOAD).code == 0
    keys = renamed(here, "one", "two")
    second = here.run(*LOAD)
    after = held(here)
    assert rollback(here, second.document["run_id"]).code == 0
    assert here.run(*LOAD).document["written"]["updated"] == len(keys)
    assert held(here) == after
    assert not any(here.run(*LOAD).document["written"].values())


def test_a_name_put_back_that_we_had_not_written_stands_for_none_of_unifi(town: OpenTown) -> None:
    """Else it would count as made from what UniFi says now, and stay."""
    here = town(small())
    here.run.variables["SNOWLOAD_MAPPING"] = '{"on_manual_change": "overwrite"}'
    assert here.run(*LOAD).code == 0
    (key,) = renamed(here, "renamed")
    assert here.run(*LOAD).code == 0
    by_hand(here, key, name="theirs")
    again = here.run(*LOAD, "--full").document
    assert value(here, key, "name") == "renamed"
    assert rollback(here, again["run_id"]).code == 0
    assert value(here, key, "name") == "theirs"
    assert (here.run(*LOAD).code, value(here, key, "name")) == (0, "renamed")


def test_a_second_rollback_takes_its_own_retirements_for_nobodys_edits(town: OpenTown) -> None:
    here = town(Estate.generate(seed=3, sites=1, devices=8))
    first = here.run(*LOAD)
    assert rollback(here, first.document["run_id"]).code == 0
    again = rollback(here, first.document["run_id"])
    assert (again.code, rules(again)) == (0, set())


def test_a_return_to_service_that_was_rolled_back_is_made_again_by_the_next_load(town: OpenTown) -> None:
    here = town(Estate.generate(seed=3, sites=1, devices=8))
    first = here.run(*LOAD)
    in_service = held(here)
    assert rollback(here, first.document["run_id"]).code == 0
    back = here.run(*LOAD)
    assert held(here) == in_service
    assert rollback(here, back.document["run_id"]).code == 0
    assert held(here) != in_service
    assert here.run(*LOAD).code == 0
    assert held(here) == in_service


def test_a_deletion_that_is_interrupted_leaves_no_adapter_of_a_ci_that_is_gone(town: OpenTown) -> None:
    here = town(Estate.generate(seed=3, sites=1, devices=8))
    first = here.run(*LOAD)
    shut = Fault(effect=Effect.STATUS, status=503, method="DELETE", path="/api/now/table/*", from_request=12)
    here.sandbox.servicenow.faults.add(shut)
    rollback(here, first.document["run_id"], "--created", "delete")
    instance = here.app.instance
    there = {row["sys_id"] for row in instance.rows("cmdb_ci")}
    assert 0 < len(oracle.by_native_key(instance, "UniFi")) < first.document["written"]["created"]
    orphans = [row for row in instance.rows("cmdb_serial_number") if row["cmdb_ci"] not in there]
    assert len(orphans) <= 1, "of the CI in hand when the instance went away"


def test_our_own_rollback_is_no_going_back_and_forth_of_unifi(town: OpenTown) -> None:
    here = town(Estate.generate(seed=3, sites=1, devices=8))
    assert here.run(*LOAD).code == 0
    renamed(here, "one")
    assert rollback(here, here.run(*LOAD).document["run_id"]).code == 0
    assert "field.flapping" not in rules(here.run(*LOAD))


def test_a_run_that_is_no_longer_kept_says_why_it_cannot_be_rolled_back(town: OpenTown) -> None:
    here = town(small())
    first = here.run(*LOAD).document["run_id"]
    here.estate.rename_device(switches(here.estate)[0].mac, "renamed-after")
    assert here.run(*LOAD).code == 0
    swept = here.run(*LOAD, SNOWLOAD_STATE__KEEP_RUNS="1").document["state"]
    assert (swept["runs_removed"] >= 1, swept["entries_removed"] > 0, swept["problem"]) == (True, True, "")
    assert not list(here.run.home.rglob(f"reports/{first}.json"))
    refused = here.run("rollback", first, "--env", "testing", "--json")
    assert (refused.code, "no longer kept" in refused.document["error"]["message"]) == (2, True)
    assert "state.keep_runs" in refused.document["error"]["next_step"]
    assert here.run(*LOAD).document["plan"]["create"] == 0


def test_a_run_of_which_a_part_was_swept_out_is_not_rolled_back_in_part(town: OpenTown) -> None:
    here = town(Estate.generate(seed=3, sites=1, devices=4))
    run_id = here.run(*LOAD).document["run_id"]
    with closing(sqlite3.connect(next(here.run.home.rglob("state.sqlite")))) as state, state:
        going = (f"run_going {here.sandbox.servicenow.url}", run_id)
        state.execute("INSERT INTO meta (key, value) VALUES (?, ?)", going)
    writes = here.writes()
    refused = rollback(here, run_id)
    assert (refused.code, "is removed in part" in refused.document["error"]["message"]) == (2, True)
    assert here.writes() == writes


def test_what_a_rollback_could_not_send_is_made_by_that_rollback_alone_and_said_to_be(town: OpenTown) -> None:
    here = town(Estate.generate(seed=3, sites=1, devices=8))
    assert here.run(*LOAD).code == 0
    renamed(here, "one")
    run_id = here.run(*LOAD).document["run_id"]
    fault = Fault(effect=Effect.STATUS, status=503, path="/api/now/identifyreconcile/enhanced")
    here.sandbox.servicenow.faults.add(fault)
    away = rollback(here, run_id, SNOWLOAD_RETRY__MAX_ATTEMPTS="1")
    here.sandbox.servicenow.faults.clear()
    again = f"snowload rollback {run_id}"
    assert (away.code, again in away.err) == (8, True), away.err
    replayed = here.run(*REPLAY)
    assert (replayed.code, rules(replayed)) == (3, {"queue.of_a_rollback"}), replayed.err
    assert again in replayed.document["findings"][0]["message"]
    (entry,) = here.run("queue", "list", "--env", "testing", "--json").document["entries"]
    assert again in entry["next_step"]
    assert rollback(here, run_id).code == 0
    assert here.run("queue", "list", "--env", "testing", "--json").document["entries"] == []


def test_a_dry_run_says_how_many_queued_writes_a_rollback_would_drop(town: OpenTown) -> None:
    here = town(Estate.generate(seed=3, sites=1, devices=8))
    assert here.run(*LOAD).code == 0
    renamed(here, "one", "two")
    queued = here.run(*LOAD, **HELD_BACK).document
    shown = rollback(here, queued["run_id"], "--dry-run").document
    assert shown["dropped"] == queued["queued"] == 2
    assert rollback(here, queued["run_id"]).document["dropped"] == 2


def test_a_replay_can_be_rolled_back(town: OpenTown) -> None:
    here = town(Estate.generate(seed=3, sites=1, devices=6))
    assert here.run(*LOAD).code == 0
    before = held(here)
    renamed(here, "one")
    assert here.run(*LOAD, **HELD_BACK).code == 8
    replayed = here.run(*REPLAY)
    assert (replayed.code, held(here) != before) == (0, True), replayed.err
    undone = rollback(here, replayed.document["run_id"])
    assert (undone.code, held(here)) == (0, before), undone.err


def test_a_dry_run_has_a_row_for_each_ci_that_would_be_deleted(town: OpenTown) -> None:
    here = town(Estate.generate(seed=3, sites=1, devices=8))
    first = here.run(*LOAD).document
    shown = rollback(here, first["run_id"], "--created", "delete", "--dry-run").document
    rows = [row for row in shown["changes"] if row["change"] == "delete"]
    mine = {key: item.sys_id for key, item in oracle.by_native_key(here.app.instance, "UniFi").items()}
    assert {row["record"]: row["old"] for row in rows} == mine
    assert {(row["field"], row["new"]) for row in rows} == {("sys_id", "")}


def test_a_rollback_that_may_not_remove_an_edge_says_to_run_it_again(town: OpenTown) -> None:
    """A load would write everything back."""
    here = town(Estate.generate(seed=3, sites=1, devices=8))
    assert here.run(*LOAD).code == 0
    like = switch(here.estate)
    here.estate.add_device(site=like.site, model=like.model_code, name="added", uplink=like.mac)
    run = here.run(*LOAD).document["run_id"]
    closed = Fault(effect=Effect.STATUS, status=403, method="DELETE", path="/api/now/cmdb/instance/*")
    here.sandbox.servicenow.faults.add(closed)
    ended = rollback(here, run)
    assert (ended.code, f"snowload rollback {run}" in ended.err) == (3, True), ended.err
    assert not any("snowload load" in failure["message"] for failure in ended.document["failed"])
    here.sandbox.servicenow.faults.clear()
    assert rollback(here, run).code == 0
