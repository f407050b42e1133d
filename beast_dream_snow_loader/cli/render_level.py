"""The level of degradation for people: one line, and none when all is there (X3)."""

from __future__ import annotations

from beast_dream_snow_loader.app.result import Result
from beast_dream_snow_loader.cli.tables import line


def show_level(result: Result) -> None:
    """What speaks most against a better level, what to do about it, and how much more there is."""
    told = result.body.get("degradation")
    if not told or told["level"] == "full":
        return
    first, *others = told["reasons"]
    more = f" (and {len(others)} more: see --json)" if others else ""
    when = f", as of {told['as_of']}" if told.get("as_of") else ""
    message = first["message"] if first["message"].endswith((".", "?", "!")) else f"{first['message']}."
    line(f"degradation: {told['level']}{when}: {message} {first['next_step']}{more}")
