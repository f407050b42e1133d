"""Faults planted in the protocol are found by the sweep that finds none in the program (Q17; both: `make crash`)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.crash.harness import NEEDS_COMPILER, Forge
from tests.crash.planted import DEVICES, HASTY, PLANTED, Planted, tried
from tests.crash.stories import Story
from tests.crash.sweep import Sweep

pytestmark = [
    NEEDS_COMPILER,
    pytest.mark.timeout(300),
]


STORIES = list({fault.story.name: fault.story for fault in PLANTED if fault.moments}.values())


@pytest.fixture(scope="module")
def sound() -> Iterator[Forge]:
    with Sweep(devices=DEVICES).forge() as opened:
        yield opened


@pytest.mark.parametrize("fault", PLANTED, ids=lambda fault: fault.name)
def test_a_fault_planted_in_the_protocol_is_found_at_once(fault: Planted) -> None:
    assert tried(fault).violations


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_at_the_same_moments_nothing_is_wrong_with_the_program_as_it_is(story: Story, sound: Forge) -> None:
    sweep = Sweep(story=story, devices=DEVICES)
    told = sweep.told(sound)
    chosen = {moment(told) for fault in PLANTED if fault.story == story for moment in fault.moments}
    trials = sweep.run(sound, sorted(chosen, key=str))
    assert trials.violations == []
    if story is HASTY:
        assert trials.ended == {"8": 1}  # the instance went away between two rows: what had not left is queued
