"""How the loads before this look ended: the newest one, those in a row with it, and the last that was without a
remark."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from beast_dream_snow_loader.app.health.sight import Sight, ill, poor, well
from beast_dream_snow_loader.app.history import as_they_stand
from beast_dream_snow_loader.clock import rfc3339
from beast_dream_snow_loader.core.run import Run, RunStatus
from beast_dream_snow_loader.operations.health import HealthCheck

_NOT_DONE = frozenset({RunStatus.FAILED, RunStatus.UNAVAILABLE, RunStatus.REFUSED, RunStatus.INTERRUPTED})
"""What was to be done was not. What is queued is on its way, and the check of the queue tells it."""
_IN_A_ROW = 3
"""One may be an outage or a person's Ctrl-C; so many are no chance, and nothing mends them by itself."""
_MOST = 20


def last_load(sight: Sight) -> HealthCheck:
    """Whether the newest load of this target that has ended did what it was to do, and how many before it did not."""
    memory, target = sight.state.memory, sight.here.target
    newest = as_they_stand(sight.state, memory.newest(target, _MOST))
    ended = [run for run in newest if run.status is not RunStatus.RUNNING]
    if not ended:
        return well("no load has ended yet", in_a_row=0)
    row = list(takewhile(lambda run: run.status in _NOT_DONE, ended))
    details = {"in_a_row": len(row), "run_id": ended[0].id, "last_status": ended[0].status.value}
    never = "load" not in memory.ends(target, RunStatus.OK)
    if row:
        judge = ill if len(row) >= _IN_A_ROW else poor
        return judge(f"{_told(row)}{'; none has ever succeeded' if never else ''}{_see(ended[0])}", **details)
    if ended[0].status is RunStatus.PARTIAL:
        return poor(f"the last load was partial: something in it was not done{_see(ended[0])}", **details)
    if never:
        return poor(f"loads have run, and none has ever succeeded{_see(ended[0])}", **details)
    return well(f"the last load ended {ended[0].status.value}, at {_at(ended[0])}", **details)


def last_success(sight: Sight) -> HealthCheck:
    """The newest load of this target that ended without a remark."""
    run = sight.state.memory.last_success(sight.here.target)
    if run is None:
        return well("no load has succeeded yet")
    moment = run.finished_at or run.started_at
    seconds = round(sight.age(moment).total_seconds(), 1)
    return well(f"load at {rfc3339(moment)}", run_id=run.id, age_seconds=seconds)


def _told(row: Sequence[Run]) -> str:
    code = f", exit code {row[0].exit_code}" if row[0].exit_code is not None else ""
    how = f"{row[0].status.value} at {_at(row[0])}{code}"
    if len(row) == 1:
        return f"the last load did not come through ({how})"
    number = f"at least {len(row)}" if len(row) == _MOST else str(len(row))
    return f"the last {number} loads did not come through (the newest: {how})"


def _see(run: Run) -> str:
    return f". See why with: snowload runs show {run.id}"


def _at(run: Run) -> str:
    return rfc3339(run.finished_at or run.started_at)
