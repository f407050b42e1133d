"""Circuit breakers for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from beast_dream_snow_loader.app.result import Result
from beast_dream_snow_loader.cli.tables import line, table

_WORDS = {"closed": "closed", "open": "open", "half_open": "to be tried"}
_DONE = {"open": "opened", "reset": "reset"}


def render(result: Result) -> None:
    """The end of every ``breakers`` command."""
    body = result.body
    if "breakers" not in body:
        return
    table(("breaker", "state", "until", "since", "why"), [_row(one) for one in body["breakers"]])
    if body["action"] in _DONE:
        would = "would be " if body["dry_run"] else ""
        line(f"breakers: {', '.join(body['changed']) or 'none'} {would}{_DONE[body['action']]}")
    else:
        opened = sum(one["state"] == "open" for one in body["breakers"])
        line(f"breakers: {opened or 'none'} open")


def _row(one: Mapping[str, Any]) -> tuple[object, ...]:
    state = _WORDS[one["state"]] + (" by hand" if one["by_hand"] else "")
    until = "reset" if one["seconds"] is None else f"in {one['seconds']:.0f} s"
    return (one["name"], state, "" if one["state"] == "closed" else until, one["since"] or "", one["reason"])
