"""Anything in any order, and in quiet the CMDB is what it should be (Q16; 50,000 steps: `make soak`).

2,000 steps, always the same; commands are real processes, forked from one that has everything imported.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.crash.harness import NEEDS_COMPILER
from tests.crash.machine import LIVES, RULES, Here, Machine, steps
from tests.crash.race import Pair, pair

STEPS = 2000
SEEDS = (1, 3, 4, 5)
pytestmark = [
    NEEDS_COMPILER,
    pytest.mark.timeout(600),
]


@pytest.fixture(scope="module")
def two() -> Iterator[Pair]:
    with pair(Here()) as opened:
        yield opened


@pytest.mark.parametrize("number", SEEDS)
def test_whatever_happens_in_whatever_order_loads_in_quiet_make_the_cmdb_right(two: Pair, number: int) -> None:
    Machine.two = two
    Machine.tally.rules = Counter()
    share = STEPS // len(SEEDS)
    steps(examples=LIVES, length=share // LIVES, number=number)
    ran = Machine.tally.rules
    assert sum(ran.values()) >= share
    assert not (seldom := {rule for rule in RULES if ran[rule] < 2}), f"too seldom: {seldom}"
