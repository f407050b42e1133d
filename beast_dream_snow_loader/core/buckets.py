"""Many runs as one: what is kept of an hour or a day once its runs are too old to be kept one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from beast_dream_snow_loader.core.digest import Digest


class Grain(StrEnum):
    HOUR = "hour"
    DAY = "day"

    @property
    def length(self) -> timedelta:
        return timedelta(hours=1) if self is Grain.HOUR else timedelta(days=1)

    def start(self, instant: datetime) -> datetime:
        """Of the hour or day (UTC) an instant is in."""
        whole = instant.replace(minute=0, second=0, microsecond=0)
        return whole if self is Grain.HOUR else whole.replace(hour=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Of ``runs`` runs together and the longest of them, in seconds."""

    runs: int = 0
    seconds: float = 0.0
    longest: float = 0.0

    @property
    def average(self) -> float:
        return self.seconds / self.runs if self.runs else 0.0

    def __add__(self, other: Timing) -> Timing:
        return Timing(
            runs=self.runs + other.runs,
            seconds=self.seconds + other.seconds,
            longest=max(self.longest, other.longest),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """All runs of one command against one target that began in the hour or day from ``at`` on.

    ``statuses`` counts runs, ``failures`` and ``rules`` as in :class:`Digest`; ``took`` is of runs that ended.
    """

    at: datetime
    grain: Grain
    target: str
    command: str
    statuses: Mapping[str, int] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    failures: Mapping[str, int] = field(default_factory=dict)
    rules: Mapping[str, int] = field(default_factory=dict)
    steps: Mapping[str, Timing] = field(default_factory=dict)
    took: Timing = field(default_factory=Timing)

    @property
    def key(self) -> tuple[datetime, str, str]:
        return self.at, self.target, self.command

    @property
    def runs(self) -> int:
        return sum(self.statuses.values())


def buckets_of(digests: Iterable[Digest], grain: Grain) -> list[Bucket]:
    """Runs by hour or day, oldest first."""
    groups: dict[tuple[datetime, str, str], list[Digest]] = {}
    for one in digests:
        groups.setdefault((grain.start(one.started_at), one.target, one.command), []).append(one)
    return [_bucket(key, grain, group) for key, group in sorted(groups.items())]


def coarser(buckets: Iterable[Bucket], grain: Grain) -> list[Bucket]:
    """The same runs in buckets of ``grain``, which none of them is longer than; oldest first."""
    groups: dict[tuple[datetime, str, str], list[Bucket]] = {}
    for one in buckets:
        groups.setdefault((grain.start(one.at), one.target, one.command), []).append(one)
    return [_merged(key, grain, group) for key, group in sorted(groups.items())]


def _bucket(key: tuple[datetime, str, str], grain: Grain, digests: Sequence[Digest]) -> Bucket:
    at, target, command = key
    counts: dict[str, int] = {}
    failures: dict[str, int] = {}
    rules: dict[str, int] = {}
    times: dict[str, list[float]] = {}
    took: list[float] = []
    for one in digests:
        _count(counts, one.counts)
        _count(rules, one.rules)
        for code, (count, _) in one.failures.items():
            failures[code] = failures.get(code, 0) + count
        for name, (seconds, _) in one.steps.items():
            times.setdefault(name, []).append(seconds)
        if (spent := one.seconds) is not None:
            took.append(spent)
    steps = {name: _timing(seconds) for name, seconds in times.items()}
    statuses = Counter(one.status.value for one in digests)
    return Bucket(
        at=at, grain=grain, target=target, command=command, statuses=statuses, counts=counts, failures=failures,
        rules=rules, steps=steps, took=_timing(took),
    )  # fmt: skip


def _count(into: dict[str, int], more: Mapping[str, int]) -> None:
    """Plain, because a report adds up tens of thousands of these."""
    for name, count in more.items():
        into[name] = into.get(name, 0) + count


def _timing(seconds: Sequence[float]) -> Timing:
    return Timing(runs=len(seconds), seconds=sum(seconds), longest=max(seconds, default=0.0))


_NONE = Timing()


def _merged(key: tuple[datetime, str, str], grain: Grain, buckets: Sequence[Bucket]) -> Bucket:
    at, target, command = key
    sums: tuple[Counter[str], ...] = (Counter(), Counter(), Counter(), Counter())
    steps: dict[str, Timing] = {}
    took = Timing()
    for one in buckets:
        for total, part in zip(sums, (one.statuses, one.counts, one.failures, one.rules), strict=True):
            total.update(part)
        for name, timing in one.steps.items():
            steps[name] = steps.get(name, _NONE) + timing
        took += one.took
    statuses, counts, failures, rules = sums
    return Bucket(
        at=at, grain=grain, target=target, command=command, statuses=statuses, counts=counts, failures=failures,
        rules=rules, steps=steps, took=took,
    )  # fmt: skip
