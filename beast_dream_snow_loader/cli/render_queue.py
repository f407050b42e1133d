"""The queue for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from beast_dream_snow_loader.app.result import Result
from beast_dream_snow_loader.cli.tables import line, table

_DONE = {"retry": "queued again", "drop": "dropped"}
_COLUMNS = ("id", "state", "record", "change", "attempts", "queued", "code", "message")


def render(result: Result) -> None:
    """The end of every ``queue`` command."""
    body = result.body
    if "entry" in body:
        _entry(body["entry"])
    elif "file" in body:
        line(f"queue: {body['exported']} entries written to {body['file']}")
    elif "entries" in body:
        _entries(body)


def _entries(body: Mapping[str, Any]) -> None:
    table(_COLUMNS, [_row(entry) for entry in body["entries"]])
    if body["action"] in _DONE:
        done = "would be" if body["dry_run"] else "were"
        count = len(body["entries"]) if body["dry_run"] else body["changed"]
        line(f"queue: {count} {done} {_DONE[body['action']]}")
        return
    counts = body["counts"]
    line("queue: empty" if not any(counts.values()) else "queue: " + ", ".join(f"{n} {w}" for w, n in counts.items()))


def _row(entry: Mapping[str, Any]) -> tuple[object, ...]:
    names = ("id", "state", "key", "change", "attempts", "queued_at", "code", "message")
    return tuple(entry[name] for name in names)


def _entry(entry: Mapping[str, Any]) -> None:
    for name in ("id", "state", "key", "change", "attempts", "queued_at", "since", "run_id", "code", "message"):
        line(f"{name.replace('_', ' ') + ':':12}{'' if entry[name] is None else entry[name]}")
    fields = [(f["field"], f["old"], f["new"], f["reason"]) for f in entry["what"]["fields"]]
    table(("field", "old", "new", "why"), fields)
    line(entry["next_step"])
