"""A command ended at any moment leaves nothing lost and nothing doubled (L7, Q1, Q2, Q7; every point: `make crash`).

A hundred seeded moments: seventy of a process, twenty of the power, ten with the state on a server.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest

from tests.contracts.conftest import LOCAL_POSTGRES, own_schema
from tests.crash.checker import Place
from tests.crash.harness import KILLED, NEEDS_COMPILER, Arm, Forge
from tests.crash.moments import answered, at, unsent
from tests.crash.sent import sent_again
from tests.crash.stories import (
    BASE_CLASS,
    CHANGED,
    FIRST,
    LOAD,
    QUEUED,
    RENAMED,
    ROLLED_BACK,
    UNDONE,
    Stage,
    Story,
    batched,
)
from tests.crash.sweep import Sweep, near_writes, some_points, torn

DEVICES = 8
pytestmark = [
    NEEDS_COMPILER,
    pytest.mark.timeout(300),
]


@pytest.fixture(scope="module")
def forge() -> Iterator[Forge]:
    with Sweep(devices=DEVICES).forge() as opened:
        yield opened


@pytest.fixture(scope="module")
def on_server() -> Iterator[Forge]:
    with (
        own_schema(os.environ.get("SNOWLOAD_TEST_POSTGRES_URL") or LOCAL_POSTGRES) as url,
        Sweep(devices=DEVICES, server=url).forge() as opened,
    ):
        yield opened


def points(told: Sequence[str], count: int, seed: int) -> list[Arm]:
    """Half of them anywhere, half around the writes, where more can go wrong."""
    return [*some_points(len(told), count // 2, seed), *near_writes(told, count - count // 2, seed)]


@pytest.mark.parametrize(
    ("story", "count"),
    [(FIRST, 20), (CHANGED, 12), (QUEUED, 10), (BASE_CLASS, 10), (UNDONE, 6), (ROLLED_BACK, 12)],
    ids=lambda value: value.name if isinstance(value, Story) else "",
)
def test_whatever_was_going_on_when_it_was_killed_is_made_whole_by_the_next_command(
    story: Story, count: int, forge: Forge
) -> None:
    sweep = Sweep(story=story, devices=DEVICES)
    trials = sweep.run(forge, points(sweep.told(forge), count, seed=7))
    assert trials.violations == []
    assert trials.ended["killed"] >= count * 0.9


def test_so_it_is_when_the_power_was_lost_and_with_it_all_that_was_not_synced(forge: Forge) -> None:
    sweep = Sweep(devices=DEVICES)
    trials = sweep.run(forge, torn(points(sweep.told(forge), 20, seed=8)))
    assert trials.violations == []
    assert trials.ended["killed"] >= 18


@pytest.mark.postgres
@pytest.mark.parametrize("story", [FIRST, QUEUED], ids=lambda story: story.name)
def test_so_it_is_with_the_state_on_a_server(story: Story, on_server: Forge) -> None:
    sweep = Sweep(story=story, devices=DEVICES)
    trials = sweep.run(on_server, points(sweep.told(on_server), 5, seed=9))
    assert trials.violations == []
    assert trials.ended["killed"] >= 4


def test_edges_of_a_ci_whose_retirement_was_the_last_thing_done_are_removed_by_the_next_load(forge: Forge) -> None:
    sweep = Sweep(story=CHANGED, devices=DEVICES)
    arm = at(sweep.told(forge), "GET /api/now/table/cmdb_rel_ci", nth=-1)
    assert sweep.run(forge, [arm]).violations == []


def test_cis_that_a_killed_rollback_had_deleted_are_known_to_be_gone(forge: Forge) -> None:
    sweep = Sweep(story=ROLLED_BACK, devices=DEVICES)
    arm = at(sweep.told(forge), "DELETE /api/now/table/cmdb_ci", nth=3)
    assert sweep.run(forge, [arm]).violations == []


@pytest.mark.parametrize("moment", [answered, unsent])
def test_what_a_killed_load_had_written_is_not_taken_for_a_persons(
    moment: Callable[[Sequence[str]], Arm], forge: Forge
) -> None:
    """UniFi has changed it once more before the next load, which writes that."""
    sweep = Sweep(story=RENAMED, devices=DEVICES)
    assert sweep.run(forge, [moment(sweep.told(forge))]).violations == []


def test_a_restart_with_smaller_requests_sends_no_more_again_than_one_batch(forge: Forge) -> None:
    """Q4 counts what is sent again; more requests for the same CIs are none of it."""
    sweep = Sweep(story=batched(FIRST, 4), devices=DEVICES)
    told, one = sweep.told(forge), batched(FIRST, 1).variables
    forge.clear()
    with Place(estate=sweep.estate()) as place:
        stage = Stage(forge=forge, place=place, variables=sweep.story.variables)
        assert stage.run(*LOAD, arm=answered(told)).code == KILLED
        stage.prepare(*LOAD, **one)
        assert len(place.witness.sent) > 4
        assert len(sent_again(place.witness.sent)) <= 1
        first = place.witness.sent[0]
        assert sent_again([first, replace(first, run="another")]) == [first]
