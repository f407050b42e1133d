"""``--max-requests``: so many requests to ServiceNow and no more, and nothing is lost for it (X2)."""

from __future__ import annotations

import pytest

from beast_dream_snow_loader.sandbox.estate import Estate
from tests.scenarios.conftest import Town
from tests.scenarios.desk import LOAD, REPLAY, TWO_CIS, OpenTown


@pytest.fixture
def here(town: OpenTown) -> Town:
    made = town(Estate.generate(seed=3, sites=2, devices=12))
    made.run.variables |= TWO_CIS
    return made


def test_a_load_and_a_replay_stop_at_the_number_and_the_next_ones_end_the_work(here: Town) -> None:
    first = here.run(*LOAD, "--max-requests", "12").document
    assert len(here.servicenow_reads()) == first["requests"]["servicenow"] == 12
    assert first["exit_code"] == 8
    assert 0 < first["queued"] < 12 + first["links"]["wanted"]
    assert [f["rule"] for f in first["findings"]].count("transport.request_limit") == 1
    second = here.run(*REPLAY, "--max-requests", "2")
    assert second.code == 8
    assert len(here.servicenow_reads()) == 14
    assert "--max-requests 2 is reached" in second.out
    assert here.run(*REPLAY).code == 0
    last = here.run(*LOAD).document
    assert (last["exit_code"], last["queued"], last["plan"]["create"], last["plan"]["link"]) == (0, 0, 0, 0)
    assert here.app.backend.instance.count("cmdb_ci_hardware") == 12


def test_where_not_even_a_plan_can_be_made_it_is_said_why(here: Town) -> None:
    ended = here.run(*LOAD, "--max-requests", "1")
    assert len(here.servicenow_reads()) == 1
    assert ended.code in (5, 8)
    assert "--max-requests 1 is reached" in ended.out
