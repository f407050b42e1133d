"""Files that cannot be written and connections that break, at every call of a load in turn (Q5).

``python -m tests.crash.io_errors`` fails each of the first 2,000 calls, once and for good; part of `make crash`.
"""

from __future__ import annotations

import argparse
import errno
import os
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from beast_dream_snow_loader.core.exit_codes import ExitCode
from tests.crash.checker import Place, faults
from tests.crash.harness import Action, Arm, Ended, Kinds
from tests.crash.stories import FIRST, STORIES, Story
from tests.crash.sweep import Sweep, spread

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The command says what is wrong, in words and by its exit code, and never that all is well when it is not."""

    def at_once(self, story: Story, place: Place, ended: Ended) -> Iterator[str]:
        if ended.code < 0 or ended.code == ExitCode.ERROR or "Traceback" in ended.err:
            yield f"it ended {ended.code}: {ended.err[-1500:]}"
        if ended.code == 0 and story.whole and (found := next(faults(place), None)):
            yield f"exit 0 with {found}"


def every_error(told: Sequence[str]) -> list[Arm]:
    """Each kind of call fails in each way that it can."""
    arms = []
    for number, line in enumerate(told[:_FIRST_CALLS], 1):
        kind = Kinds.SOCKETS if line.split()[1] in ("send", "recv", "connect") else Kinds.FILES
        arms += [
            Arm(at=number, action=action, failing=failing, number=error)
            for action, failing, error in _FATES
            if failing is kind or (action is Action.FAIL_FOREVER and number % 7 == 0)
        ]
    return arms


def some_errors(told: Sequence[str], count: int, seed: int) -> list[Arm]:
    return random.Random(seed).sample(every_error(told), count)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=12)
    parser.add_argument("--story", choices=sorted(STORIES), default=FIRST.name)
    parser.add_argument("--points", type=int, default=0, help="that many random ones; 0: every one")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    sweep = Sweep(devices=given.devices, story=STORIES[given.story])
    with sweep.forge() as forge:
        told = sweep.told(forge)
    arms = some_errors(told, given.points, 1) if given.points else every_error(told)
    trials = spread(sweep, arms, given.workers, Failed())
    seen = f"{trials.points} errors in {len(told)} calls: {dict(trials.ended)}, {len(trials.violations)} violations"
    print(seen, *trials.violations[:30], sep="\n")  # noqa: T201
    return 1 if trials.violations else 0


if __name__ == "__main__":
    sys.exit(main())
