"""Health for people: each check under the one it stands on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from beast_dream_snow_loader.app.result import Result
from beast_dream_snow_loader.cli.tables import line, table


def render(result: Result) -> None:
    checks = result.body.get("checks", [])
    depths = _depths(checks)
    rows = [
        (f"{'  ' * depths[c['name']]}{c['name']}", c["status"], f"{c['response_time_ms']:.0f} ms", _finding(c))
        for c in checks
    ]
    table(("check", "status", "took", "finding"), rows)
    causes = ", ".join(result.body.get("causes", []))
    line(f"health: {result.status}{f': {causes}' if causes else ''}")


def _depths(checks: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    depths: dict[str, int] = {}
    for check in checks:
        parents = check["parents"]
        depths[check["name"]] = depths.get(parents[0], 0) + 1 if parents else 0
    return depths


def _finding(check: Mapping[str, Any]) -> str:
    recovered = f" (put right: {check['recovered']})" if check["recovered"] else ""
    at = f" (as of {check['as_of']})" if check["as_of"] else ""
    return f"{check['message']}{recovered}{at}"
