"""What takes the time of a load, why, and whether it takes more than it used to (R4.4, R8.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from beast_dream_snow_loader.core.digest import Digest, in_order
from beast_dream_snow_loader.core.robust import spread
from beast_dream_snow_loader.core.run import RunStatus

RECENT = 5
"""Loads that are compared with those before them."""
FEWEST_BEFORE, MOST_BEFORE = 10, 500
_WIDTHS = 4.0
_LEAST_SHARE = 0.25
_LEAST_SECONDS = 1.0
_BIG_SHARE = 0.30
_SHORTEST = 2.0
"""Seconds of a load below which nothing of it is worth mending."""
_SMALL_BATCH = 10
_OUTSIDE = "outside the steps"
_WHOLE = "whole load"
_LOCAL = ("transform", "recall", "plan")
_THROUGH = frozenset({RunStatus.OK, RunStatus.PARTIAL})


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why a step takes long: a stable ``name``, the numbers it is told by, and what helps."""

    name: str
    because: str
    suggestion: str


def alerts(loads: Sequence[Digest]) -> list[dict[str, Any]]:
    """What takes longer in the median of the last :data:`RECENT` loads than before: by four spreads, by a quarter and
    by a second at least. Loads that broke off say nothing of durations."""
    through = [one for one in in_order(loads) if one.status in _THROUGH and one.seconds is not None]
    recent, before = through[-RECENT:], through[-MOST_BEFORE - RECENT : -RECENT]
    if len(recent) < RECENT or len(before) < FEWEST_BEFORE:
        return []
    measured: dict[str, Callable[[Digest], float | None]] = {_WHOLE: lambda one: one.seconds}
    for name in dict.fromkeys(step for one in recent for step in one.steps):
        measured[name] = lambda one, step=name: _step(one, step)  # type: ignore[misc]
    return [told for name, of in measured.items() for told in _slower(name, recent, before, of)]


def _slower(
    name: str, recent: Sequence[Digest], before: Sequence[Digest], of: Callable[[Digest], float | None]
) -> Iterator[dict[str, Any]]:
    now = [value for one in recent if (value := of(one)) is not None]
    usual = [value for one in before if (value := of(one)) is not None]
    if len(now) < RECENT or len(usual) < FEWEST_BEFORE:
        return
    middle = median(usual)
    if median(now) - middle > max(_WIDTHS * spread(usual), _LEAST_SHARE * middle, _LEAST_SECONDS):
        cause = _cause(_longest(recent) if name == _WHOLE else name, recent)
        yield {
            "what": name,
            "recent_seconds": round(median(now), 3),
            "usual_seconds": round(middle, 3),
            "recent_runs": len(now),
            "usual_runs": len(usual),
            "since": recent[0].run_id,
            "cause": cause.name,
            "suggestion": cause.suggestion,
        }


def bottlenecks(loads: Sequence[Digest]) -> list[dict[str, Any]]:
    """Steps that take a third or more of the last loads, longest first, each with its cause and what helps."""
    recent = [one for one in in_order(loads) if one.status in _THROUGH and one.seconds][-RECENT:]
    whole = sum(one.seconds or 0.0 for one in recent)
    if not recent or whole / len(recent) < _SHORTEST:
        return []
    steps = {name: sum(_step(one, name) or 0.0 for one in recent) for one in recent for name in one.steps}
    times = {**steps, _OUTSIDE: whole - sum(steps.values())}
    slow = sorted(((took, name) for name, took in times.items() if took / whole >= _BIG_SHARE), reverse=True)
    return [
        {
            "step": name,
            "average_seconds": round(took / len(recent), 3),
            "share_percent": round(100 * took / whole, 1),
            "cause": (cause := _cause(name, recent)).name,
            "because": cause.because,
            "suggestion": cause.suggestion,
        }
        for took, name in slow
    ]


def _longest(loads: Sequence[Digest]) -> str:
    """The step that took most of their time."""
    names = dict.fromkeys(name for one in loads for name in one.steps)
    return max(names, key=lambda name: sum(_step(one, name) or 0.0 for one in loads), default=_OUTSIDE)


def _step(one: Digest, name: str) -> float | None:
    timed = one.steps.get(name)
    return timed[0] if timed else None


def _cause(step: str, loads: Sequence[Digest]) -> Cause:
    sums = {name: sum(one.counts.get(name, 0) for one in loads) for name in _COUNTED}
    if step == _OUTSIDE:
        return _LOCK
    if step in _LOCAL:
        return _DISK
    return _of_source(step, sums, loads) if step == "fetch" else _of_target(step, sums, loads)


_COUNTED = ("unifi", "servicenow", "waits", "rejected", "retries", "created", "updated", "linked", "retired")

_LOCK = Cause(
    name="lock_contention",
    because="the time is spent before the first step and after the last one, where a load waits for another run",
    suggestion="Let schedules not overlap (snowload runs list shows when runs began and how long they took); "
    "with --lock-timeout 0s a load does not wait.",
)
_DISK = Cause(
    name="local_disk",
    because="this step asks nobody: it reads and writes the state on this machine",
    suggestion="Put the state on a local disk (SNOWLOAD_STATE_DIR), not on a network share; look at the database with: "
    "snowload health --check database",
)


def _of_source(step: str, sums: Mapping[str, int], loads: Sequence[Digest]) -> Cause:
    spent = sum(_step(one, step) or 0.0 for one in loads)
    each = spent / sums["unifi"] if sums["unifi"] else 0.0
    return Cause(
        name="source_latency",
        because=f"{sums['unifi'] / len(loads):.0f} requests to UniFi a load, {each:.2f} s each on average",
        suggestion="Let more consoles and pages be read at once (unifi.console_concurrency, "
        "unifi.site_manager_concurrency), or look at the slowest console with: snowload doctor --check unifi",
    )


def _of_target(step: str, sums: Mapping[str, int], loads: Sequence[Digest]) -> Cause:
    asked = sums["servicenow"]
    if sums["waits"] + sums["rejected"]:
        return Cause(
            name="quota",
            because=f"{sums['waits']} times a load waited for its turn, {sums['rejected']} requests were turned away",
            suggestion="Have the rate limit rules of this account raised in ServiceNow, or load at a quieter hour; "
            "see what is left alone with: snowload breakers list",
        )
    written = sum(sums[name] for name in ("created", "updated", "linked", "retired"))
    if step == "load" and asked and 0 < written / asked < _SMALL_BATCH and written > _SMALL_BATCH * len(loads):
        return Cause(
            name="batch_size",
            because=f"{written} changes in {asked} requests: {written / asked:.1f} in each",
            suggestion="Let more go into one request (servicenow.batch_size, servicenow.batch_size_max); batches are "
            "cut while ServiceNow is slow or refuses them, so see: snowload health",
        )
    spent = sum(_step(one, step) or 0.0 for one in loads)
    return Cause(
        name="target_latency",
        because=f"{asked / len(loads):.0f} requests to ServiceNow a load, {spent / len(loads):.1f} s in this step",
        suggestion="ServiceNow is what is waited for: see its answers' times with snowload health, and let more "
        "requests run at once (servicenow.concurrency) if it has room.",
    )
