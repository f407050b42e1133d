"""A load that goes back to an earlier one: to finish it (``--resume``) or for what it left out (``--retry-failed``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from beast_dream_snow_loader.app.failures import failed_keys
from beast_dream_snow_loader.app.ground import Ground
from beast_dream_snow_loader.app.options import LoadOptions
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.core.run import Run, RunStatus
from beast_dream_snow_loader.errors import BadArgument
from beast_dream_snow_loader.state.store import Store

LAST = "last"
RESUMES = "resumes"
_UNFINISHED = (RunStatus.RUNNING, RunStatus.INTERRUPTED, RunStatus.FAILED, RunStatus.UNAVAILABLE)
_RECENT = 500
_LIST = "See what there is: snowload runs list"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """The run to be finished: how much of it was sent without an answer, and how much it had written."""

    run: Run
    unknown: int
    written: int

    def told(self, store: Store) -> dict[str, Any]:
        """Its part of the document. What it had sent and is now known to have happened counts as found."""
        found = len(store.journal.done(self.run.id)) - self.written
        return {"run_id": self.run.id, "written_before": self.written, "unknown": self.unknown, "found_done": found}


def refuse_mixed(options: LoadOptions) -> None:
    """BadArgument for options that say twice which records the run is about."""
    about = {
        "--resume": options.resume,
        "--retry-failed": options.retry_failed,
        "--plan": options.plan_file,
    }
    given = [name for name, value in about.items() if value]
    filters = {"--site": options.sites, "--console": options.consoles, "--kind": options.kinds}
    if options.resume:
        given += [name for name, value in filters.items() if value]
    if len(given) > 1:
        raise BadArgument(
            f"{' and '.join(given)} do not go together: each says which records the run is about.",
            next_step="Give one of them.",
        )


def with_failed(options: LoadOptions, here: Ground, store: Store) -> LoadOptions:
    """The options limited to what that run did not write. BadArgument when it left nothing."""
    if options.retry_failed is None:
        return options
    run = _run(options.retry_failed, here, store)
    keys = failed_keys(run.report, run.id)
    if not keys:
        raise BadArgument(f"Run {run.id} left no record to try again.", next_step=_LIST)
    return replace(options, keys=keys)


def to_resume(options: LoadOptions, here: Ground, store: Store) -> Resumed | None:
    """BadArgument when that run is not there or is finished."""
    if options.resume is None:
        return None
    run = _run(options.resume, here, store)
    if run.status not in _UNFINISHED:
        raise BadArgument(f"Run {run.id} is finished ({run.status}): there is nothing to resume.", next_step=_LIST)
    if (by := _finished_by(run, store)) is not None:
        raise BadArgument(f"Run {run.id} was finished by run {by.id}.", next_step=_LIST)
    unknown = sum(entry.run_id == run.id for entry in store.journal.unknown())
    return Resumed(run=run, unknown=unknown, written=len(store.journal.done(run.id)))


def as_asked(options: LoadOptions, run: Run) -> LoadOptions:
    """These options about the records that ``run`` was about; with the plan it applied, if it did."""
    asked: Mapping[str, Any] = run.report.get("asked", {})
    applied = run.report.get("from_plan", {}).get("file")
    return replace(
        options,
        plan_file=Path(applied) if applied else None,
        sites=tuple(asked.get("sites", ())),
        consoles=tuple(asked.get("consoles", ())),
        kinds=tuple(asked.get("kinds", ())),
        keys=frozenset(SourceKey.parse(key) for key in asked.get("keys", ())),
        full=options.full or bool(asked.get("full")),
        allow_upgrade=options.allow_upgrade or bool(asked.get("allow_upgrade")),
        allow_retire=options.allow_retire if options.allow_retire is not None else asked.get("allow_retire"),
    )


def _run(name: str, here: Ground, store: Store) -> Run:
    if name == LAST:
        run = next((one for one in store.memory.runs(limit=_RECENT) if _is_load(one, here)), None)
        if run is None:
            raise BadArgument(f"No load has run against {here.target} yet.", next_step="Run: snowload load")
        return run
    run = store.memory.run(name)
    if run is None or not _is_load(run, here):
        raise BadArgument(f"There is no load {name} against {here.target}.", next_step=_LIST)
    return run


def _is_load(run: Run, here: Ground) -> bool:
    return run.command == "load" and run.target == here.target


def _finished_by(run: Run, store: Store) -> Run | None:
    for later in store.memory.runs(since=run.started_at):
        if later.report.get(RESUMES, {}).get("run_id") == run.id and later.status not in _UNFINISHED:
            return later
    return None
