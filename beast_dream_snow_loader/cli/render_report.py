"""Runs and their reports for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from beast_dream_snow_loader.app.result import Result
from beast_dream_snow_loader.cli.render_load import render as render_load
from beast_dream_snow_loader.cli.tables import line, table


def render(result: Result) -> None:
    """The end of ``report``."""
    if "run" in result.body:
        render_run(result)
        return
    _runs(result.body.get("runs", []))
    summary = result.body.get("summary", {})
    if summary:
        line(", ".join(f"{name.replace('_', ' ')}: {_plain(value)}" for name, value in summary.items()))
    table(("step", "runs", "average", "longest"), _steps(result.body.get("steps", [])), title="Timing")
    failures = [
        (f["code"], f["category"], f["count"], f["runs"], f["last_seen"]) for f in result.body.get("failures", [])
    ]
    table(("failure", "category", "count", "runs", "last seen"), failures, title="Top failure modes")
    incidents = [
        (i["service"], i["code"], i["count"], len(i["runs"]), i["records"], i["relations"], i["last_seen"], _state(i))
        for i in result.body.get("incidents", [])
    ]
    columns = ("service", "incident", "count", "runs", "records", "relations", "last seen", "state")
    table(columns, incidents, title="Incidents by cause")


def _state(incident: Mapping[str, Any]) -> str:
    return "recovered" if incident["recovered"] else "open at last sight"


def render_runs(result: Result) -> None:
    """The end of ``runs list``."""
    _runs(result.body.get("runs", []))
    if not result.body.get("runs"):
        line("no runs yet")


def render_run(result: Result) -> None:
    """The end of ``runs show``: the run's own report as it was given then."""
    run = result.body.get("run")
    if not run:
        return
    line(f"run {run['run_id']}: {run['command']}, {run['status']}, started {run['started_at']}")
    report = run.get("report") or {}
    then = Result(command=run["command"], status=run["status"], exit_code=run["exit_code"] or 0, body=report)
    render_load(then)


def _runs(runs: Sequence[Mapping[str, Any]]) -> None:
    columns = ("run", "command", "started", "took", "status", "created", "updated", "linked", "rate", "failed", "held")
    rows = [
        (r["run_id"], r["command"], r["started_at"], _seconds(r["duration_seconds"]), r["status"], *_numbers(r))
        for r in runs
    ]
    table(columns, rows)


def _numbers(run: Mapping[str, Any]) -> tuple[object, ...]:
    created, updated, linked, failed, held = (
        run.get(name, 0) for name in ("created", "updated", "linked", "failed", "held")
    )
    rate = run.get("linking_rate")
    return (created, updated, linked, "" if rate is None else f"{rate:.1%}", failed, held)


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} s"


def _steps(steps: Sequence[Mapping[str, Any]]) -> list[tuple[object, ...]]:
    return [(s["name"], s["runs"], _seconds(s["average_seconds"]), _seconds(s["longest_seconds"])) for s in steps]


def _plain(value: object) -> object:
    return "none" if value is None else value
