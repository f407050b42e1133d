"""Anything in any order, and in quiet the CMDB is what it should be (Q16; 50,000 steps: `make soak`).

A step is mostly a whole load by the real command, a fifth of a second each: the suite has two hundred, always the same.
"""

from __future__ import annotations

from collections import Counter

import pytest

from tests.crash.harness import NEEDS_COMPILER
from tests.crash.machine import RULES, Here, Machine, steps
from tests.crash.race import pair

pytestmark = [
    NEEDS_COMPILER,
    pytest.mark.timeout(600),
]


def test_whatever_happens_in_whatever_order_loads_in_quiet_make_the_cmdb_right() -> None:
    with pair(Here()) as two:
        Machine.two = two
        Machine.tally.rules = Counter()
        steps(examples=10, length=20)
    ran = Machine.tally.rules
    assert sum(ran.values()) >= 150
    assert not RULES - ran.keys(), f"never ran: {RULES - ran.keys()}"
