"""A plan as Markdown, for a merge request or a change ticket."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from beast_dream_snow_loader.app.result import Result
from beast_dream_snow_loader.cli.markdown import escaped, table
from beast_dream_snow_loader.cli.render_load import candidates
from beast_dream_snow_loader.cli.render_plan import verdict, why_not


def render_markdown(result: Result) -> None:
    """The end of ``plan --format markdown``."""
    if result.body:
        for text in _document(result):
            sys.stdout.write(text + "\n")


def _document(result: Result) -> Iterator[str]:
    body = result.body
    yield "# snowload plan"
    yield ""
    yield escaped(verdict(result))
    yield ""
    yield f"Environment {escaped(result.environment)}, target {escaped(body.get('target'))}, made {result.generated_at}"
    yield from _part("Changes", ("change", "record", "name", "class", "field", "old", "new", "why"), _changes(body))
    classes = ((c["kind"], c["class"] or "none", c["records"], why_not(c)) for c in body.get("classes", ()))
    yield from _part("Class per kind", ("kind", "class", "records", "why not a better one"), classes)
    moves = ((c["name"], c["record"], c["old"], c["new"]) for c in body.get("class_changes", ()))
    yield from _part("Class changes", ("name", "record", "class now", "class then"), moves)
    held = ((h["key"], h["reason"], candidates(h)) for h in body.get("held", ()))
    yield from _part("Held until somebody decides", ("record", "why", "candidates"), held)
    rates = ((r["field"], r["filled"], r["records"], f"{r['percent']} %") for r in body.get("fill_rates", ()))
    yield from _part("Fill rate per field", ("field", "filled", "of", "rate"), rates)
    findings = ((f["severity"], f["record"], f["field"], f["rule"], f["message"]) for f in _told(body))
    yield from _part("Findings", ("severity", "record", "field", "rule", "finding"), findings)


def _changes(body: Mapping[str, Any]) -> Iterator[tuple[object, ...]]:
    for change in body.get("changes", ()):
        shared = (change["change"], change["record"], change.get("name", ""), change["class"])
        if not change["fields"]:
            yield (*shared, "", "", "", change["reason"])
        for field in change["fields"]:
            yield (*shared, field["field"], field["old"], field["new"], field["reason"])


def _told(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return (finding for finding in body.get("findings", ()) if finding["severity"] != "info")


def _part(title: str, columns: tuple[str, ...], rows: Iterator[tuple[object, ...]]) -> Iterator[str]:
    lines = table(columns, rows)
    first = next(lines, None)
    if first is not None:
        yield from ("", f"## {title}", "", first)
        yield from lines
