"""A queue outlives kills and full disks and is drained in order, each write once (Q6; at full size: `make queue`)."""

from __future__ import annotations

import pytest

from tests.crash.harness import NEEDS_COMPILER
from tests.crash.queue_kills import Trial

pytestmark = [
    NEEDS_COMPILER,
    pytest.mark.timeout(300),
]


def test_hundreds_of_queued_writes_survive_kills_and_full_disks_and_are_sent_once() -> None:
    seen = Trial(devices=120, kills=6).run()
    assert seen.violations == []
    assert seen.writes >= 350
    assert seen.ended["killed"] == 6
    assert sum(count for how, count in seen.ended.items() if how.startswith("disk full")) >= 2
