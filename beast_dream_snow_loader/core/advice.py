"""What a person should do next, worst first: made from the report alone, so that it says nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_TOP = 8


def next_steps(told: Mapping[str, Any], last: Mapping[str, Any] | None) -> list[dict[str, str]]:
    """``why`` and ``step``; empty when there is nothing to do. ``last`` is the newest load that has ended."""
    found = list(_steps(told, last))
    return [{"why": why, "step": step} for why, step in found[:_TOP]]


def _steps(told: Mapping[str, Any], last: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    yield from _of_the_last_load(last)
    yield from _of_what_waits(told["queue"])
    yield from _of_the_data(told["quality"])
    for one in told["forecasts"]:
        if one["warning"]:
            yield warned(one), one["next_step"]
    for one in told["alerts"]:
        why = f"{one['what']} takes {one['recent_seconds']:.1f} s, usually {one['usual_seconds']:.1f} s"
        yield why, one["suggestion"]
    if not told["runs"]:
        yield "there was no run in this time", "Run: snowload load"


def warned(forecast: Mapping[str, Any]) -> str:
    """A warning in words."""
    name, unit = forecast["name"].replace("_", " "), forecast["unit"]
    if forecast["warning"] == "breached":
        return f"{name}: at {forecast['level']:g} {unit}, over the limit of {forecast['limit']:g}"
    if forecast["warning"] == "unusual":
        return f"{name}: unlike the {forecast['points']} days before"
    latest = forecast["latest"]
    until = f"{forecast['earliest']:.1f} to {latest:.1f}" if latest is not None else f"{forecast['earliest']:.1f}"
    return (
        f"{name}: at {forecast['level']:g} {unit} and rising, at its limit of {forecast['limit']:g} in about "
        f"{forecast['breach_in_days']:.1f} days ({until}, from {forecast['points']} days)"
    )


def _of_the_last_load(last: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    if last is None or last["status"] == "ok":
        return
    step = f"See why: snowload report --run {last['run_id']}"
    if last["status"] == "interrupted":
        step = f"Finish it: snowload load --resume {last['run_id']}"
    elif last["status"] == "partial":
        step = f"{step}; mend it, then: snowload load --retry-failed {last['run_id']}"
    yield f"the last load, of {last['started_at']}, ended {last['status']}", step


def _of_what_waits(queue: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    if queue["unsettled"]:
        yield f"writes sent without an answer: {queue['unsettled']}", "The next load looks them up: snowload load"
    if queue["waiting"]:
        yield f"writes waiting in the queue: {queue['waiting']}", "Send them: snowload replay-queue"
    if queue["parked"]:
        yield f"writes parked: {queue['parked']}", "See each with its reason: snowload queue list --state parked"


_DATA = {
    "held": ("records held until somebody decides", "Decide each: docs/guides/identity.md"),
    "duplicates": ("records there twice", "Merge them in ServiceNow, then run: snowload load"),
    "orphans": ("relations without an end", "See which and why under quality in this report, then: snowload load"),
    "hand_edits": (
        "values changed by hand, which stay",
        "To take or to write them over: docs/explanation/ownership.md",
    ),
}


def _of_the_data(quality: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, (what, step) in _DATA.items():
        if count := quality["counts"].get(name):
            yield f"{what}: {count}", step
