"""A queue outlives kills and full disks and is drained in order, each write once (Q6; at full size: `make queue`)."""

from __future__ import annotations

import pytest

from tests.crash.harness import NEEDS_COMPILER
from tests.crash.planted import Edit, planted
from tests.crash.queue_kills import Trial

pytestmark = [
    NEEDS_COMPILER,
    pytest.mark.timeout(300),
]


def test_hundreds_of_queued_writes_survive_kills_and_full_disks_and_are_sent_once() -> None:
    seen = Trial(devices=120, kills=6).run()
    assert seen.violations == []
    assert seen.writes >= 350
    assert seen.renamed >= 1
    assert seen.ended["killed"] == 6
    assert sum(count for how, count in seen.ended.items() if how.startswith("disk full")) >= 2


BY_NAME = Edit(
    module="state/journal.py",
    old="where(STANDING, journal.c.state.in_(states)).order_by(place, journal.c.id)",
    new="where(STANDING, journal.c.state.in_(states)).order_by(journal.c.subject)",
)


def test_a_queue_that_is_drained_in_another_order_is_found() -> None:
    with planted([BY_NAME]) as package:
        seen = Trial(devices=40, kills=4, package=package).run()
    assert any("had waited longer" in one for one in seen.violations)
