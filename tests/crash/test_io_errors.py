"""Disks that fail or are full, connections that break: told, never a success, mended by a plain re-run (Q5)."""

from __future__ import annotations

import errno

import pytest

from beast_dream_snow_loader.core.exit_codes import ExitCode
from tests.crash.checker import Place
from tests.crash.harness import NEEDS_COMPILER, Action, Arm, Kinds
from tests.crash.io_errors import Failed, after_lost_sync, every_error, left_alone_briefly, some_errors
from tests.crash.moments import is_write, syncs_log, writes
from tests.crash.stories import FIRST, LOAD, Stage, batched
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


def test_after_a_sync_of_the_log_that_failed_nothing_is_written_and_the_harness_would_see_it() -> None:
    sweep = Sweep(devices=8, story=left_alone_briefly(FIRST))
    with sweep.forge() as forge:
        told = sweep.told(forge)
        at = next(number for number, line in enumerate(told, 1) if syncs_log(line) and number > writes(told)[0] - 10)
        arm = Arm(at=at, action=Action.FAIL_ONCE, failing=Kinds.FILES, number=errno.EIO, tell=True)
        assert is_write(after_lost_sync(arm, told))
        with Place(estate=sweep.estate()) as place:
            forge.state.clear()
            ended = Stage(forge=forge, place=place, variables=sweep.story.variables).run(*LOAD, arm=arm)
    assert ended.code == ExitCode.UNAVAILABLE
    assert syncs_log(ended.told[at - 1])
    assert after_lost_sync(arm, ended.told) == ""


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
