"""Disks that fail or are full, connections that break: told, never a success, mended by a plain re-run (Q5)."""

from __future__ import annotations

import pytest

from tests.crash.harness import NEEDS_COMPILER
from tests.crash.io_errors import Failed, some_errors
from tests.crash.sweep import Sweep

POINTS = 16
pytestmark = [
    NEEDS_COMPILER,
    pytest.mark.timeout(300),
]


def test_a_call_that_fails_is_told_in_words_and_costs_nothing_that_a_plain_load_does_not_mend() -> None:
    sweep = Sweep(devices=8)
    with sweep.forge() as forge:
        trials = sweep.run(forge, some_errors(sweep.told(forge), POINTS, seed=5), Failed())
    assert trials.violations == []
    assert trials.points == POINTS
