"""A PostgreSQL server that ends our connections costs a run, and nothing else (Q1, Q6; more of it: `make crash`)."""

from __future__ import annotations

import os

import pytest

from tests.contracts.conftest import LOCAL_POSTGRES
from tests.crash.cut_off import STORIES, tried
from tests.crash.harness import NEEDS_COMPILER

pytestmark = [NEEDS_COMPILER, pytest.mark.timeout(300)]


def test_connections_that_the_server_ends_lose_nothing_and_the_next_load_makes_it_whole() -> None:
    server = os.environ.get("SNOWLOAD_TEST_POSTGRES_URL") or LOCAL_POSTGRES
    seen = tried(server, range(len(STORIES)))
    assert seen.violations == []
    assert seen.cut > 0
