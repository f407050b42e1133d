"""Findings for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from beast_dream_snow_loader.app.result import Result
from beast_dream_snow_loader.cli.render_stale import stale
from beast_dream_snow_loader.cli.tables import line, table

MOST = 20


def render(result: Result) -> None:
    """The end of ``validate``: every finding, then the verdict."""
    findings = result.body.get("findings", [])
    show_findings(findings, most=len(findings))
    source = result.body.get("source")
    if source:
        line("read: " + ", ".join(f"{count} {name}" for name, count in source.items()))
    if stale(result.body):
        line(stale(result.body))
    line("validate: " + ("nothing that load would refuse" if result.exit_code == 0 else result.status))


def show_findings(findings: Sequence[Mapping[str, Any]], most: int = MOST) -> None:
    """Errors, then warnings; notes are counted only: the JSON report holds them all."""
    order = {"error": 0, "warning": 1}
    ranked = sorted((f for f in findings if f["severity"] in order), key=lambda f: order[f["severity"]])
    rows = [(f["severity"], f["record"], f["field"] or "", f["rule"], f["message"]) for f in ranked[:most]]
    table(("severity", "record", "field", "rule", "finding"), rows, title="Findings")
    more, notes = max(0, len(ranked) - most), len(findings) - len(ranked)
    if more or notes:
        line(f"in the JSON report: {more} more findings, {notes} notes")
