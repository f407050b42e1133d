"""Disks that fail or are full, connections that break: told, never a success, mended by a plain re-run (Q5)."""

from __future__ import annotations

import pytest

from tests.crash.harness import NEEDS_COMPILER, Action, Arm, Kinds
from tests.crash.io_errors import Failed, after_lost_sync, every_error, left_alone_briefly, some_errors
from tests.crash.moments import writes
from tests.crash.stories import FIRST, batched
from tests.crash.sweep import Sweep

POINTS = 16
pytestmark = [
    NEEDS_COMPILER,
    pytest.mark.timeout(300),
]


def test_a_call_that_fails_is_told_in_words_and_costs_nothing_that_a_plain_load_does_not_mend() -> None:
    sweep = Sweep(devices=8, story=left_alone_briefly(FIRST))
    with sweep.forge() as forge:
        trials = sweep.run(forge, some_errors(sweep.told(forge), POINTS, seed=5), Failed())
    assert trials.violations == []
    assert trials.points == POINTS


def test_what_is_written_after_a_sync_of_the_log_that_failed_is_seen_as_such() -> None:
    with (sweep := Sweep(devices=8, story=FIRST)).forge() as forge:
        told = sweep.told(forge)
    synced = [number for number, line in enumerate(told, 1) if " fsync " in line and line.endswith("-wal")]
    late = [bool(after_lost_sync(Arm(at=number), told)) for number in synced]
    assert late.count(True) >= 5
    assert not any(late[late.index(False) :])


def test_a_connection_that_breaks_at_a_write_of_two_cis_costs_no_edge() -> None:
    """Most edges wait for a CI that another request has made."""
    sweep = Sweep(devices=8, story=left_alone_briefly(batched(FIRST, 2)))
    with sweep.forge() as forge:
        told = sweep.told(forge)
        around = {at for call in writes(told) for at in range(call, call + 3)}
        broken = [arm for arm in every_error(told) if arm.failing is Kinds.SOCKETS and arm.action is Action.FAIL_ONCE]
        arms = [arm for arm in broken if arm.at in around]
        trials = sweep.run(forge, arms, Failed())
    assert trials.violations == []
    assert trials.points >= 10


def test_connections_that_break_for_good_leave_no_traceback_from_the_first_of_them_on() -> None:
    """The program's own ears for signals are none of them."""
    sweep = Sweep(devices=8, story=left_alone_briefly(FIRST))
    with sweep.forge() as forge:
        broken = [arm for arm in every_error(sweep.told(forge)) if arm.action is Action.FAIL_FOREVER]
        first = [arm for arm in broken if arm.failing is Kinds.SOCKETS][:3]
        trials = sweep.run(forge, first, Failed())
    assert (trials.points, trials.violations) == (3, [])
