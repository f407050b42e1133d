"""A load ended at any moment leaves nothing lost and nothing doubled (L7; the whole sweep is `make crash`)."""

from __future__ import annotations

import shutil

import pytest

from tests.crash.harness import Arm
from tests.crash.sweep import Sweep, some_points

POINTS = 30
pytestmark = [
    pytest.mark.skipif(shutil.which("cc") is None, reason="the shim needs a C compiler"),
    pytest.mark.timeout(300),
]


@pytest.mark.parametrize("power", [False, True], ids=["killed", "power lost"])
def test_a_load_ended_at_any_call_is_made_whole_by_the_next_one(power: bool) -> None:
    sweep = Sweep()
    arms = some_points(sweep.calls(), POINTS, seed=7)
    if power:
        arms = [Arm(at=arm.at, action=arm.action, power=True, tear=place + 1) for place, arm in enumerate(arms)]
    trials = sweep.run(arms)
    assert trials.violations == []
    assert trials.ended["killed"] >= POINTS * 0.9
