"""What stays written of a load that was to undo itself (``--on-failure rollback``) and did not, or not all of it.

A signal leaves no time for it: whoever sent it may soon kill. It is told, and the command that does it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from beast_dream_snow_loader.app.earlier_runs import RESUMES
from beast_dream_snow_loader.app.failures import FINISHED
from beast_dream_snow_loader.app.result import Result
from beast_dream_snow_loader.core.run import UNDOES, Run
from beast_dream_snow_loader.state.store import Store


def not_undone(result: Result, run: Run, resumed: Run | None, store: Store, *, stopped: bool) -> list[dict[str, Any]]:
    """Of the load ``run``, and of those that it was to finish. ``stopped``: by a signal, before
    it undid anything."""
    written, undo = sum(result.body.get("written", {}).values()), result.body.get("rollback")
    if undo is None and not stopped:
        return []
    own = list(_own(run, written, undo))
    return [*own, *(row for one in _finished_by_it(resumed, store) for row in _earlier(one, store))]


def _own(run: Run, written: int, undo: Mapping[str, Any] | None) -> Iterator[dict[str, Any]]:
    if undo is None and written:
        told = f"What run {run.id} wrote stays: a signal ended it, and --on-failure rollback undid nothing of it."
        yield _row(run, written, told)
    elif undo is not None and undo["status"] not in FINISHED:
        yield _row(run, written, f"What run {run.id} wrote may stay in part: --on-failure rollback was not finished.")


def _earlier(run: Run, store: Store) -> Iterator[dict[str, Any]]:
    written = len(store.journal.done(run.id))
    if written and not _undone(run, store):
        told = f"What run {run.id} wrote stays: --on-failure rollback is about what the run that finishes it wrote."
        yield _row(run, written, told)


def _row(run: Run, written: int, message: str) -> dict[str, Any]:
    step = f"Undo it with: snowload rollback {run.id}"
    return {"run_id": run.id, "written": written, "message": message, "next_step": step}


def _finished_by_it(run: Run | None, store: Store) -> Iterator[Run]:
    """The run that was resumed, and that which it had resumed itself."""
    while run is not None:
        yield run
        before = run.report.get(RESUMES, {}).get("run_id")
        run = store.memory.run(before) if before else None


def _undone(run: Run, store: Store) -> bool:
    later = store.memory.runs(since=run.started_at)
    return any(one.report.get(UNDOES) == run.id and one.status in FINISHED for one in later)
