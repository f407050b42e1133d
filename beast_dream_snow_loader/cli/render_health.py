"""Health for people."""

from __future__ import annotations

from beast_dream_snow_loader.app.result import Result
from beast_dream_snow_loader.cli.tables import line, table


def render(result: Result) -> None:
    rows = [
        (c["name"], c["status"], f"{c['response_time_ms']:.0f} ms", c["message"]) for c in result.body.get("checks", [])
    ]
    table(("check", "status", "took", "finding"), rows)
    line(f"health: {result.status}")
