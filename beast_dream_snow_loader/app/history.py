"""What ran: the use case behind ``runs``, and what ``report`` shares with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from beast_dream_snow_loader.app.failing import failed
from beast_dream_snow_loader.app.ground import Ground, ground
from beast_dream_snow_loader.app.opening import opened
from beast_dream_snow_loader.app.options import Place
from beast_dream_snow_loader.app.result import Result
from beast_dream_snow_loader.clock import parse_rfc3339, rfc3339
from beast_dream_snow_loader.core.digest import Digest, digest_of
from beast_dream_snow_loader.core.overview import brief
from beast_dream_snow_loader.core.run import Run, RunStatus
from beast_dream_snow_loader.errors import BadArgument, SnowloadError
from beast_dream_snow_loader.operations.durations import parse_duration
from beast_dream_snow_loader.state.store import Store

R = TypeVar("R", Run, Digest)


def list_runs(place: Place, limit: int) -> Result:
    """The newest ``limit`` runs."""

    def made(_: Ground, store: Store) -> Mapping[str, Any]:
        return {"runs": [brief(digest_of(run)) for run in as_they_stand(store, store.memory.runs(limit=limit))]}

    return told("runs", place, made)


def show_run(place: Place, run_id: str) -> Result:
    """One run with its report."""
    return told("runs", place, lambda _, store: {"run": whole(found_run(store, run_id))})


def told(command: str, place: Place, made: Callable[[Ground, Store], Mapping[str, Any]]) -> Result:
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


def as_they_stand(store: Store, runs: Sequence[R]) -> list[R]:
    """What was killed is called running until the next run closes it: here it is interrupted already. A live holder of
    the target vouches for itself and for what it has begun meanwhile."""
    targets = {run.target for run in runs if run.status is RunStatus.RUNNING}
    holders = {target: _since(store, target) for target in targets}

    def killed(run: R) -> bool:
        since = holders.get(run.target)
        return run.status is RunStatus.RUNNING and (since is None or run.started_at < since)

    return [replace(run, status=RunStatus.INTERRUPTED) if killed(run) else run for run in runs]


def _since(store: Store, target: str) -> datetime | None:
    """When the run began that holds the target now."""
    held = store.at_work(target)
    run = store.memory.run(held) if held is not None else None
    return run.started_at if run is not None else None


def found_run(store: Store, run_id: str) -> Run:
    run = store.memory.run(run_id)
    if run is None:
        raise BadArgument(f"There is no run {run_id} here.", next_step="See what there is: snowload runs list")
    return as_they_stand(store, [run])[0]


def whole(run: Run) -> dict[str, Any]:
    return {**brief(digest_of(run)), "report": dict(run.report)}
