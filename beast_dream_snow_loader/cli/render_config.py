"""Settings for people."""

from __future__ import annotations

from beast_dream_snow_loader.app.result import Result
from beast_dream_snow_loader.cli.tables import line, table


def render(result: Result) -> None:
    """The end of ``config show``."""
    rows = [(s["key"], s["value"], s["source"]) for s in result.body.get("settings", [])]
    table(("setting", "value", "from"), rows)
    parts = [
        (f["name"], "on" if f["on"] else "off", f["setting"], f["value"], f["source"], f["does"])
        for f in result.body.get("features", [])
    ]
    table(("part", "is", "setting", "value", "from", "on, it means that"), parts, title="Optional parts")


def render_check(result: Result) -> None:
    """The end of ``config check``: the problems themselves go to stderr with the error."""
    for warning in result.body.get("warnings", ()):
        line(f"warning: {warning}")
    if result.exit_code == 0:
        line("config check: no problems found")
