"""Two loads of one target, the holder killed at random (L7, Q13; 200 trials: `make crash`)."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.contracts.conftest import LOCAL_POSTGRES, own_schema
from tests.crash.harness import NEEDS_COMPILER
from tests.crash.race import TAKEOVER_SECONDS, Pair, pair, raced
from tests.crash.sweep import Sweep

pytestmark = [
    NEEDS_COMPILER,
    pytest.mark.timeout(300),
]


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def two(request: pytest.FixtureRequest) -> Iterator[Pair]:
    if request.param == "sqlite":
        with pair(Sweep(devices=6)) as opened:
            yield opened
        return
    with (
        own_schema(os.environ.get("SNOWLOAD_TEST_POSTGRES_URL") or LOCAL_POSTGRES) as url,
        pair(Sweep(devices=6, server=url)) as opened,
    ):
        yield opened


def test_a_holder_killed_at_random_is_taken_over_within_seconds_and_nothing_is_doubled(two: Pair) -> None:
    seen = raced(two, range(11, 16))
    assert seen.violations == []
    assert seen.killed >= 3
    assert max(seen.takeovers) <= TAKEOVER_SECONDS


def test_a_holder_that_has_lost_the_target_to_another_host_writes_nothing_more(two: Pair) -> None:
    assert list(two.lost()) == []


def test_a_holder_that_has_lost_the_target_sends_not_even_the_rest_of_its_batch(two: Pair) -> None:
    assert list(two.lost_in_a_batch()) == []


def test_of_two_at_once_the_second_is_refused(two: Pair) -> None:
    assert list(two.two_at_once()) == []
