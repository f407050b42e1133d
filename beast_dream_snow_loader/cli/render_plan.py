"""A plan for people."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from beast_dream_snow_loader.app.result import Result
from beast_dream_snow_loader.cli.plan_format import PlanFormat
from beast_dream_snow_loader.cli.plan_lines import plan_lines
from beast_dream_snow_loader.cli.render_findings import show_findings
from beast_dream_snow_loader.cli.render_load import show_held
from beast_dream_snow_loader.cli.render_stale import stale
from beast_dream_snow_loader.cli.tables import columns, line, table


def renderer(form: PlanFormat, out: Path | None) -> Callable[[Result], None]:
    """How to print a plan in this form; ``out`` is where it was saved."""
    if form is PlanFormat.MARKDOWN:
        from beast_dream_snow_loader.cli.plan_markdown import render_markdown

        return render_markdown
    return lambda result: render(result, out)


def render(result: Result, out: Path | None = None) -> None:
    """The end of ``plan``."""
    body = result.body
    if not body:
        return
    for text in plan_lines(body.get("changes", []), columns()):
        sys.stdout.write(text + "\n")
    if body.get("changes"):
        line("")
    _classes(body)
    show_held(body)
    rates = [(r["field"], r["filled"], r["records"], f"{r['percent']} %") for r in body.get("fill_rates", [])]
    table(("field", "filled", "of", "rate"), rates, title="Fill rate per field")
    show_findings(body.get("findings", []))
    line(verdict(result))
    if out is not None and "apply" in body:
        line(f"saved: {out}; apply exactly this with: snowload load --plan {out}")


def verdict(result: Result) -> str:
    """The plan in one sentence."""
    body = result.body
    if "empty" not in body:
        return f"plan: {result.status}"
    read = f"; {stale(body)}" if stale(body) else ""
    if body["empty"]:
        return f"plan: nothing to do; {body['plan']['unchanged']} records are as they should be{read}"
    counts = ", ".join(f"{count} to {name}" for name, count in body["plan"].items() if count and name != "unchanged")
    return f"plan: {counts}; {body['plan']['unchanged']} unchanged{read}"


def _classes(body: Mapping[str, Any]) -> None:
    rows = [(c["kind"], c["class"] or "none", c["records"], why_not(c)) for c in body.get("classes", [])]
    table(("kind", "class", "records", "why not a better one"), rows, title="Class per kind")
    moves = [(c["name"], c["record"], c["old"], c["new"]) for c in body.get("class_changes", [])]
    table(("name", "record", "class now", "class then"), moves, title="Class changes")


def why_not(choice: Mapping[str, Any]) -> str:
    return "; ".join(f"{step['class']}: {step['reason']}" for step in choice["chain"] if not step["usable"])
