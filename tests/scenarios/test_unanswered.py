"""What was sent without an answer is looked up before anything else is done about the record (Q3, Q8)."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from beast_dream_snow_loader.sandbox.servicenow import oracle
from tests.conftest import Ended
from tests.scenarios.conftest import Town
from tests.scenarios.desk import (
    FORBIDDEN,
    LOAD,
    PLAN,
    REPLAY,
    TWO_CIS,
    WRITES,
    OpenTown,
    away,
    by_hand,
    clean,
    one_switch,
    rules,
    sql,
    switch,
    switches,
    value,
)
from tests.scenarios.keeper import Keeper

BETWEEN = "/api/now/stats/sys_object_source"
"""Asked after what was left open was looked for, and before the engine is asked about new records."""
LOST = Fault(effect=Effect.RESET_AFTER, path=WRITES)
"""The answer; what becomes of the request is for who stands at the door to say."""
CIS = "/api/now/table/cmdb_ci"


def rename(here: Town, name: str) -> None:
    here.estate.rename_device(switch(here.estate).mac, name)


def add(here: Town, name: str) -> None:
    like = switch(here.estate)
    here.estate.add_device(site=like.site, model=like.model_code, name=name, uplink=like.uplink)


def named(here: Town, name: str) -> list[str]:
    """The classes of the CIs of that name."""
    return [item.class_name for item in oracle.config_items(here.app.instance) if item.name == name]


def requests_to_the_write(here: Town) -> int:
    """How many requests a load sends that has one CI to write, the write itself counted."""
    before = len(here.sandbox.log.lines("servicenow"))
    written = here.run(*LOAD).document["written"]
    assert written["updated"] + written["created"] == 1
    paths = [line.path for line in here.sandbox.log.lines("servicenow")[before:]]
    return next(number for number, path in enumerate(paths, 1) if path == WRITES)


def unanswered(
    town: OpenTown, fate: Fault, change: Callable[[Town, str], None] = rename, *, kept: bool = False
) -> Town:
    """A second ``change`` was sent and met its fate; from then on the instance is away. ``kept``: back, at the door."""
    here = town(Estate.generate(seed=3, sites=1, devices=8), door=Keeper)
    here.run.variables["SNOWLOAD_RETRY__MAX_ATTEMPTS"] = "1"
    assert here.run(*LOAD).code == 0
    change(here, "first")
    count = requests_to_the_write(here)
    change(here, "second")
    faults = here.sandbox.servicenow.faults
    faults.add(fate)
    here.door.keeping = WRITES if kept else ""
    faults.add(Fault(effect=Effect.STATUS, status=503, path="*", from_request=count + 1))
    here.run(*LOAD)
    here.door.keeping = ""
    return here


@pytest.mark.parametrize("effect", [Effect.RESET_BEFORE, Effect.RESET_AFTER])
def test_edges_that_waited_for_a_ci_without_an_answer_are_drawn_once_it_is_found_or_sent_again(
    town: OpenTown, effect: Effect
) -> None:
    here = town(Estate.generate(seed=3, sites=1, devices=20))
    here.sandbox.servicenow.faults.add(Fault(effect=effect, path=WRITES, nth=1))
    first = here.run(*LOAD, **TWO_CIS)
    assert (first.code, first.document["links"]["orphans"]) == (0, 0), first.document["findings"]
    clean(here)
    assert not any(here.run(*LOAD).document["written"].values())


def test_a_write_without_an_answer_is_looked_up_though_a_newer_one_had_to_wait_meanwhile(town: OpenTown) -> None:
    """Otherwise what it brought about would pass for a person's doing, and the newer value would never be written."""
    here = unanswered(town, LOST)
    faults = here.sandbox.servicenow.faults
    assert value(here, one_switch(here.estate), "name") == "second"
    rename(here, "third")
    faults.clear()
    away(here)
    assert here.run(*LOAD).code == 8
    faults.clear()
    assert here.run(*REPLAY).code == 0
    ended = here.run(*LOAD)
    assert (ended.code, value(here, one_switch(here.estate), "name")) == (0, "third")
    clean(here)


@pytest.mark.parametrize("fate", [Effect.RESET_AFTER, Effect.RESET_BEFORE])
@pytest.mark.parametrize("command", [REPLAY, LOAD])
def test_a_newer_write_waits_in_the_queue_behind_one_without_an_answer_and_is_sent_after_it(
    town: OpenTown, fate: Effect, command: tuple[str, ...]
) -> None:
    """Whether or not the older one was carried out: what is told as queued is in the queue (R6.5)."""
    here = unanswered(town, Fault(effect=fate, path=WRITES))
    faults = here.sandbox.servicenow.faults
    rename(here, "third")
    faults.clear()
    away(here)
    assert (held := here.run(*LOAD)).code == 8
    listed = here.run("queue", "list", "--env", "testing", "--json").document
    assert (held.document["queued"], listed["counts"]) == (1, {"queued": 1, "unknown": 1, "parked": 0})
    faults.clear()
    sent = here.run(*command)
    assert (sent.code, sent.document["queued"], value(here, one_switch(here.estate), "name")) == (0, 0, "third")
    assert not any(here.run(*LOAD).document["written"].values())
    clean(here)


def carried_out_meanwhile(here: Town, *command: str) -> Ended:
    """The command, while which what was sent is carried out: after it was looked for, before anything is planned."""
    here.sandbox.servicenow.faults.clear()
    here.door.until = BETWEEN
    return here.run(*command)


@pytest.mark.parametrize("command", [LOAD, REPLAY])
def test_a_create_carried_out_after_it_was_looked_for_was_made_by_us(town: OpenTown, command: tuple[str, ...]) -> None:
    """To the engine it is an existing CI by then, to a rollback it is one that we made (Q3, R3.5)."""
    here = unanswered(town, LOST, add, kept=True)
    assert named(here, "second") == []
    assert (carried_out_meanwhile(here, *command).code, len(named(here, "second"))) == (0, 1)
    clean(here)
    _, sender, *_ = here.run("runs", "list", "--env", "testing", "--json").document["runs"]
    undone = here.run("rollback", sender["run_id"], "--env", "testing", "--created", "delete", "--json")
    assert (undone.code, named(here, "second")) == (0, [])


@pytest.mark.parametrize("command", [LOAD, REPLAY])
def test_an_update_carried_out_after_it_was_looked_for_is_no_edit_of_a_person(
    town: OpenTown, command: tuple[str, ...]
) -> None:
    here = unanswered(town, LOST, kept=True)
    rename(here, "third")
    assert value(here, one_switch(here.estate), "name") == "first"
    assert "field.overridden_by_hand" not in rules(carried_out_meanwhile(here, *command))
    assert (here.run(*LOAD).code, value(here, one_switch(here.estate), "name")) == (0, "third")
    clean(here)


def test_an_update_carried_out_after_it_was_looked_for_is_settled_by_whoever_comes_next(town: OpenTown) -> None:
    """The load that looked for it lost the instance before it could plan anything. What was done can be undone."""
    here = unanswered(town, LOST, kept=True)
    faults = here.sandbox.servicenow.faults
    faults.clear()
    faults.add(Fault(effect=Effect.STATUS, status=503, path=BETWEEN))
    assert here.run(*LOAD).code == 8
    here.door.deliver()
    faults.clear()
    assert here.run(*LOAD).code == 0
    _, _, sender, *_ = here.run("runs", "list", "--env", "testing", "--json").document["runs"]
    assert here.run("rollback", sender["run_id"], "--env", "testing", "--json").code == 0
    assert value(here, one_switch(here.estate), "name") == "first"


def test_an_update_that_never_came_is_sent_however_often_others_wrote_the_ci_since(town: OpenTown) -> None:
    """Two writes since are no sign of it once it was looked for in vain."""
    here = unanswered(town, Fault(effect=Effect.RESET_BEFORE, path=WRITES))
    faults = here.sandbox.servicenow.faults
    faults.clear()
    faults.add(Fault(effect=Effect.STATUS, status=503, path=BETWEEN))
    assert here.run(*LOAD).code == 8
    for number in range(2):
        by_hand(here, one_switch(here.estate), comments=f"{number}")
    faults.clear()
    assert (here.run(*LOAD).code, value(here, one_switch(here.estate), "name")) == (0, "second")


def test_a_plan_takes_no_value_of_ours_for_an_edit_of_a_person(town: OpenTown) -> None:
    """What was left open is looked up by whoever writes; who only plans reckons with it."""
    here = unanswered(town, LOST)
    here.sandbox.servicenow.faults.clear()
    rename(here, "third")
    planned = here.run(*PLAN, "--json")
    assert (planned.document["plan"]["update"], "field.overridden_by_hand" in rules(planned)) == (1, False)
    away(here)
    assert here.run(*LOAD).code == 8
    here.sandbox.servicenow.faults.clear()
    replayed = here.run(*REPLAY, "--dry-run")
    assert (replayed.document["plan"]["update"], "field.overridden_by_hand" in rules(replayed)) == (1, False)


@pytest.fixture
def shut(town: OpenTown) -> Town:
    """A CMDB with a device to be added and an engine that takes no writes, of which the program knows nothing yet."""
    here = town(Estate.generate(seed=3, sites=1, devices=8))
    here.run.variables |= {"SNOWLOAD_RETRY__MAX_ATTEMPTS": "1", "SNOWLOAD_SERVICENOW__QUARANTINE_SECONDS": "1"}
    assert here.run(*LOAD).code == 0
    add(here, "added")
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.STATUS, status=403, path=WRITES, body=FORBIDDEN))
    return here


def added(here: Town) -> list[str]:
    """The classes of the CIs made for it."""
    return named(here, "added")


def test_an_insert_of_the_run_in_which_the_engine_shut_is_not_repeated_while_it_may_still_be_carried_out(
    shut: Town,
) -> None:
    late = Fault(effect=Effect.LATE, seconds=2.0, method="POST", path=CIS, first=1)
    shut.sandbox.servicenow.faults.add(late)
    ended = shut.run(*LOAD, SNOWLOAD_SERVICENOW__QUARANTINE_SECONDS="3")
    assert (added(shut), "unknown.quarantine" in rules(ended)) == (["cmdb_ci"], True)


def test_an_update_of_the_table_api_that_comes_late_does_not_come_over_a_newer_one(shut: Town) -> None:
    assert shut.run(*LOAD).code == 0
    device = next(device for device in switches(shut.estate) if device.name == "added")
    shut.estate.rename_device(device.mac, "second")
    late = Fault(effect=Effect.LATE, seconds=2.0, method="PATCH", path=f"{CIS}/*", first=1)
    killed_in(shut, late, lambda: True)
    sent = time.monotonic()
    shut.estate.rename_device(device.mac, "third")
    assert shut.run(*LOAD, SNOWLOAD_SERVICENOW__QUARANTINE_SECONDS="3").code == 0
    time.sleep(max(0.0, sent + 3.0 - time.monotonic()))
    assert (named(shut, "third"), shut.run(*LOAD).code) == (["cmdb_ci"], 0)


def killed_in_its_insert(shut: Town, *, acts: bool) -> None:
    """``acts``: the instance has carried it out."""
    hangs = Fault(effect=Effect.HANG, seconds=20, method="POST", path=CIS, nth=1, acts=acts)
    killed_in(shut, hangs, lambda: not acts or bool(added(shut)))


def killed_in(shut: Town, fate: Fault, then: Callable[[], bool]) -> None:
    """A load that was killed as soon as a request had met its fate and it was time."""
    faults = shut.sandbox.servicenow.faults
    number = faults.add(fate)
    command = [sys.executable, "-m", "beast_dream_snow_loader", *LOAD]
    with subprocess.Popen(command, env=shut.run.environment(), stdout=subprocess.DEVNULL) as process:
        while not any(one.struck for one in faults.listing() if one.number == number) or not then():
            assert process.poll() is None
            time.sleep(0.02)
        process.kill()


def test_the_load_after_one_that_was_killed_as_the_engine_shut_waits_too(shut: Town) -> None:
    """That the engine was open is still what is remembered of the instance: what was noted before the insert counts."""
    killed_in_its_insert(shut, acts=False)
    ended = shut.run(*LOAD)
    assert (added(shut), "unknown.quarantine" in rules(ended)) == (["cmdb_ci"], True)


def test_a_clock_that_was_set_forward_since_shortens_no_wait(shut: Town) -> None:
    killed_in_its_insert(shut, acts=False)
    sql(shut, "UPDATE journal SET intended_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-30 minutes')")
    assert "unknown.quarantine" in rules(shut.run(*LOAD))


def test_what_was_sent_hours_ago_is_not_waited_for(shut: Town) -> None:
    killed_in_its_insert(shut, acts=False)
    sql(shut, "UPDATE journal SET intended_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-3 hours')")
    ended = shut.run(*LOAD)
    assert (added(shut), "unknown.quarantine" in rules(ended)) == (["cmdb_ci"], False)


def test_what_a_load_made_that_was_killed_as_the_engine_shut_is_known_to_be_its_own(shut: Town) -> None:
    killed_in_its_insert(shut, acts=True)
    shut.run(*LOAD)
    device = next(device for device in switches(shut.estate) if device.name == "added")
    shut.estate.rename_device(device.mac, "renamed")
    assert shut.run(*LOAD).document["failed"] == []
    assert "renamed" in {item.name for item in oracle.config_items(shut.app.instance)}
