"""The use case behind ``report``: one run whole, or what many of them come to (R8)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from beast_dream_snow_loader.app import degraded
from beast_dream_snow_loader.app.failing import failed
from beast_dream_snow_loader.app.ground import Ground
from beast_dream_snow_loader.app.history import as_they_stand, found_run, instant, told, whole
from beast_dream_snow_loader.app.options import Place
from beast_dream_snow_loader.app.postmortem import postmortem_of
from beast_dream_snow_loader.app.private_files import refuse_unwritable, write_file
from beast_dream_snow_loader.app.result import Result
from beast_dream_snow_loader.clock import rfc3339
from beast_dream_snow_loader.core.digest import Digest
from beast_dream_snow_loader.core.overview import Past, overview
from beast_dream_snow_loader.core.run import Run
from beast_dream_snow_loader.errors import BadArgument, SnowloadError
from beast_dream_snow_loader.operations.classification import classify_code
from beast_dream_snow_loader.redaction import masked_values
from beast_dream_snow_loader.state.schema import EntryState
from beast_dream_snow_loader.state.store import Store

Form = Callable[[Result], bytes]
"""How a report is written to a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Runs of ``[since, until)``, or the one with ``run_id``; ``postmortem``: all that is known of that one."""

    since: str
    until: str | None = None
    run_id: str | None = None
    postmortem: bool = False
    listed: int | None = None
    """So many runs of the newest are listed; None: all. The numbers are of all in any case."""


def report(place: Place, asked: Asked, *, output: Path | None, form: Form) -> Result:
    """Written to ``output`` too, if it is named."""
    try:
        refuse_unwritable(output)
        result = _asked(place, asked)
        if output is not None and result.error is None:
            write_file(output, form(replace(result, body=masked_values(result.body))))
            result = replace(result, body={**result.body, "report_file": str(output)})
    except SnowloadError as error:
        return failed("report", error)
    return result


def _asked(place: Place, asked: Asked) -> Result:
    run_id = asked.run_id
    if run_id is None and asked.postmortem:
        raise BadArgument("A post-mortem is of one run.", next_step="Name it with --run ID; see: snowload runs list")
    if run_id is None:
        return told("report", place, _many(asked))
    if asked.postmortem:
        return told("postmortem", place, lambda here, store: postmortem_of(here, store, run_id))
    return told("report", place, lambda here, store: _one(here, store, run_id))


def _one(here: Ground, store: Store, run_id: str) -> Mapping[str, Any]:
    run = found_run(store, run_id)
    parts: dict[str, Any] = {name: list(run.report.get(name, ())) for name in ("errors", "incidents")}
    parts["errors_omitted"] = run.report.get("errors_omitted", 0)
    return {"run": whole(run), **parts, degraded.NAME: degraded.on_record(here, store)}


def _many(asked: Asked) -> Callable[[Ground, Store], Mapping[str, Any]]:
    def made(here: Ground, store: Store) -> Mapping[str, Any]:
        now = here.clock.now()
        first, last = instant(asked.since, now), instant(asked.until, now) if asked.until else None
        if last is not None and last <= first:
            raise BadArgument(
                f"--since {asked.since} is no earlier than --until {asked.until}: no run can be between them.",
                next_step=f"Write the earlier one first: snowload report --since {asked.until} --until {asked.since}",
            )
        span = {"since": rfc3339(first), "until": rfc3339(last) if last is not None else None}
        body = overview(_past(here, store, first, last), asked.listed)
        failures = [{**one, "category": classify_code(one["code"]).category.value} for one in body["failures"]]
        return {**span, **body, "failures": failures, degraded.NAME: degraded.on_record(here, store)}

    return made


def _past(here: Ground, store: Store, since: datetime, until: datetime | None) -> Past:
    digests, buckets = store.memory.history(since, until)
    digests = as_they_stand(store, digests)
    return Past(
        digests=digests,
        buckets=buckets,
        load=_looked(store, digests),
        queue=_waiting(store),
        queue_limit=here.settings.queue.max_entries,
        inventory=store.standing().document(),
    )


def _looked(store: Store, digests: Sequence[Digest]) -> Run | None:
    """The newest load that read the source and is still kept whole: what is wrong with the data is known from it."""
    looked = (one.run_id for one in digests if one.command == "load" and "transform" in one.steps)
    newest = next(looked, None)
    return store.memory.run(newest) if newest is not None else None


def _waiting(store: Store) -> dict[str, int]:
    pending = store.journal.pending()
    return {
        "waiting": pending["later"],
        "unsettled": pending["open"] + pending["unknown"],
        "parked": store.journal.queue.counts().get(EntryState.DEAD, 0),
    }
