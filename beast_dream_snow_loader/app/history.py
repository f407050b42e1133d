"""What ran: the use cases behind ``report`` and ``runs``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from beast_dream_snow_loader.app import degraded
from beast_dream_snow_loader.app.failing import failed
from beast_dream_snow_loader.app.ground import Ground, ground
from beast_dream_snow_loader.app.options import Place
from beast_dream_snow_loader.app.private_files import refuse_unwritable, write_private
from beast_dream_snow_loader.app.result import Result, document
from beast_dream_snow_loader.app.wiring import opened
from beast_dream_snow_loader.clock import parse_rfc3339, rfc3339
from beast_dream_snow_loader.core.incidents import over_runs
from beast_dream_snow_loader.core.run import Run, RunStatus
from beast_dream_snow_loader.errors import BadArgument, SnowloadError
from beast_dream_snow_loader.operations.classification import classify_code
from beast_dream_snow_loader.operations.durations import parse_duration
from beast_dream_snow_loader.state.store import Store

_TOP = 10


def report(place: Place, *, since: str, until: str | None, run_id: str | None, output: Path | None) -> Result:
    """Runs of ``[since, until)``, or one run whole."""

    def made(here: Ground, store: Store) -> Mapping[str, Any]:
        if run_id is not None:
            run = _found(store, run_id)
            told: dict[str, Any] = {name: list(run.report.get(name, ())) for name in ("errors", "incidents")}
            told["errors_omitted"] = run.report.get("errors_omitted", 0)
            return {"run": _whole(run), **told, degraded.NAME: degraded.on_record(here, store)}
        now = here.clock.now()
        runs = as_they_stand(store, store.memory.runs(instant(since, now), instant(until, now) if until else None))
        span = {"since": rfc3339(instant(since, now)), "until": until and rfc3339(instant(until, now))}
        return {**span, **_over(runs), degraded.NAME: degraded.on_record(here, store)}

    try:
        refuse_unwritable(output)
        result = _told("report", place, made)
        if output is not None and result.error is None:
            write_private(output, orjson.dumps(document(result), option=orjson.OPT_INDENT_2, default=str))
    except SnowloadError as error:
        return failed("report", error)
    return result


def list_runs(place: Place, limit: int) -> Result:
    """The newest ``limit`` runs."""

    def made(_: Ground, store: Store) -> Mapping[str, Any]:
        return {"runs": [_brief(run) for run in as_they_stand(store, store.memory.runs(limit=limit))]}

    return _told("runs", place, made)


def show_run(place: Place, run_id: str) -> Result:
    """One run with its report."""
    return _told("runs", place, lambda _, store: {"run": _whole(_found(store, run_id))})


def _told(command: str, place: Place, made: Callable[[Ground, Store], Mapping[str, Any]]) -> Result:
    try:
        with ground(place) as here, opened(here) as store:
            return Result(
                command=command,
                status=RunStatus.OK.value,
                environment=here.environment,
                generated_at=rfc3339(here.clock.now()),
                body=made(here, store),
            )
    except SnowloadError as error:
        return failed(command, error, environment=place.environment or "")


def instant(text: str, now: datetime) -> datetime:
    """A duration back from now, or an instant with its zone."""
    try:
        return now - parse_duration(text)
    except ValueError:
        pass
    try:
        return parse_rfc3339(text)
    except ValueError:
        raise BadArgument(
            f"{text!r} is neither a duration nor an instant.",
            next_step="Write 90s, 15m, 12h, 7d, 2w, P7D, or 2026-11-22T04:31:23Z.",
        ) from None


def as_they_stand(store: Store, runs: Sequence[Run]) -> Sequence[Run]:
    """What was killed is called running until the next run closes it: here it is interrupted already. A live holder of
    the target vouches for itself and for what it has begun meanwhile."""
    targets = {run.target for run in runs if run.status is RunStatus.RUNNING}
    holders = {target: _since(store, target) for target in targets}

    def killed(run: Run) -> bool:
        since = holders.get(run.target)
        return run.status is RunStatus.RUNNING and (since is None or run.started_at < since)

    return [replace(run, status=RunStatus.INTERRUPTED) if killed(run) else run for run in runs]


def _since(store: Store, target: str) -> datetime | None:
    """When the run began that holds the target now."""
    held = store.at_work(target)
    run = store.memory.run(held) if held is not None else None
    return run.started_at if run is not None else None


def _found(store: Store, run_id: str) -> Run:
    run = store.memory.run(run_id)
    if run is None:
        raise BadArgument(f"There is no run {run_id} here.", next_step="See what there is: snowload runs list")
    return as_they_stand(store, [run])[0]


def _brief(run: Run) -> dict[str, Any]:
    written = run.report.get("written", {})
    return {
        "run_id": run.id,
        "command": run.command,
        "started_at": rfc3339(run.started_at),
        "finished_at": run.finished_at and rfc3339(run.finished_at),
        "duration_seconds": _seconds(run),
        "status": run.status.value,
        "exit_code": run.exit_code,
        "created": written.get("created", 0),
        "updated": written.get("updated", 0),
        "linked": written.get("linked", 0),
        "linking_rate": run.report.get("links", {}).get("rate"),
        "failed": len(run.report.get("failed", ())),
        "held": len(run.report.get("held", ())),
        "queued": run.report.get("queued", 0),
        "stale_source": run.report.get("stale_source"),
    }


def _whole(run: Run) -> dict[str, Any]:
    return {**_brief(run), "report": dict(run.report)}


def _seconds(run: Run) -> float | None:
    return None if run.finished_at is None else round((run.finished_at - run.started_at).total_seconds(), 3)


def _over(runs: Sequence[Run]) -> dict[str, Any]:
    """Runs, their sums, their steps and what failed most (R1.5, R8.1)."""
    return {
        "summary": _summary(runs),
        "runs": [_brief(run) for run in runs],
        "steps": list(_steps(runs)),
        "failures": _failures(runs),
        "incidents": _incidents(runs),
    }


def _summary(runs: Sequence[Run]) -> dict[str, Any]:
    ended = [run for run in runs if run.finished_at is not None]
    good = [run for run in ended if run.status is RunStatus.OK]
    briefs = [_brief(run) for run in runs]
    times = [seconds for run in ended if (seconds := _seconds(run)) is not None]
    sums = {name: sum(brief[name] for brief in briefs) for name in ("created", "updated", "linked", "failed", "held")}
    return {
        "runs": len(runs),
        "ok": len(good),
        "success_rate_percent": round(100 * len(good) / len(ended), 1) if ended else None,
        "average_duration_seconds": round(sum(times) / len(times), 3) if times else None,
        "last_success": rfc3339(good[0].started_at) if good else None,
        **sums,
    }


def _steps(runs: Iterable[Run]) -> Iterable[dict[str, Any]]:
    times: dict[str, list[float]] = defaultdict(list)
    for run in runs:
        for step in run.report.get("steps", ()):
            times[step["name"]].append(float(step["duration_seconds"]))
    for name, seconds in times.items():
        yield {
            "name": name,
            "runs": len(seconds),
            "average_seconds": round(sum(seconds) / len(seconds), 3),
            "longest_seconds": max(seconds),
        }


def _failures(runs: Iterable[Run]) -> list[dict[str, Any]]:
    """What failed most: how often, in how many runs, when last."""
    modes: dict[str, dict[str, Any]] = {}
    for run in runs:
        for code, at in _failed(run):
            mode = modes.setdefault(
                code, {"code": code, "count": 0, "category": classify_code(code).category.value, "runs": set()}
            )
            mode["count"] += 1
            mode["runs"].add(run.id)
            mode["last_seen"] = max(at, mode.get("last_seen", ""))
    most = sorted(modes.values(), key=lambda mode: (-mode["count"], mode["code"]))
    return [{**mode, "runs": len(mode["runs"])} for mode in most[:_TOP]]


def _failed(run: Run) -> Iterator[tuple[str, str]]:
    """Code and time of each failure. What stopped the run is among its errors, if it had got far enough to have any."""
    started = rfc3339(run.started_at)
    errors, failed = run.report.get("errors", ()), run.report.get("failed", ())
    untold = len(failed) - run.report.get("errors_omitted", 0) if errors else 0
    for one in (*errors, *failed[untold:]):
        yield one["code"], one.get("timestamp", started)
    stopped = (run.report.get("error") or {}).get("code")
    if stopped and stopped not in {one["code"] for one in errors}:
        yield stopped, started


def _incidents(runs: Iterable[Run]) -> list[dict[str, Any]]:
    """By cause, over all the runs; the runs come newest first."""
    told = [(run.id, one) for run in runs for one in run.report.get("incidents", ())]
    return over_runs(sorted(told, key=lambda one: one[0]))[:_TOP]
