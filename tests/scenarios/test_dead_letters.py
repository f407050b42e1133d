"""A queued write that is sent in vain again and again is parked, named, and costs no neighbour (R6.5)."""

from __future__ import annotations

import pytest

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from beast_dream_snow_loader.sandbox.servicenow.ire.options import IreOptions
from tests.conftest import Ended
from tests.scenarios.conftest import Town
from tests.scenarios.desk import (
    HELD_BACK,
    LOAD,
    REPLAY,
    WRITES,
    OpenTown,
    clean,
    could_write,
    findings,
    keeps,
    key_of,
    keys,
    one_switch,
    refuse,
    switch,
)


@pytest.fixture
def here(town: OpenTown) -> Town:
    here = town(Estate.generate(seed=3, sites=1, devices=20))
    here.run.variables["SNOWLOAD_QUEUE__MAX_ATTEMPTS"] = "2"
    return here


@pytest.fixture
def poisoned(here: Town) -> Town:
    """Everything was queued; one record of it the engine will never take."""
    assert here.run(*LOAD, **HELD_BACK).code == 8
    refuse(here, one_switch(here.estate))
    return here


def sends_them(ended: Ended) -> None:
    """The last words name what sends parked writes, and nothing that never does."""
    numbers = [letter["id"] for letter in ended.document["parked"]]
    assert f"snowload queue retry {numbers[0]}" in ended.err
    assert ("--all" in ended.err) == (len(numbers) > 1)
    assert "and after it: snowload load" in ended.err
    assert "--retry-failed" not in ended.err
    assert "snowload validate" not in ended.err


def test_the_load_that_parks_a_write_names_it_and_ends_partial(poisoned: Town) -> None:
    key = one_switch(poisoned.estate)
    first = poisoned.run(*LOAD)
    assert (first.code, first.document["parked"]) == (3, [])
    second = poisoned.run(*LOAD)
    letters = {letter["key"]: letter for letter in second.document["parked"]}
    assert second.code == 3
    assert (letters[key]["code"], letters[key]["attempts"]) == ("MISSING_MATCHING_ATTRIBUTES", 2)
    assert f"snowload queue retry {letters[key]['id']}" in letters[key]["next_step"]
    assert letters[key]["message"]
    sends_them(second)
    assert len(keys(poisoned)) == second.document["source"]["devices"] - 1
    keeps(second.document)


def test_a_parked_write_is_not_sent_by_the_next_load_which_says_so(poisoned: Town) -> None:
    for _ in range(2):
        poisoned.run(*LOAD)
    poisoned.sandbox.log.clear()
    third = poisoned.run(*LOAD)
    assert (third.code, one_switch(poisoned.estate)) == (3, third.document["parked"][0]["key"])
    assert could_write(poisoned) == []
    assert not third.document["failed"]
    assert third.document["links"]["linked"] < third.document["links"]["wanted"]
    plan = poisoned.run("plan", "--env", "testing", "--json").document
    assert plan["plan"]["create"] == 0


def test_a_parked_write_is_sent_again_once_what_unifi_shows_has_changed(poisoned: Town) -> None:
    for _ in range(2):
        poisoned.run(*LOAD)
    poisoned.app.backend.set_options(ire=IreOptions())
    poisoned.estate.rename_device(switch(poisoned.estate).mac, "with-another-name")
    changed = poisoned.run(*LOAD)
    assert (changed.code, changed.document["parked"]) == (0, []), changed.out[-2000:]
    clean(poisoned)


def test_a_replay_parks_too_and_leaves_the_queue_empty(poisoned: Town) -> None:
    first = poisoned.run(*REPLAY)
    assert first.code == 3
    assert first.document["left"] > 0
    second = poisoned.run(*REPLAY)
    assert one_switch(poisoned.estate) in {letter["key"] for letter in second.document["parked"]}
    assert second.code == 3
    sends_them(second)
    assert poisoned.run("health", "--check", "dead-letters", "--env", "testing", "--json").code == 1
    keeps(second.document)


@pytest.mark.parametrize("mode", [(), ("--dry-run",)], ids=["replay", "dry run"])
def test_a_replay_with_nothing_to_send_but_a_dead_letter_names_it_and_the_way_on(
    here: Town, mode: tuple[str, ...]
) -> None:
    assert here.run(*LOAD).code == 0
    device = switch(here.estate)
    here.estate.rename_device(device.mac, "refused-name")
    assert here.run(*LOAD, **HELD_BACK).code == 8
    refuse(here, key_of(device))
    for _ in range(2):
        assert here.run(*REPLAY).code == 3
    here.sandbox.log.clear()
    ended = here.run("replay-queue", "--env", "testing", *mode)
    assert (ended.code, could_write(here)) == (3, [])
    assert "replay-queue: partial; 0 sent, 0 still queued, 1 parked" in ended.out
    assert key_of(device) in ended.out
    assert "snowload queue retry" in ended.err


def test_a_replay_of_what_waits_for_a_parked_write_is_partial_and_names_both_and_the_way_on(poisoned: Town) -> None:
    for _ in range(2):
        poisoned.run(*REPLAY)
    third = poisoned.run(*REPLAY)
    (letter,) = third.document["parked"]
    assert (third.code, third.document["status"], letter["key"]) == (3, "partial", one_switch(poisoned.estate))
    told = findings(third, "relation.end_parked")
    assert len(told) == third.document["left"] > 0
    assert all(letter["key"] in one["record"] and str(letter["id"]) in one["message"] for one in told)
    sends_them(third)
    keeps(third.document)
    poisoned.app.backend.set_options(ire=IreOptions())
    assert poisoned.run("queue", "retry", str(letter["id"]), "--env", "testing").code == 0
    assert poisoned.run(*REPLAY).document["left"] == 0
    assert poisoned.run(*LOAD).code == 0
    clean(poisoned)


def test_a_record_refused_by_an_ordinary_load_is_planned_anew_each_time(here: Town) -> None:
    refuse(here, one_switch(here.estate))
    for _ in range(4):
        load = here.run(*LOAD)
        assert (load.code, load.document["parked"]) == (3, [])
        assert one_switch(here.estate) in {failure["key"] for failure in load.document["failed"]}


def test_a_write_nobody_ever_answers_is_parked_alone_and_its_neighbours_are_written(here: Town) -> None:
    """The whole request fails with it, until it is sent on its own."""
    here.run.variables["SNOWLOAD_RETRY__MAX_ATTEMPTS"] = "1"
    here.run.variables["SNOWLOAD_CIRCUIT_BREAKER__FAILURE_THRESHOLD"] = "1000"
    assert here.run(*LOAD, **HELD_BACK).code == 8
    poison = one_switch(here.estate)
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.STATUS, status=500, path=WRITES, first=1))
    refuse(here, poison)
    for _ in range(3):
        last = here.run(*LOAD)
    assert {letter["key"] for letter in last.document["parked"] if letter["change"] == "create"} == {poison}
    assert len(keys(here)) == last.document["source"]["devices"] - 1


def test_an_outage_of_writes_alone_parks_nothing_however_long_it_is(here: Town) -> None:
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.STATUS, status=503, path=WRITES))
    for _ in range(5):
        load = here.run(*LOAD)
        assert (load.code, load.document["parked"]) == (8, []), load.err
    here.sandbox.servicenow.faults.clear()
    here.sandbox.log.clear()
    assert here.run("breakers", "reset", "--env", "testing").code == 0
    load = here.run(*LOAD)
    assert (load.code, load.document["parked"]) == (0, []), load.err
    assert here.writes() <= 12
    clean(here)


def test_a_dead_letter_goes_when_its_record_needs_nothing_any_more(here: Town) -> None:
    assert here.run(*LOAD).code == 0
    device = switch(here.estate)
    here.estate.rename_device(device.mac, "a-name-that-is-refused")
    assert here.run(*LOAD, **HELD_BACK).document["queued"] == 1
    refuse(here, f"device/{device.mac.lower()}")
    assert here.run(*LOAD).code == 3
    assert [letter["change"] for letter in here.run(*LOAD).document["parked"]] == ["update"]
    here.estate.rename_device(device.mac, device.name)
    settled = here.run(*LOAD)
    assert (settled.code, settled.document["parked"]) == (0, []), settled.out[-3000:]


def test_a_full_queue_is_refused_loudly_and_keeps_what_waits(here: Town) -> None:
    assert here.run(*LOAD).code == 0
    here.estate.rename_device(switch(here.estate).mac, "the-first-to-wait")
    assert here.run(*LOAD, **HELD_BACK).document["queued"] == 1
    full = here.run(*LOAD, "--full", SNOWLOAD_QUEUE__MAX_ENTRIES="1", **HELD_BACK)
    assert (full.code, full.document["error"]["code"]) == (5, "queue.full"), full.err
    assert "queue.max_entries" in full.err
    assert 'Set servicenow.mode to "normal"' in full.err
    replayed = here.run(*REPLAY)
    assert (replayed.code, replayed.document["sent"]) == (0, 1)
