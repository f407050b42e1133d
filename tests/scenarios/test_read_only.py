"""Read-only mode: everything but the writes, which wait in the queue (R6.5)."""

from __future__ import annotations

from pathlib import Path

import pytest

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from tests.scenarios.conftest import Town
from tests.scenarios.desk import HELD_BACK, LOAD, REPLAY, OpenTown, clean, could_write, keeps, names, switch


@pytest.fixture
def here(town: OpenTown) -> Town:
    return town(Estate.generate(seed=3, sites=2, devices=40))


def test_a_load_in_read_only_mode_queues_its_whole_plan_and_sends_no_write(here: Town) -> None:
    wanted = here.run(*LOAD, "--dry-run").document["plan"]
    held = here.run(*LOAD, **HELD_BACK)
    assert (held.code, held.document["status"], held.document["read_only"]) == (8, "queued", True), held.err
    assert held.document["plan"] == wanted
    assert held.document["queued"] == wanted["create"] + wanted["link"]
    assert not any(held.document["written"].values())
    assert could_write(here) == []
    keeps(held.document)


def test_what_read_only_mode_queued_is_sent_by_the_next_load_in_normal_mode(here: Town) -> None:
    assert here.run(*LOAD, **HELD_BACK).code == 8
    load = here.run(*LOAD)
    assert (load.code, load.document["queued"]) == (0, 0), load.err
    assert not any(here.run(*LOAD).document["written"].values())
    assert here.run(*REPLAY).document["left"] == 0
    clean(here)


def test_a_newer_write_takes_the_place_of_the_queued_one(here: Town) -> None:
    assert here.run(*LOAD).code == 0
    device = switch(here.estate)
    for name in ("first-name", "second-name"):
        here.estate.rename_device(device.mac, name)
        assert here.run(*LOAD, **HELD_BACK).document["queued"] == 1
    replayed = here.run(*REPLAY)
    assert (replayed.code, replayed.document["sent"], replayed.document["left"]) == (0, 1, 0), replayed.err
    assert "second-name" in names(here)


def test_a_queued_change_that_unifi_has_taken_back_is_not_sent(here: Town) -> None:
    assert here.run(*LOAD).code == 0
    device = switch(here.estate)
    here.estate.rename_device(device.mac, "for-a-while")
    assert here.run(*LOAD, **HELD_BACK).code == 8
    here.estate.rename_device(device.mac, device.name)
    here.sandbox.log.clear()
    assert here.run(*LOAD, **HELD_BACK).code == 0
    assert here.run(*REPLAY).document["left"] == 0
    assert could_write(here) == []


def test_a_replay_in_read_only_mode_sends_nothing_and_says_why(here: Town) -> None:
    queued = here.run(*LOAD, **HELD_BACK).document["queued"]
    here.sandbox.log.clear()
    replay = here.run(*REPLAY, **HELD_BACK)
    assert (replay.code, replay.document["left"]) == (8, queued)
    assert replay.document["error"]["code"] == "servicenow.read_only"
    assert "servicenow.mode" in replay.err
    assert could_write(here) == []
    keeps(replay.document)
    assert here.run(*REPLAY, "--dry-run", **HELD_BACK).document["plan"]["create"] > 0


def test_a_write_without_an_answer_is_looked_up_in_read_only_mode_and_not_sent_again(here: Town) -> None:
    lost = Fault(effect=Effect.RESET_AFTER, path="/api/now/identifyreconcile/enhanced")
    here.sandbox.servicenow.faults.add(lost)
    away = Fault(effect=Effect.STATUS, status=503, path="/api/now/*", method="GET", from_request=12)
    here.sandbox.servicenow.faults.add(away)
    assert here.run(*LOAD).code == 8
    here.sandbox.servicenow.faults.clear()
    here.sandbox.log.clear()
    assert here.run(*LOAD, **HELD_BACK).code in (0, 8)
    assert could_write(here) == []
    assert here.run(*LOAD).code == 0
    clean(here)


def test_rows_that_a_load_would_make_are_only_told_in_read_only_mode(here: Town, tmp_path: Path) -> None:
    file = tmp_path / "snowload.toml"
    file.write_text("[mapping]\ncreate_manufacturer = true\n", encoding="utf-8")
    held = here.run(*LOAD, "--config", str(file), **HELD_BACK).document
    assert "reference.would_make" in {finding["rule"] for finding in held["findings"]}
    assert could_write(here) == []


def test_a_rollback_in_read_only_mode_touches_nothing(here: Town) -> None:
    run = here.run(*LOAD).document["run_id"]
    here.sandbox.log.clear()
    undone = here.run("rollback", run, "--env", "testing", "--json", **HELD_BACK)
    assert (undone.code, undone.document["error"]["code"]) == (5, "servicenow.read_only")
    assert f"snowload rollback {run}" in undone.err
    assert could_write(here) == []


def test_an_instance_left_alone_by_its_breakers_is_away(here: Town) -> None:
    """Each API family's breaker opens on its first failure: what follows is queued without a request (X1)."""
    assert here.run(*LOAD).code == 0
    here.estate.rename_device(switch(here.estate).mac, "renamed-behind-the-breaker")
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.STATUS, status=503))
    here.sandbox.log.clear()
    load = here.run(*LOAD, SNOWLOAD_CIRCUIT_BREAKER__FAILURE_THRESHOLD="1")
    assert (load.code, load.document["queued"]) == (8, 1), load.err
    asked = here.servicenow_reads()
    assert {path.split("/")[3] for path in asked} == {"cmdb", "v1"}
    assert len(asked) == 2, asked


def test_a_replay_of_a_part_leaves_edges_queued_whose_ends_are_further_back(here: Town) -> None:
    queued = here.run(*LOAD, **HELD_BACK).document["queued"]
    part = here.run(*REPLAY, "--limit", "7")
    assert part.code == 0, part.err
    assert part.document["sent"] + part.document["left"] == queued
    assert here.run(*REPLAY).document["left"] == 0
    assert not any(here.run(*LOAD).document["written"].values())
    clean(here)
