"""The doctor's report for people: every line, what to do about it, and what was believed and is not so."""

from __future__ import annotations

from beast_dream_snow_loader.app.result import Result
from beast_dream_snow_loader.cli.tables import line, table


def render(result: Result) -> None:
    """A table of all lines, then the fixes, then the open points."""
    checks = result.body.get("checks", [])
    table(("check", "subject", "status", "found"), [(c["name"], c["subject"], c["status"], c["found"]) for c in checks])
    for check in checks:
        if check["fix"] and check["status"] != "skipped":
            line(f"{check['status']} {_called(check)}: {check['fix']}")
    looked_at = [p for p in result.body.get("open_points", []) if p["verdict"] != "not_looked_at"]
    rows = [(p["number"], p["question"], p["assumption"], p["verdict"], p["says"]) for p in looked_at]
    table(("point", "question", "we assume", "verdict", "this instance"), rows, title="Open points")
    bundle = result.body.get("bundle")
    if bundle:
        listed = [(one["name"], one["bytes"]) for one in bundle["contents"]]
        table(("in the archive", "bytes"), listed, title=f"Archive {bundle['file']}")
        for name in bundle["left_out"]:
            line(f"left out of the archive, because it held a secret: {name}")
    counts = ", ".join(f"{count} {status}" for status, count in result.body.get("counts", {}).items() if count)
    line(f"doctor: {result.status}{f' ({counts})' if counts else ''}")


def _called(check: dict[str, str]) -> str:
    return f"{check['name']} {check['subject']}".strip()
