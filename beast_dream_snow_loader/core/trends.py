"""The numbers of a history that can be seen coming: one value a day, and the limit it should stay under (X8)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from itertools import pairwise
from statistics import median, quantiles

from beast_dream_snow_loader.core.buckets import Bucket, Grain, buckets_of, coarser
from beast_dream_snow_loader.core.digest import Digest
from beast_dream_snow_loader.core.forecast import WINDOWS, Forecast, Series, forecast

UNSUCCESSFUL_PERCENT = 20.0
FAILED_PERCENT = 5.0
ORPHANS_PERCENT = 10.0
RETRIES_PERCENT = 10.0
"""The retry budget: from there on requests are no longer repeated."""
_FEWEST_GAPS = 5
_A_BURST, _SHORTEST_GAP, _LONG_ENOUGH = 1800.0, 3600.0, 2 * 86400.0
"""Seconds: see :func:`expected_gap`."""
WINDOW = timedelta(days=max(WINDOWS))
"""So much of the history is looked at for what is coming."""
_DONE = ("created", "updated", "retired", "linked", "unlinked")


def coming(digests: Sequence[Digest], older: Sequence[Bucket], queue_limit: int) -> list[Forecast]:
    """The warnings that a history of :data:`WINDOW` gives: of runs, and of those that are only kept as sums."""
    loads = [one for one in digests if one.command == "load"]
    return [one for one in forecasts([*older, *buckets_of(loads, Grain.HOUR)], loads, queue_limit) if one.warning]


def told(one: Forecast) -> str:
    """A warning in words."""
    name, limit = one.series.name.replace("_", " "), f"{one.series.limit:g} {one.series.unit}"
    if one.warning == "breach_ahead" and one.breach_in_days is not None:
        return f"{name}: {limit} in {one.breach_in_days:.1f} days"
    return f"{name}: above {limit}" if one.warning == "breached" else f"{name}: unlike before"


def forecasts(buckets: Iterable[Bucket], loads: Sequence[Digest], queue_limit: int) -> list[Forecast]:
    """Of loads, over whole days and the day that is not over yet."""
    days = _days(buckets)
    found = [
        _series("unsuccessful_runs", "percent", UNSUCCESSFUL_PERCENT, _unsuccessful, days, _SEE_FAILURES),
        _series("failed_records", "percent", FAILED_PERCENT, _failed, days, _SEE_FAILURES),
        _series("orphans", "percent", ORPHANS_PERCENT, _orphans, days, _SEE_ORPHANS),
        _series("retries", "percent", RETRIES_PERCENT, _retries, days, "See which end fails with: snowload health"),
        _series("queued_writes", "writes", float(queue_limit), _queued, days, "See why with: snowload queue list"),
    ]
    if (gap := usual_gap(loads)) is not None:
        found.append(_series("load_duration", "seconds", gap, _duration, days, _SEE_TIME))
    return [forecast(one) for one in found]


_SEE_FAILURES = "See what fails most with: snowload report --since 7d"
_SEE_ORPHANS = "See which edges have no end with: snowload report --since 1d --format json (quality.orphans)"
_SEE_TIME = "A load that takes longer than loads are apart keeps the next one waiting: see bottlenecks of this report, "
_SEE_TIME += "or load less often (snowload runs list shows when runs began)"


def usual_gap(loads: Sequence[Digest]) -> float | None:
    """Seconds from the start of one load to that of the next of the same target, in the median; None for few loads."""
    starts: dict[str, list[float]] = {}
    for one in sorted(loads, key=lambda one: one.started_at):
        starts.setdefault(one.target, []).append(one.started_at.timestamp())
    gaps = [later - earlier for times in starts.values() for earlier, later in pairwise(times)]
    return median(gaps) if len(gaps) >= _FEWEST_GAPS else None


def expected_gap(loads: Sequence[Digest]) -> float | None:
    """Seconds within which the next load of one target is to be expected; None where they came too rarely to tell.

    Loads of a burst count once: those within half an hour of the one that counts. Of the gaps between them the upper
    quartile is taken, so that some loads by hand between those of a timer do not move it, and never less than an hour.
    What came within two days may all be by hand, and says nothing."""
    counted: list[float] = []
    for moment in sorted(one.started_at.timestamp() for one in loads):
        if not counted or moment - counted[-1] >= _A_BURST:
            counted.append(moment)
    gaps = [later - earlier for earlier, later in pairwise(counted)]
    if len(gaps) < _FEWEST_GAPS or counted[-1] - counted[0] < _LONG_ENOUGH:
        return None
    return max(_SHORTEST_GAP, quantiles(gaps, n=4, method="inclusive")[-1])


def _days(buckets: Iterable[Bucket]) -> list[list[Bucket]]:
    """The buckets of loads of each day, all targets together; oldest first."""
    by_day: dict[float, list[Bucket]] = {}
    for one in coarser((one for one in buckets if one.command == "load"), Grain.DAY):
        by_day.setdefault(one.at.timestamp() / 86400, []).append(one)
    return [by_day[day] for day in sorted(by_day)]


def _series(
    name: str, unit: str, limit: float, measure: Callable[..., float | None], days: list[list[Bucket]], advice: str
) -> Series:
    values = [(day[0].at.timestamp() / 86400, value) for day in days if (value := measure(day)) is not None]
    return Series(name=name, unit=unit, limit=limit, advice=advice, values=values)


def _sum(day: Sequence[Bucket], *names: str) -> int:
    return sum(one.counts.get(name, 0) for one in day for name in names)


def _percent(part: float, whole: float) -> float | None:
    return 100 * part / whole if whole else None


def _unsuccessful(day: Sequence[Bucket]) -> float | None:
    ended = sum(one.runs - one.statuses.get("running", 0) for one in day)
    return _percent(ended - sum(one.statuses.get("ok", 0) for one in day), ended)


def _failed(day: Sequence[Bucket]) -> float | None:
    failed = _sum(day, "failed", "invalid")
    return _percent(failed, failed + _sum(day, *_DONE))


def _orphans(day: Sequence[Bucket]) -> float | None:
    return _percent(_sum(day, "orphans"), _sum(day, "wanted"))


def _retries(day: Sequence[Bucket]) -> float | None:
    return _percent(_sum(day, "retries"), _sum(day, "servicenow", "unifi"))


def _queued(day: Sequence[Bucket]) -> float | None:
    runs = sum(one.runs for one in day)
    return _sum(day, "queued") / runs if runs else None


def _duration(day: Sequence[Bucket]) -> float | None:
    runs = sum(one.took.runs for one in day)
    return sum(one.took.seconds for one in day) / runs if runs else None
