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
    table(("cool-down", "ends", "until", "why"), [_cooling(one) for one in body["cool_downs"]])
    if body["action"] in _DONE:
        would = "would be " if body["dry_run"] else ""
        line(f"breakers: {', '.join(body['changed']) or 'none'} {would}{_DONE[body['action']]}")
        if body["ended"]:
            line(f"cool-downs: {', '.join(body['ended'])} {would}ended")
    else:
        opened = sum(one["state"] == "open" for one in body["breakers"])
        left = len(body["cool_downs"])
        line(f"breakers: {opened or 'none'} open" + (f"; cool-downs: {left} in force" if left else ""))


def _cooling(one: Mapping[str, Any]) -> tuple[object, ...]:
    return (one["service"], f"in {one['seconds']:.0f} s", one["until"], one["reason"])


def _row(one: Mapping[str, Any]) -> tuple[object, ...]:
    state = _WORDS[one["state"]] + (" by hand" if one["by_hand"] else "")
    until = "reset" if one["seconds"] is None else f"in {one['seconds']:.0f} s"
    return (one["name"], state, "" if one["state"] == "closed" else until, one["since"] or "", one["reason"])
