"""Files that cannot be written and connections that break, at every call of a load in turn (Q5).

``python -m tests.crash.io_errors`` fails each of the 1,800 or so calls of a load of 40 devices, two CIs to a request,
once and for good: as many calls as it takes to write 200 CIs in larger requests, and each is over sooner.
"""

from __future__ import annotations

import argparse
import errno
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from beast_dream_snow_loader.core.exit_codes import ExitCode
from tests.crash.checker import Place, faults
from tests.crash.harness import Action, Arm, Ended, Kinds
from tests.crash.moments import is_write, syncs_log
from tests.crash.progress import add_options, bounds
from tests.crash.stories import FIRST, STORIES, Story, batched
from tests.crash.sweep import Sweep, shuffled, spread

_FIRST_CALLS = 2000
_FATES = (
    (Action.FAIL_ONCE, Kinds.FILES, errno.EIO),
    (Action.FAIL_FOREVER, Kinds.FILES, errno.EIO),
    (Action.FAIL_ONCE, Kinds.FILES, errno.ENOSPC),
    (Action.FAIL_FOREVER, Kinds.FILES, errno.ENOSPC),
    (Action.SHORT_ONCE, Kinds.FILES, 0),
    (Action.FAIL_ONCE, Kinds.SOCKETS, errno.ECONNRESET),
    (Action.FAIL_FOREVER, Kinds.SOCKETS, errno.EIO),
)


_SOON = {"SNOWLOAD_CIRCUIT_BREAKER__FIRST_WAIT_SECONDS": "0.01"}


def left_alone_briefly(story: Story) -> Story:
    """Whoever starts the command again comes seconds later: by then no breaker is open because of what was broken."""
    return replace(story, variables={**story.variables, **_SOON})


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The command says what is wrong, in words and by its exit code, and never that all is well when it is not. A disk
    that fails is nobody's mistake in the settings; and where a sync of the database's log has failed, nothing more is
    written to ServiceNow: whether it would succeed when tried again says nothing about what was lost."""

    def at_once(self, story: Story, place: Place, arm: Arm, ended: Ended) -> Iterator[str]:
        if ended.code == ExitCode.CONFIG:
            yield f"a failing {arm.failing.name} is called a wrong setting: {ended.err[-300:] or ended.out[-300:]}"
        if arm.number and arm.failing is Kinds.FILES and (late := after_lost_sync(arm, ended.told)):
            yield f"it sent {late} though what was to be on the disk before is not"
        if ended.code < 0 or ended.code == ExitCode.ERROR or "Traceback" in ended.err:
            yield f"it ended {ended.code}: {ended.err[-1500:]}"
        if ended.code == 0 and story.whole and (found := next(faults(place), None)):
            yield f"exit 0 with {found}"


def after_lost_sync(arm: Arm, told: Sequence[str]) -> str:
    """The first write to ServiceNow after a sync of the database's log that failed; nothing where there is none. Of
    other syncs nothing hangs: SQLite ignores that of a directory, leaves the log as it is when the file it is copied
    into does not take it, and stays with a journal where it cannot begin a log."""
    if len(told) < arm.at or not syncs_log(told[arm.at - 1]):
        return ""
    return next((line for line in told[arm.at :] if is_write(line)), "")


def every_error(told: Sequence[str]) -> list[Arm]:
    """Each kind of call fails in each way that it can."""
    arms = []
    for number, line in enumerate(told[:_FIRST_CALLS], 1):
        kind = Kinds.SOCKETS if line.split()[1] in ("send", "recv", "connect") else Kinds.FILES
        arms += [
            Arm(at=number, action=action, failing=failing, number=error, tell=True)
            for action, failing, error in _FATES
            if failing is kind or (action is Action.FAIL_FOREVER and number % 7 == 0)
        ]
    return arms


def some_errors(told: Sequence[str], count: int, seed: int) -> list[Arm]:
    return random.Random(seed).sample(every_error(told), count)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=40)
    parser.add_argument("--batch", type=int, default=2, help="CIs to a request")
    parser.add_argument("--story", choices=sorted(STORIES), default=FIRST.name)
    parser.add_argument("--points", type=int, default=0, help="that many random ones; 0: every one")
    add_options(parser)
    given = parser.parse_args()
    story = batched(left_alone_briefly(STORIES[given.story]), given.batch)
    sweep = Sweep(devices=given.devices, story=story)
    with sweep.forge() as forge:
        told = sweep.told(forge)
    arms = some_errors(told, given.points, 1) if given.points else shuffled(every_error(told), 1)
    trials = spread(sweep, arms, given.workers, Failed(), bounds(given))
    tried = f"{trials.points} of {len(arms)} errors in {len(told)} calls"
    print(f"{tried}: {dict(trials.ended)}, {len(trials.violations)} violations", *trials.violations[:30], sep="\n")  # noqa: T201
    return 1 if trials.violations else 0


if __name__ == "__main__":
    sys.exit(main())
