"""A report over many runs: its numbers, from digests of runs and from what older ones were taken together to (R8)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from beast_dream_snow_loader.clock import rfc3339
from beast_dream_snow_loader.core.advice import next_steps
from beast_dream_snow_loader.core.buckets import Bucket, Grain, Timing, buckets_of, coarser
from beast_dream_snow_loader.core.digest import Digest
from beast_dream_snow_loader.core.incidents import over_runs
from beast_dream_snow_loader.core.performance import alerts, bottlenecks
from beast_dream_snow_loader.core.quality import quality, rules_over
from beast_dream_snow_loader.core.reliability import patterns, reliability
from beast_dream_snow_loader.core.run import Run, RunStatus
from beast_dream_snow_loader.core.trends import forecasts

TOP = 10
_FINE = timedelta(days=3)
"""Up to here charts have a point an hour."""
_SUMMED = ("created", "updated", "retired", "linked", "unlinked", "failed", "invalid", "held")
_DONE = ("created", "updated", "retired", "linked", "unlinked")


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What a report is made of. ``digests`` newest first, ``buckets`` of runs that are no longer kept one by one;
    ``load`` is the newest load that read the source, ``queue`` counts what waits now, ``inventory`` CIs by class and by
    site."""

    digests: Sequence[Digest]
    buckets: Sequence[Bucket]
    load: Run | None
    queue: Mapping[str, int]
    queue_limit: int
    inventory: Mapping[str, Any] = field(default_factory=dict)


def overview(past: Past, listed: int | None = None) -> dict[str, Any]:
    """The report's own part of the document; with the newest ``listed`` runs, or all of them."""
    every = [*past.buckets, *buckets_of(past.digests, _grain(past.digests))]
    load = past.load
    loads = [one for one in past.digests if one.command == "load"]
    found = quality(load.id if load else None, load.report if load else {})
    told: dict[str, Any] = {
        "summary": {
            **_summary(past.digests, past.buckets, every),
            "hand_edits": found["counts"]["hand_edits"],  # one that stays is seen by every load
        },
        "runs": [brief(one) for one in past.digests[:listed]],
        "runs_omitted": max(0, len(past.digests) - listed) if listed is not None else 0,
        "steps": list(_steps(every)),
        "failures": _failures(past.digests, past.buckets),
        "incidents": _incidents(past.digests),
        "quality": {**found, "rules": rules_over(every)[:TOP]},
        "reliability": reliability(loads),
        "patterns": patterns(past.digests),
        "alerts": alerts(loads),
        "bottlenecks": bottlenecks(loads),
        "forecasts": [one.document() for one in forecasts(every, loads, past.queue_limit)],
        "queue": dict(past.queue),
        "inventory": dict(past.inventory),
        "periods": _periods(every),
    }
    last = next((one for one in loads if one.status is not RunStatus.RUNNING), None)
    return {**told, "next_steps": next_steps(told, brief(last) if last is not None else None)}


def _grain(newest_first: Sequence[Digest]) -> Grain:
    """Hours only where charts may show them: thirty days of runs every five minutes have 720."""
    long = newest_first and newest_first[0].started_at - newest_first[-1].started_at > _FINE + timedelta(hours=1)
    return Grain.DAY if long else Grain.HOUR


def brief(one: Digest) -> dict[str, Any]:
    """One run in one row."""
    counts = one.counts
    return {
        "run_id": one.run_id,
        "command": one.command,
        "started_at": rfc3339(one.started_at),
        "finished_at": one.finished_at and rfc3339(one.finished_at),
        "duration_seconds": _rounded(one.seconds),
        "status": one.status.value,
        "exit_code": one.exit_code,
        "created": counts.get("created", 0),
        "updated": counts.get("updated", 0),
        "linked": counts.get("linked", 0),
        "linking_rate": one.rate,
        "failed": counts.get("failed", 0),
        "held": counts.get("held", 0),
        "queued": counts.get("queued", 0),
        "stale_source": one.stale_seconds,
    }


def _summary(digests: Sequence[Digest], older: Sequence[Bucket], every: Sequence[Bucket]) -> dict[str, Any]:
    statuses = sum((Counter(one.statuses) for one in every), Counter[str]())
    ended = _ended(statuses)
    took = sum((one.took for one in every), Timing())
    counts = sum((Counter(one.counts) for one in every), Counter[str]())
    good = next((one for one in digests if one.good and one.finished_at is not None), None)
    return {
        "runs": sum(statuses.values()),
        "ok": statuses["ok"],
        "by_status": dict(sorted(statuses.items())),
        "success_rate_percent": round(100 * statuses["ok"] / ended, 1) if ended else None,
        "average_duration_seconds": round(took.average, 3) if took.runs else None,
        "longest_duration_seconds": round(took.longest, 3) if took.runs else None,
        "last_success": rfc3339(good.started_at) if good is not None else None,
        "linking_rate": round(counts["there"] / counts["wanted"], 4) if counts["wanted"] else None,
        "taken_together": sum(one.runs for one in older),
        **{name: counts[name] for name in _SUMMED},
    }


def _ended(statuses: Mapping[str, int]) -> int:
    """A run that was killed has ended, though nobody wrote that down."""
    return sum(count for status, count in statuses.items() if status != RunStatus.RUNNING)


def _steps(every: Iterable[Bucket]) -> Iterator[dict[str, Any]]:
    times: dict[str, Timing] = {}
    for one in every:
        for name, timing in one.steps.items():
            times[name] = times.get(name, Timing()) + timing
    for name, timing in times.items():
        yield {
            "name": name,
            "runs": timing.runs,
            "average_seconds": round(timing.average, 3),
            "longest_seconds": timing.longest,
        }


def _failures(digests: Sequence[Digest], older: Sequence[Bucket]) -> list[dict[str, Any]]:
    """What failed most: how often, in how many runs, when last (R1.5). Of hours and days the runs are not known."""
    modes: dict[str, dict[str, Any]] = {}
    for one in digests:
        for code, (count, last) in one.failures.items():
            mode = modes.setdefault(code, {"code": code, "count": 0, "runs": 0, "last_seen": ""})
            mode["count"], mode["runs"] = mode["count"] + count, mode["runs"] + 1
            mode["last_seen"] = max(last, mode["last_seen"])
    for bucket in older:
        for code, count in bucket.failures.items():
            mode = modes.setdefault(code, {"code": code, "count": 0, "runs": 0, "last_seen": ""})
            mode["count"] += count
            mode["last_seen"] = max(mode["last_seen"], rfc3339(bucket.at))
    return sorted(modes.values(), key=lambda mode: (-mode["count"], mode["code"]))[:TOP]


def _incidents(digests: Sequence[Digest]) -> list[dict[str, Any]]:
    """By cause, over all the runs."""
    told = [(one.run_id, incident) for one in digests for incident in one.incidents]
    return over_runs(sorted(told, key=lambda one: one[0]))[:TOP]


def _periods(every: Sequence[Bucket]) -> list[dict[str, Any]]:
    """Hours or days with their runs, all commands and targets together, oldest first."""
    if not every:
        return []
    first, last = min(one.at for one in every), max(one.at for one in every)
    coarse = last - first > _FINE or any(one.grain is Grain.DAY for one in every)
    grain = Grain.DAY if coarse else Grain.HOUR
    by_time: dict[datetime, list[Bucket]] = {}
    for one in coarser(every, grain):
        by_time.setdefault(one.at, []).append(one)
    return [_period(at, grain, by_time[at]) for at in sorted(by_time)]


def _period(at: datetime, grain: Grain, buckets: Sequence[Bucket]) -> dict[str, Any]:
    statuses = sum((Counter(one.statuses) for one in buckets), Counter[str]())
    counts = sum((Counter(one.counts) for one in buckets), Counter[str]())
    took = sum((one.took for one in buckets), Timing())
    runs, ended = sum(statuses.values()), _ended(statuses)
    tried = sum(counts[name] for name in (*_DONE, "failed", "invalid"))
    failed = counts["failed"] + counts["invalid"]
    return {
        "at": rfc3339(at),
        "grain": grain.value,
        "runs": runs,
        "by_status": dict(sorted(statuses.items())),
        "average_seconds": round(took.average, 3) if took.runs else None,
        "steps": {one["name"]: one["average_seconds"] for one in _steps(buckets)},
        "unsuccessful_percent": round(100 * (ended - statuses["ok"]) / ended, 2) if ended else None,
        "failed_percent": round(100 * failed / tried, 2) if tried else None,
        "queued": round(counts["queued"] / runs, 1) if runs else 0,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
