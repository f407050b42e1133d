"""The metrics of a run, from the document it printed: whoever prints it later gets the same numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from beast_dream_snow_loader.core.check_graph import kind_of
from beast_dream_snow_loader.core.measures import QUANTILES, Sample

_STATUS = {"healthy": 0.0, "degraded": 1.0, "unhealthy": 2.0}
_RESTRAINTS = ("waits", "rejected", "retries_refused")
_LISTED = ("failed", "held", "parked")


def run_samples(document: Mapping[str, Any]) -> Iterator[Sample]:
    """All that a document of a command says in numbers. What it says nothing of gives nothing."""
    command = str(document.get("schema", "")).removeprefix("snowload.").partition("/")[0]
    for one in _told(document):
        yield Sample(name=one.name, value=one.value, labels={"command": command, **one.labels}, suffix=one.suffix)


def _told(document: Mapping[str, Any]) -> Iterator[Sample]:
    code = document.get("exit_code", 1)
    yield _run("exit_code", code)
    yield _run("success", code == 0)
    if "duration_seconds" in document:
        yield _run("duration_seconds", document["duration_seconds"])
    for part in (_steps, _counts, _quality, _requests, _health):
        yield from part(document)


def _run(name: str, value: float, suffix: str = "", **labels: str) -> Sample:
    return Sample(name=f"snowload_run_{name}", value=round(float(value), 6), labels=labels, suffix=suffix)


def _steps(document: Mapping[str, Any]) -> Iterator[Sample]:
    """A step that was gone through twice is one."""
    seconds, records = Counter[str](), Counter[str]()
    for step in document.get("steps", ()):
        seconds[step["name"]] += step["duration_seconds"]
        records[step["name"]] += step["records"]
    for name in seconds:
        yield _run("step_duration_seconds", seconds[name], step=name)
        yield _run("step_records", records[name], step=name)


def _counts(document: Mapping[str, Any]) -> Iterator[Sample]:
    for kind, count in document.get("source", {}).items():
        yield _run("source_records", count, kind=kind)
    outcomes = dict(document.get("written", {}))
    outcomes |= {name: len(document[name]) for name in _LISTED if name in document}
    outcomes |= {"queued": document["queued"]} if "queued" in document else {}
    for outcome, count in outcomes.items():
        yield _run("changes", count, outcome=outcome)
    for row in document.get("items", ()):
        yield _run("items", row["count"], kind=row["kind"], outcome=row["outcome"])


def _quality(document: Mapping[str, Any]) -> Iterator[Sample]:
    if "findings" in document:
        found = Counter(str(one["severity"]) for one in document["findings"])
        for severity in ("info", "warning", "error"):
            yield _run("findings", found[severity], severity=severity)
    for category, count in Counter(str(one["category"]) for one in document.get("errors", ())).items():
        yield _run("errors", count, category=category)
    if verify := document.get("verify"):
        yield _run("verified_items", verify["checked"])
        yield _run("verify_mismatches", verify["mismatches"])
    if (rate := document.get("links", {}).get("rate")) is not None:
        yield _run("links_ratio", rate)
    if (age := document.get("stale_source")) is not None:
        yield _run("stale_source_seconds", age)


def _requests(document: Mapping[str, Any]) -> Iterator[Sample]:
    for row in document.get("operations", ()):
        name = row["operation"]
        yield _run("requests", row["requests"] - row["failed"], operation=name, outcome="ok")
        yield _run("requests", row["failed"], operation=name, outcome="failed")
        yield _run("request_retries", row["retries"], operation=name)
        yield _run("requests_per_second", row["per_second"], operation=name)
        for quantile, column in QUANTILES.items():
            yield _run("request_duration_seconds", row[column] / 1000, operation=name, quantile=quantile)
        yield _run("request_duration_seconds", row["answered"], "_count", operation=name)
        yield _run("request_duration_seconds", row["average_ms"] * row["answered"] / 1000, "_sum", operation=name)
    requests = document.get("requests", {})
    for outcome in _RESTRAINTS:
        if outcome in requests:
            yield _run("restraints", requests[outcome], outcome=outcome)
    if "opened" in document.get("breakers", {}):
        yield _run("breaker_openings", document["breakers"]["opened"])


def _health(document: Mapping[str, Any]) -> Iterator[Sample]:
    """A check that is made of each source (``unifi[10.0.0.1]``) is told once, by the worst of them."""
    status, seconds = dict[str, float](), dict[str, float]()
    for check in document.get("checks", ()):
        name = kind_of(check["name"])
        if check["status"] in _STATUS:
            status[name] = max(_STATUS[check["status"]], status.get(name, 0.0))
            seconds[name] = max((check.get("response_time_ms") or 0.0) / 1000, seconds.get(name, 0.0))
    for name, value in status.items():
        yield Sample(name="snowload_health_status", value=value, labels={"check": name})
        yield Sample(name="snowload_health_duration_seconds", value=round(seconds[name], 6), labels={"check": name})
