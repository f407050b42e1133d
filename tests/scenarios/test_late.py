"""What the instance carries out after it was looked for in vain, and after something else took its place, is ours (Q3).

Taken for somebody else's it would stay for good, and no rollback would undo it (R3.5).
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta

import pytest

from beast_dream_snow_loader.clock import SystemClock
from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from beast_dream_snow_loader.sandbox.servicenow import oracle
from tests.scenarios.conftest import Town
from tests.scenarios.desk import (
    FORBIDDEN,
    IN_SERVICE,
    LOAD,
    RETIRED,
    RETIRING,
    WRITES,
    OpenTown,
    away,
    by_hand,
    clean,
    edges,
    file_of,
    insert,
    key_of,
    leaves,
    one_switch,
    rules,
    sql,
    status,
    stored,
    switch,
    switches,
    value,
)
from tests.scenarios.keeper import Keeper

UPLINK = "Connects to::Connected by"
TOLD_TO_WAIT = Fault(effect=Effect.STATUS, status=429, path=WRITES)


@pytest.fixture
def here(town: OpenTown) -> Town:
    """A loaded CMDB with somebody at its door."""
    here = town(Estate.generate(seed=3, sites=1, devices=8), door=Keeper)
    here.run.variables |= {"SNOWLOAD_RETRY__MAX_ATTEMPTS": "1", **RETIRING}
    assert here.run(*LOAD).code == 0
    return here


def lost(here: Town, path: str = WRITES, method: str = "POST") -> str:
    """What a load writes now is kept at the door and gets no answer. Its run."""
    faults = here.sandbox.servicenow.faults
    number = faults.add(Fault(effect=Effect.RESET_AFTER, path=path, method=method))
    here.door.keeping = path
    ended = here.run(*LOAD)
    here.door.keeping = ""
    faults.remove(number)
    assert ended.code in (3, 8), ended.err
    return str(ended.document["run_id"])


def named(here: Town, name: str) -> str:
    """The switch of which the tests speak is called so by UniFi now."""
    here.estate.rename_device(switch(here.estate).mac, name)
    return one_switch(here.estate)


def relate(here: Town, lower: str, upper: str) -> str:
    """An administrator draws an edge, by sys_id."""
    instance, there = here.app.instance, oracle.by_native_key(here.app.instance, "UniFi")
    with instance.lock, instance.acting_as("admin"):
        (kind,) = instance.find("cmdb_rel_type", name=UPLINK)
        ends = {"parent": there[lower].sys_id, "child": there[upper].sys_id}
        return str(instance.insert("cmdb_rel_ci", {**ends, "type": kind["sys_id"]})["sys_id"])


def base_name(here: Town, key: str) -> str:
    """Of a CI that the engine never saw."""
    instance = here.app.instance
    with instance.lock:
        (row,) = instance.find("cmdb_ci", correlation_id=key)
        return str(row["name"])


def added(here: Town, name: str) -> str:
    like = switch(here.estate)
    device = here.estate.add_device(site=like.site, model=like.model_code, name=name, uplink=like.uplink)
    return key_of(device)


def told_to_wait(here: Town) -> None:
    """A load is told to come back later, after it has looked up what was left open."""
    here.sandbox.servicenow.faults.add(TOLD_TO_WAIT)
    assert here.run(*LOAD).code == 8
    here.sandbox.servicenow.faults.clear()


def rolled_back(here: Town, run: str) -> int:
    return here.run("rollback", run, "--env", "testing", "--created", "delete", "--json").code


def test_an_update_that_unifi_took_back_meanwhile_is_taken_back_when_it_comes_after_all(here: Town) -> None:
    before = switch(here.estate).name
    key = named(here, "second")
    lost(here)
    named(here, before)
    assert here.run(*LOAD).code == 0
    here.door.deliver()
    assert value(here, key, "name") == "second"
    ended = here.run(*LOAD)
    assert (ended.code, "field.overridden_by_hand" in rules(ended), value(here, key, "name")) == (0, False, before)
    clean(here)


def test_an_update_whose_place_a_newer_one_took_in_the_queue_is_no_edit_of_a_person(here: Town) -> None:
    """The newer one waited behind it, and was told to wait again once the older one had been looked for."""
    key = named(here, "second")
    lost(here)
    away(here)
    named(here, "third")
    assert here.run(*LOAD).code == 8
    here.sandbox.servicenow.faults.clear()
    told_to_wait(here)
    here.door.deliver()
    assert value(here, key, "name") == "second"
    assert (here.run(*LOAD).code, value(here, key, "name")) == (0, "third")
    clean(here)


def test_a_newer_value_that_was_lost_is_not_taken_for_done_when_the_older_one_and_a_person_wrote(here: Town) -> None:
    key = named(here, "second")
    lost(here)
    named(here, "third")
    lost(here)
    here.door.deliver(1)
    by_hand(here, key, comments="somebody")
    assert value(here, key, "name") == "second"
    assert (here.run(*LOAD).code, value(here, key, "name")) == (0, "third")


def test_a_create_that_comes_after_a_newer_one_took_its_place_is_ours_with_what_it_holds(here: Town) -> None:
    key = added(here, "second")
    run = lost(here)
    named_again = next(device for device in switches(here.estate) if device.name == "second")
    here.estate.rename_device(named_again.mac, "third")
    told_to_wait(here)
    here.door.deliver()
    assert value(here, key, "name") == "second"
    renamed = here.run(*LOAD)
    assert (renamed.code, value(here, key, "name")) == (0, "third")
    clean(here)
    assert [rolled_back(here, one) for one in (renamed.document["run_id"], run)] == [0, 0]
    assert key not in oracle.by_native_key(here.app.instance, "UniFi")


def test_a_create_of_a_device_that_unifi_no_longer_shows_is_known_when_it_comes(here: Town) -> None:
    """Otherwise nobody would ever retire the CI."""
    key = added(here, "second")
    lost(here)
    here.estate.remove_device(next(device for device in switches(here.estate) if device.name == "second").mac)
    assert here.run(*LOAD).code == 0
    here.door.deliver()
    assert status(here, key) == IN_SERVICE
    for _ in range(3):
        assert here.run(*LOAD).code == 0
    assert status(here, key) == RETIRED


@pytest.mark.parametrize("edited", [False, True])
def test_a_create_that_led_to_a_ci_somebody_made_meanwhile_makes_it_none_of_ours(here: Town, edited: bool) -> None:
    """``edited``: by its maker once more, who then is the last to have written it too."""
    key = added(here, "second")
    run = lost(here)
    told_to_wait(here)
    theirs = insert(here, name="second")
    here.door.deliver()
    assert oracle.by_native_key(here.app.instance, "UniFi")[key].sys_id == theirs
    if edited:
        by_hand(here, key, comments="theirs")
    assert here.run(*LOAD).code == 0
    here.estate.rename_device(next(device for device in switches(here.estate) if device.name == "second").mac, "third")
    assert (here.run(*LOAD).code, value(here, key, "name")) == (0, "second")
    assert rolled_back(here, run) == 3
    assert here.app.instance.get("cmdb_ci", theirs) is not None


def test_a_ci_that_came_late_is_ours_though_somebody_has_edited_it_since(here: Town) -> None:
    key = added(here, "second")
    lost(here)
    told_to_wait(here)
    here.door.deliver()
    by_hand(here, key, comments="somebody")
    assert here.run(*LOAD).code == 0
    here.estate.rename_device(next(device for device in switches(here.estate) if device.name == "second").mac, "third")
    assert (here.run(*LOAD).code, value(here, key, "name")) == (0, "third")


def test_a_create_that_is_sent_again_is_settled_though_nobody_can_tell_who_made_its_ci(here: Town) -> None:
    """The instance goes away between the answer and the question."""
    key = added(here, "second")
    lost(here)
    told_to_wait(here)
    here.door.until, here.door.shuts = WRITES, True
    assert here.run(*LOAD).document["written"]["updated"] == 1
    here.door.open()
    assert here.run(*LOAD).code == 0
    assert status(here, key) == IN_SERVICE
    clean(here)


@pytest.mark.parametrize("written", [False, True])
def test_a_retirement_that_comes_when_the_device_is_back_is_taken_back(here: Town, written: bool) -> None:
    """Though the CI was ``written`` since: a retirement addresses it by sys_id, and what does so the engine does not
    compare with what came since."""
    device = leaves(here)[0]
    key = key_of(device)
    here.estate.remove_device(device.mac)
    assert here.run(*LOAD).code == 0
    lost(here)
    assert status(here, key) == IN_SERVICE
    name = f"{device.name}-2" if written else device.name
    here.estate.add_device(site=device.site, model=device.model_code, name=name, uplink=device.uplink, mac=device.mac)
    if written:
        assert here.run(*LOAD).code == 0
    else:
        told_to_wait(here)
    here.door.deliver()
    assert status(here, key) == RETIRED
    assert (here.run(*LOAD).code, status(here, key)) == (0, IN_SERVICE)
    clean(here)


def test_a_value_that_comes_right_before_a_write_of_another_field_is_no_edit_of_a_person(here: Town) -> None:
    before = switch(here.estate).name
    key = named(here, "second")
    lost(here)
    named(here, before)
    here.estate.upgrade_device(switch(here.estate).mac, "9.9.9")
    here.door.until = WRITES
    assert here.run(*LOAD).code == 0
    assert value(here, key, "name") == "second"
    assert (here.run(*LOAD).code, value(here, key, "name")) == (0, before)
    clean(here)


def test_a_create_that_comes_after_the_ci_was_made_and_rolled_back_is_ours_again(here: Town) -> None:
    key = added(here, "second")
    lost(here)
    made = here.run(*LOAD)
    assert (made.code, rolled_back(here, made.document["run_id"])) == (0, 0)
    here.door.deliver()
    assert here.run(*LOAD).code == 0
    here.estate.rename_device(next(device for device in switches(here.estate) if device.name == "second").mac, "third")
    assert (here.run(*LOAD).code, value(here, key, "name")) == (0, "third")
    clean(here)


def test_a_rollback_says_what_may_still_come_and_undoes_it_when_it_has_come(here: Town) -> None:
    before = switch(here.estate).name
    key = named(here, "second")
    run = lost(here)
    undone = here.run("rollback", run, "--env", "testing", "--json")
    assert (undone.code, "rollback.in_doubt" in rules(undone, key), value(here, key, "name")) == (3, True, before)
    here.door.deliver()
    assert (rolled_back(here, run), value(here, key, "name")) == (0, before)


def test_what_a_new_account_makes_without_an_answer_is_ours(here: Town) -> None:
    """Nobody has seen that account make a CI before."""
    instance = here.app.instance
    with instance.lock:
        for item in oracle.by_native_key(instance, "UniFi").values():
            old = {**stored(here, item.sys_id), "sys_created_by": "svc.old", "sys_updated_by": "svc.old"}
            instance.put_back("cmdb", item.sys_id, old)
    key = added(here, "second")
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.RESET_AFTER, path=WRITES, first=1))
    here.run(*LOAD)
    here.sandbox.servicenow.faults.clear()
    here.estate.rename_device(next(device for device in switches(here.estate) if device.name == "second").mac, "third")
    assert (here.run(*LOAD).code, value(here, key, "name")) == (0, "third")


@pytest.mark.parametrize("back", [True, False])
def test_an_edge_that_comes_late_goes_when_the_device_hangs_elsewhere(here: Town, back: bool) -> None:
    """``back``: UniFi had gone back to the old end before it came; else the device moved after it was sent again."""
    first, second = switches(here.estate)[:2]
    device = next(one for one in leaves(here) if one.uplink == first.mac)
    here.estate.change_uplink(device.mac, second.mac)
    assert here.run(*LOAD).code == 0
    lost(here)
    wrong = (key_of(device), UPLINK, key_of(second))
    if back:
        here.estate.change_uplink(device.mac, first.mac)
        assert here.run(*LOAD).code == 0
    else:
        told_to_wait(here)
    here.door.deliver()
    assert wrong in edges(here)
    if not back:
        assert here.run(*LOAD).code == 0
        here.estate.change_uplink(device.mac, first.mac)
    for _ in range(3):
        assert here.run(*LOAD).code == 0
    assert wrong not in edges(here)
    clean(here)


def test_an_edge_that_goes_late_is_drawn_again_when_the_device_hangs_there_again(here: Town) -> None:
    first, second = switches(here.estate)[:2]
    device = next(one for one in leaves(here) if one.uplink == first.mac)
    right = (key_of(device), UPLINK, key_of(first))
    here.estate.change_uplink(device.mac, second.mac)
    assert here.run(*LOAD).code == 0
    lost(here, "/api/now/cmdb/instance/*", "DELETE")
    assert right in edges(here)
    here.estate.change_uplink(device.mac, first.mac)
    assert here.run(*LOAD).code == 0
    here.door.deliver()
    assert right not in edges(here)
    for _ in range(3):
        assert here.run(*LOAD).code == 0
    assert right in edges(here)
    clean(here)


def test_an_update_past_the_engine_that_comes_late_is_taken_back(town: OpenTown) -> None:
    """By the Table API it comes over whatever was written since."""
    here = town(Estate.generate(seed=3, sites=1, devices=8), door=Keeper)
    closed = Fault(effect=Effect.STATUS, status=403, path="/api/now/identifyreconcile/*", body=FORBIDDEN)
    here.sandbox.servicenow.faults.add(closed)
    here.run.variables |= {"SNOWLOAD_RETRY__MAX_ATTEMPTS": "1", "SNOWLOAD_SERVICENOW__QUARANTINE_SECONDS": "0.1"}
    assert here.run(*LOAD).code == 0
    key = named(here, "second")
    lost(here, "/api/now/table/cmdb_ci/*", "PATCH")
    named(here, "third")
    assert (here.run(*LOAD).code, base_name(here, key)) == (0, "third")
    here.door.deliver()
    assert base_name(here, key) == "second"
    assert (here.run(*LOAD).code, base_name(here, key)) == (0, "third")


class Earlier(SystemClock):
    """As long as it is ``behind``, the instance is where it was hours ago."""

    behind = timedelta(hours=3)

    def now(self) -> datetime:
        return super().now() - self.behind


def test_edges_that_were_there_before_us_stay_so_when_the_first_touch_of_their_cis_had_no_answer(
    town: OpenTown,
) -> None:
    """While their ends are unknown they cannot be looked for."""
    clock = Earlier()
    here = town(Estate.generate(seed=3, sites=1, devices=8), clock=clock)
    here.run.variables["SNOWLOAD_RETRY__MAX_ATTEMPTS"] = "1"
    assert here.run(*LOAD).code == 0
    clock.behind = timedelta()
    for file in here.run.home.rglob("state.sqlite*"):
        file.unlink()
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.RESET_BEFORE, path=WRITES, first=1))
    here.run(*LOAD)
    here.sandbox.servicenow.faults.clear()
    assert here.run(*LOAD).code == 0
    with closing(sqlite3.connect(file_of(here))) as ledger:
        assert set(ledger.execute("SELECT ours FROM ledger_relations")) == {(0,)}


def test_an_edge_that_somebody_draws_when_ours_cannot_come_any_more_is_theirs(here: Town) -> None:
    first, second = switches(here.estate)[:2]
    device = next(one for one in leaves(here) if one.uplink == first.mac)
    here.estate.change_uplink(device.mac, second.mac)
    assert here.run(*LOAD).code == 0
    lost(here)
    here.estate.change_uplink(device.mac, first.mac)
    assert here.run(*LOAD).code == 0
    sql(here, "UPDATE journal SET intended_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-3 hours')")
    theirs = relate(here, key_of(device), key_of(second))
    for _ in range(3):
        assert here.run(*LOAD).code == 0
    assert here.app.instance.get("cmdb_rel_ci", theirs) is not None
