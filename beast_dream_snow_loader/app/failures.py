"""What a load did not write, record by record: for ``--errors FILE``, and for the run that tries only that again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from beast_dream_snow_loader.app.result import Result, described
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.core.remarks import END_MISSING
from beast_dream_snow_loader.core.run import RunStatus

_UNANSWERED = ("transport.", "unknown.")
NOT_UNDONE = "not_undone"
"""Of the document: the runs whose writes stay though the load was to undo itself, the newest first."""
FINISHED = (RunStatus.OK, RunStatus.PARTIAL)
"""How a rollback ends that has undone what it could."""


def failures(body: Mapping[str, Any], run_id: str) -> Iterator[dict[str, Any]]:
    """One object per record or relation that is not written, from the body of a ``load`` document."""
    for one in body.get("failed", ()):
        yield _told("failed", one["key"], one["change"], one["code"], one["message"], _again(one["code"], run_id))
    for one in body.get("held", ()):
        yield _told("held", one["key"], "create", one["rule"], one["reason"], one.get("next_step", ""))
    for one in body.get("parked", ()):
        yield _told("parked", one["key"], one["change"], one["code"], one["message"], one["next_step"])
    yield from _undone(body.get("rollback", {}), run_id)
    for one in body.get("findings", ()):
        if one["severity"] == "error":
            step = "Mend the record in UniFi, or the mapping; snowload validate shows whether it is enough."
            yield _told("invalid", one["record"], None, one["rule"], one["message"], step)
        elif one["rule"] == END_MISSING:
            step = "It is drawn by the next load that writes both its ends."
            yield _told("waiting", one["record"], "link", one["rule"], one["message"], step)


def undone_records(rollback: Mapping[str, Any]) -> dict[str, str]:
    """What was done to each record to undo the load, from the document of its rollback; what could not be is left
    out."""
    refused = {one["key"] for one in rollback.get("failed", ())}
    changes = {row["record"]: row["change"] for row in reversed(rollback.get("changes", ()))}
    return {record: change for record, change in sorted(changes.items()) if record not in refused}


def undone_how(rollback: Mapping[str, Any]) -> str:
    """Whether those records are as they were before."""
    if rollback.get("status") in FINISHED:
        return "undone"
    return f"to be undone (not finished, run: snowload rollback {rollback.get('undoes')})"


def _undone(rollback: Mapping[str, Any], run_id: str) -> Iterator[dict[str, Any]]:
    message = f"It was written and {undone_how(rollback)}, because something else of this load failed."
    step = f"Mend what failed, then run: snowload load (or: snowload load --retry-failed {run_id})"
    for record, change in undone_records(rollback).items():
        yield _told("undone", record, change, "rollback.undone", message, step)


def as_lines(result: Result) -> bytes:
    """NDJSON, pure ASCII; what stopped the run as a whole is a line without a key."""
    run_id = result.run_id
    lines = [{"run_id": run_id or None, **one} for one in failures(result.body, run_id)]
    for one in result.body.get(NOT_UNDONE, ()):
        stays = _told(NOT_UNDONE, None, None, "rollback.not_undone", one["message"], one["next_step"])
        lines.append({"run_id": one["run_id"], **stays})
    if result.error is not None:
        error = described(result.error)
        whole = _told("run", None, None, error["code"], error["message"], error["next_step"])
        lines.append({"run_id": run_id or None, **whole})
    return "".join(f"{json.dumps(line, ensure_ascii=True)}\n" for line in lines).encode("ascii")


def failed_keys(body: Mapping[str, Any], run_id: str) -> frozenset[SourceKey]:
    """The records to try again; of a relation its lower end."""
    return frozenset(_keys(one["key"] for one in failures(body, run_id)))


def _keys(subjects: Iterable[str]) -> Iterator[SourceKey]:
    for subject in subjects:
        ends, arrow, _ = subject.partition(" -> ")
        with suppress(ValueError):  # a finding about a site or the instance
            yield SourceKey.parse(ends.rpartition(" ")[2] if arrow else subject)


def _told(
    what: str, key: str | None, change: str | None, code: str, message: str, next_step: str
) -> dict[str, str | None]:
    return {"what": what, "key": key, "change": change, "code": code, "message": message, "next_step": next_step}


def _again(code: str, run_id: str) -> str:
    if code.startswith(_UNANSWERED):
        return "The next load, or snowload replay-queue, looks up whether it happened."
    return f"Mend what the message names, then run: snowload load --retry-failed {run_id}"
