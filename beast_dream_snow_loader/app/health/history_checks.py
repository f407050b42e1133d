"""What past runs say: whether loads come as often as they should, and what can be seen coming."""

from __future__ import annotations

import shutil
import threading
from dataclasses import dataclass, field
from datetime import timedelta

import orjson

from beast_dream_snow_loader.app.health.sight import Sight, judged, poor, well
from beast_dream_snow_loader.app.judging import graded
from beast_dream_snow_loader.clock import rfc3339
from beast_dream_snow_loader.core import trends
from beast_dream_snow_loader.core.forecast import FEWEST, Series, forecast
from beast_dream_snow_loader.core.performance import alerts
from beast_dream_snow_loader.core.run import RunStatus
from beast_dream_snow_loader.core.shown import age, shown
from beast_dream_snow_loader.operations.durations import parse_duration
from beast_dream_snow_loader.operations.health import HealthCheck

THROUGH = (RunStatus.OK, RunStatus.PARTIAL)
_LATE, _MISSING = 1.5, 3.0
"""Times what is expected between loads."""
_AN_HOUR = timedelta(hours=1)
_GAP = "expected_gap_seconds"


@dataclass(slots=True, kw_only=True)
class Past:
    """The history both checks are made from. A month of loads is long to read, and an hour later it says the same: it
    is read once an hour, by whichever comes first."""

    sight: Sight
    _told: HealthCheck | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def forecast(self) -> HealthCheck:
        """The early warnings of ``snowload report``; in ``details`` also within what time a load of this target is to
        be expected."""
        with self._lock:
            if self._told is None:
                limit = self.sight.settings.queue.max_entries
                self._told = self.sight.lately("forecast", limit, self._read, _AN_HOUR)
            return self._told

    def _read(self) -> HealthCheck:
        digests, older = self.sight.state.memory.history(self.sight.here.clock.now() - trends.WINDOW)
        loads = [one for one in digests if one.command == "load"]
        found = trends.coming(digests, older, self.sight.settings.queue.max_entries)
        slower = alerts(loads)
        details: dict[str, float] = {"warnings": len(found), "slower": len(slower), "loads": len(loads)}
        gap = trends.expected_gap([one for one in loads if one.target == self.sight.here.target])
        details |= {_GAP: round(gap, 1)} if gap is not None else {}
        told = [trends.told(one) for one in found]
        told += [f"{one['what']} takes {one['recent_seconds']} s, {one['usual_seconds']} s before" for one in slower]
        if told:
            return poor(f"{'; '.join(told)}. See: snowload report --since {trends.WINDOW.days}d", **details)
        return well("nothing is seen coming", **details)

    def overdue(self) -> HealthCheck:
        """The newest load of each target that went through, partly or whole, against how often it should."""
        last = self.sight.state.memory.last_of_each_target(THROUGH)
        mine = last.get(self.sight.here.target)
        ages = {shown(name, 80): round(self.sight.age(at).total_seconds(), 1) for name, at in last.items()}
        expected, why = self._expected()
        if mine is None:
            asked = self.sight.settings.health.expected_every
            return poor(f"no load has gone through; {why}", **ages) if asked else well("no load has gone through yet")
        past = self.sight.age(mine)
        told = f"last load at {rfc3339(mine)}, {age(past.total_seconds())} ago"
        if expected is None:
            return well(f"{told}; {why}", **ages)
        check = judged(graded(past, _LATE * expected, _MISSING * expected))
        late = "; see whether its timer runs, and: snowload runs list" if past > _LATE * expected else ""
        return check(f"{told}; {why}{late}", **ages, expected_seconds=expected.total_seconds())

    def _expected(self) -> tuple[timedelta | None, str]:
        asked = self.sight.settings.health.expected_every
        if asked is not None:
            return parse_duration(asked), f"expected every {asked} (health.expected_every)"
        gap = self.forecast().details.get(_GAP)
        if gap is None:
            return None, "too few loads to say how often they come (health.expected_every says it)"
        return timedelta(seconds=gap), f"going by the last {trends.WINDOW.days} days one is expected every {age(gap)}"


def growth(sight: Sight) -> HealthCheck:
    """Whether the state will fill its disk: its size of each day, as looks like this one have seen it."""
    size, directory = sight.state.size_bytes, sight.state.directory
    if directory is None:
        return well(f"{size / 1e6:.1f} MB on a server, whose disk is not seen from here", size_bytes=size)
    free_bytes, days = shutil.disk_usage(directory).free, _remembered(sight, size)
    found = forecast(Series(name="state", unit="bytes", limit=float(size + free_bytes), advice=_ROOM, values=days))
    details = {"size_bytes": size, "disk_free_bytes": free_bytes, "days": len(days)}
    if found.slope_per_day is not None:
        details["bytes_per_day"] = round(found.slope_per_day)
    if found.warning:
        when = f" in {found.breach_in_days:.1f} days" if found.breach_in_days is not None else ""
        return poor(f"the state fills its disk{when} as it grows now. {_ROOM}", **details)
    told = f"{size / 1e6:.1f} MB, {free_bytes / 1e9:.1f} GB free"
    return well(told if found.enough else f"{told}; {FEWEST} days are needed to see it grow", **details)


def _remembered(sight: Sight, size: int) -> list[tuple[int, float]]:
    """The size of each day that a look has seen, today's included; from now on that is kept too."""
    key, today = f"growth {sight.here.target}", sight.here.clock.now().date().toordinal()
    before = _days(sight.state.kept_checks.look(key))
    young = {day: bytes_ for day, bytes_ in before.items() if today - trends.WINDOW.days < day < today}
    days = sorted((young | {today: float(size)}).items())
    if before.get(today) != size:
        sight.keep(key, orjson.dumps(days).decode())
    return days


def _days(text: str | None) -> dict[int, float]:
    """Size by day; empty where what was kept does not read."""
    try:
        return {int(day): float(size) for day, size in orjson.loads(text or "[]")}
    except (TypeError, ValueError):
        return {}


_ROOM = "Give it room, or keep less: state.keep_runs_days, state.keep_audit_days"
