"""How long it goes well, how long it takes to go well again, and when what fails fails (X8)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from beast_dream_snow_loader.clock import rfc3339
from beast_dream_snow_loader.core.digest import Digest, in_order
from beast_dream_snow_loader.core.run import RunStatus

FEWEST_EPISODES = 2
"""For a mean time between failures: from one failure to the next."""
FEWEST_RUNS = 4
"""With the same failure, before it is called a pattern."""
_SHARE = 0.75
_HOURS = 3
"""The width of a time of day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """From the start of the first load that did not end ``ok`` to the end of the next one that did; ``until`` None:
    it is not over."""

    target: str
    since: datetime
    until: datetime | None
    runs: int

    @property
    def length(self) -> timedelta | None:
        return None if self.until is None else self.until - self.since


def episodes(loads: Iterable[Digest]) -> list[Episode]:
    """Target by target, oldest first. A load under way is none yet; one that was killed has ended, unseen."""
    by_target: dict[str, list[Digest]] = defaultdict(list)
    for one in in_order(loads):
        if one.status is not RunStatus.RUNNING:
            by_target[one.target].append(one)
    found = [episode for target, runs in by_target.items() for episode in _episodes(target, runs)]
    return sorted(found, key=lambda one: one.since)


def _episodes(target: str, runs: Sequence[Digest]) -> Iterator[Episode]:
    since, failed = None, 0
    for run in runs:
        if not run.good:
            since, failed = since or run.started_at, failed + 1
        elif since is not None:
            yield Episode(target=target, since=since, until=run.finished_at, runs=failed)
            since, failed = None, 0
    if since is not None:
        yield Episode(target=target, since=since, until=None, runs=failed)


def reliability(loads: Sequence[Digest]) -> dict[str, Any]:
    """Mean time to repair over episodes that are over, and between failures from the start of one to that of the next
    against the same target; None for what there are too few of."""
    found = episodes(loads)
    repairs = [length.total_seconds() for one in found if (length := one.length) is not None]
    between = list(_between(found))
    still = [one for one in found if one.until is None]
    return {
        "episodes": len(found),
        "mttr_seconds": _mean(repairs),
        "mtbf_seconds": _mean(between) if len(between) >= FEWEST_EPISODES - 1 else None,
        "failing_since": rfc3339(still[-1].since) if still else None,
        "failing_runs": still[-1].runs if still else 0,
    }


def _between(found: Iterable[Episode]) -> Iterator[float]:
    last: dict[str, datetime] = {}
    for one in found:
        if one.target in last:
            yield (one.since - last[one.target]).total_seconds()
        last[one.target] = one.since


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 1) if values else None


def patterns(digests: Iterable[Digest]) -> list[dict[str, Any]]:
    """Failures of the same code that come at the same time of day, on the same day of the week, or in every run of
    late. Times are UTC; a time of day says something only where there are runs at other times too."""
    runs = in_order(one for one in digests if one.finished_at is not None)
    by_code: dict[str, list[Digest]] = defaultdict(list)
    for run in runs:
        for code in run.failures:
            by_code[code].append(run)
    many = {code: failed for code, failed in sorted(by_code.items()) if len(failed) >= FEWEST_RUNS}
    return [told for code, failed in many.items() for told in _patterns(code, failed, runs)]


def _patterns(code: str, failed: Sequence[Digest], runs: Sequence[Digest]) -> Iterator[dict[str, Any]]:
    latest = [run.run_id for run in runs[-FEWEST_RUNS:]]
    if {run.run_id for run in failed} >= set(latest):
        yield _pattern(code, "standing", failed, f"in each of the last {len(latest)} runs")
    hour, share = _time_of_day(failed)
    if share >= _SHARE and _time_share(runs, hour) <= share / 2:
        yield _pattern(code, "time_of_day", failed, f"{share:.0%} between {hour:02}:00 and {_after(hour):02}:00 UTC")
    day, share = _most(Counter(run.started_at.weekday() for run in failed), len(failed))
    usual = sum(run.started_at.weekday() == day for run in runs) / len(runs)
    if share >= _SHARE and usual <= share / 2 and len({run.started_at.date() for run in failed}) > 1:
        yield _pattern(code, "day_of_week", failed, f"{share:.0%} on {_DAYS[day]}s")


_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _pattern(code: str, kind: str, failed: Sequence[Digest], text: str) -> dict[str, Any]:
    return {"code": code, "pattern": kind, "runs": len(failed), "text": text}


def _after(hour: int) -> int:
    return (hour + _HOURS) % 24


def _within(run: Digest, hour: int) -> bool:
    return (run.started_at.hour - hour) % 24 < _HOURS


def _time_of_day(failed: Sequence[Digest]) -> tuple[int, float]:
    return _most(Counter({hour: sum(_within(run, hour) for run in failed) for hour in range(24)}), len(failed))


def _time_share(runs: Sequence[Digest], hour: int) -> float:
    return sum(_within(run, hour) for run in runs) / len(runs)


def _most(counted: Mapping[int, int], of: int) -> tuple[int, float]:
    best = max(counted, key=lambda one: (counted[one], -one))
    return best, counted[best] / of
