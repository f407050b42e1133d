"""What past runs say: whether loads come as often as they should, and what can be seen coming."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from beast_dream_snow_loader.app.health.sight import Sight, graded, poor, well
from beast_dream_snow_loader.clock import rfc3339
from beast_dream_snow_loader.core.buckets import Bucket, Grain, buckets_of
from beast_dream_snow_loader.core.digest import Digest
from beast_dream_snow_loader.core.forecast import WINDOWS, Forecast
from beast_dream_snow_loader.core.performance import alerts
from beast_dream_snow_loader.core.run import RunStatus
from beast_dream_snow_loader.core.shown import age, shown
from beast_dream_snow_loader.core.trends import forecasts, usual_gap
from beast_dream_snow_loader.operations.durations import parse_duration
from beast_dream_snow_loader.operations.health import HealthCheck

THROUGH = (RunStatus.OK, RunStatus.PARTIAL)
_LATE, _MISSING = 1.5, 3.0
"""Times what is expected between loads."""


@dataclass(slots=True, kw_only=True)
class Past:
    """The history both checks are made from, read once."""

    sight: Sight
    _told: tuple[Sequence[Digest], Sequence[Bucket]] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self) -> tuple[Sequence[Digest], Sequence[Bucket]]:
        with self._lock:
            if self._told is None:
                since = self.sight.here.clock.now() - timedelta(days=max(WINDOWS))
                self._told = self.sight.state.memory.history(since)
            return self._told

    def loads(self) -> list[Digest]:
        return [one for one in self.read()[0] if one.command == "load"]

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
        check = graded(past, _LATE * expected, _MISSING * expected)
        late = "; see whether its timer runs, and: snowload runs list" if past > _LATE * expected else ""
        return check(f"{told}; {why}{late}", **ages, expected_seconds=expected.total_seconds())

    def _expected(self) -> tuple[timedelta | None, str]:
        asked = self.sight.settings.health.expected_every
        if asked is not None:
            return parse_duration(asked), f"expected every {asked} (health.expected_every)"
        gap = usual_gap([one for one in self.loads() if one.target == self.sight.here.target])
        if gap is None:
            return None, "too few loads to say how often they come (health.expected_every says it)"
        return timedelta(seconds=gap), f"they come every {age(gap)} in the median"

    def forecast(self) -> HealthCheck:
        """The early warnings of ``snowload report``."""
        digests, older = self.read()
        loads, every = self.loads(), [*older, *buckets_of(digests, Grain.HOUR)]
        found = [one for one in forecasts(every, loads, self.sight.settings.queue.max_entries) if one.warning]
        slower = alerts(loads)
        details = {"warnings": len(found), "slower": len(slower), "loads": len(loads)}
        told = [_told(one) for one in found]
        told += [f"{one['what']} takes {one['recent_seconds']} s, {one['usual_seconds']} s before" for one in slower]
        if told:
            return poor(f"{'; '.join(told)}. See: snowload report --since 28d", **details)
        return well("nothing is seen coming", **details)


def _told(one: Forecast) -> str:
    name, limit = one.series.name, f"{one.series.limit:g} {one.series.unit}"
    if one.warning == "breach_ahead" and one.breach_in_days is not None:
        return f"{name} meets {limit} in {one.breach_in_days:.1f} days"
    return f"{name} is above {limit}" if one.warning == "breached" else f"{name} is unlike itself"
