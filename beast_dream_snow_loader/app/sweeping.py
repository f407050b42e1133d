"""The end of a run: what need not be kept any longer is removed, and told. It never makes a failure of the run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from beast_dream_snow_loader.app.ground import Ground
from beast_dream_snow_loader.app.places import report_file
from beast_dream_snow_loader.core.run import Run
from beast_dream_snow_loader.errors import SnowloadError
from beast_dream_snow_loader.state.store import Store


def swept(here: Ground, store: Store, run: Run, stopping: Callable[[], bool]) -> dict[str, Any]:
    """The part ``state`` of the document. ``run`` holds the target and is closed already."""
    try:
        gone = store.sweep(here.target, run.id, here.settings.state.retention(), stopping)
        old = here.clock.now() - timedelta(days=here.settings.state.keep_audit_days)
        audit = store.audit.prune(old, run.id, here.target)
        for run_id in gone.runs:
            report_file(here.settings, run_id).unlink(missing_ok=True)
        return {
            "runs_removed": len(gone.runs),
            "entries_removed": gone.entries,
            "snapshots_removed": gone.snapshots,
            "audit_removed": audit,
            "history_compacted": gone.compacted,
            "more": gone.more,
            "size_bytes": store.size_bytes,
            "problem": "",
        }
    except (SnowloadError, OSError) as error:
        return {"problem": str(error)}
