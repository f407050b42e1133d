"""A replay that meets faults of its own: it counts what is open still, and a second one finishes the work (R6.5)."""

from __future__ import annotations

import pytest

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from tests.scenarios.conftest import Town
from tests.scenarios.desk import (
    HELD_BACK,
    LOAD,
    LOOK_UP,
    REPLAY,
    RETIRING,
    TWO_CIS,
    WRITES,
    OpenTown,
    clean,
    edges,
    remove,
    switch,
)


@pytest.fixture
def here(town: OpenTown) -> Town:
    here = town(Estate.generate(seed=3, sites=1, devices=16))
    assert here.run(*LOAD).code == 0
    return here


def test_a_replay_counts_what_it_sent_without_an_answer_as_left(here: Town) -> None:
    here.estate.rename_device(switch(here.estate).mac, "renamed")
    assert here.run(*LOAD, **HELD_BACK).code == 8
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.RESET_BEFORE, path=WRITES, nth=1))
    replayed = here.run(*REPLAY)
    assert (replayed.code, replayed.document["queued"], replayed.document["left"]) == (8, 1, 1)
    assert "1 write is queued" in replayed.err
    again = here.run(*REPLAY)
    assert (again.code, again.document["left"]) == (0, 0)


def test_a_replay_claims_no_more_edges_than_it_draws(here: Town) -> None:
    like = switch(here.estate)
    here.estate.add_device(site=like.site, model=like.model_code, name="added", uplink=like.mac)
    assert here.run(*LOAD, **HELD_BACK).code == 8
    replayed = here.run(*REPLAY).document
    assert replayed["links"]["linked"] == replayed["links"]["wanted"] == replayed["written"]["linked"] > 0


def test_the_edges_of_a_ci_whose_retirement_had_no_answer_go_with_the_next_replay(here: Town) -> None:
    here.run.variables |= RETIRING
    gone, allowed = set(remove(here, 2)), (*LOAD, "--allow-retire", "60")
    assert here.run(*allowed).code == 0
    assert here.run(*allowed, **HELD_BACK).code == 8
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.RESET_AFTER, path=WRITES, nth=1))
    assert here.run(*REPLAY).code == 8
    assert any(gone & set(edge) for edge in edges(here))
    assert here.run(*REPLAY).code == 0
    assert not any(gone & set(edge) for edge in edges(here))


def test_edges_that_wait_for_a_ci_without_an_answer_are_drawn_by_the_replay_that_makes_it(town: OpenTown) -> None:
    here = town(Estate.generate(seed=3, sites=1, devices=16))
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.RESET_BEFORE, path=WRITES, nth=1))
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.STATUS, status=503, path=LOOK_UP))
    assert here.run(*LOAD, **TWO_CIS).code == 8
    here.sandbox.servicenow.faults.clear()
    assert here.run(*REPLAY).code == 0
    clean(here)
    assert not any(here.run(*LOAD).document["written"].values())
