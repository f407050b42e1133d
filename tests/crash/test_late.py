"""Requests carried out late, lost answers, requests sent twice: nothing is doubled (Q3; 1,000 trials: `make crash`)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.crash.harness import NEEDS_COMPILER
from tests.crash.late import Bench, Late, Mishap, bench

A_RELATION = 4
"""Draws, on the Table path, a request that makes a relation."""
pytestmark = [
    NEEDS_COMPILER,
    pytest.mark.timeout(300),
]


@pytest.fixture(scope="module", params=["engine", "table"])
def opened(request: pytest.FixtureRequest) -> Iterator[Bench]:
    with bench(request.param) as made:
        yield made


@pytest.mark.parametrize("mishap", list(Mishap))
def test_a_request_that_meets_with_a_mishap_leaves_nothing_double_or_tells_of_it(opened: Bench, mishap: Mishap) -> None:
    seen = Late()
    opened.trial(3, seen, mishap)
    assert seen.violations == []
    assert (seen.told + seen.double_edges > 0) is (opened.path == "table" and mishap is Mishap.TWICE)


def test_a_relation_that_the_table_api_made_twice_is_told_by_the_next_load(opened: Bench) -> None:
    seen = Late()
    opened.trial(A_RELATION, seen, Mishap.TWICE)
    assert (seen.violations, seen.double_edges) == ([], int(opened.path == "table"))
