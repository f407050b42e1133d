"""The parts of a report as tables: the same ones for a terminal, Markdown and CSV."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from beast_dream_snow_loader.core.advice import warned

TODO = "What to do next"
RUNS_SHOWN = 30
RECORDS_SHOWN = 20
_RUN_COLUMNS = (
    "run", "command", "started", "took", "status", "created", "updated", "linked", "rate", "failed", "held", "queued",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """``more`` rows are left out."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    more: int = 0


def sections(body: Mapping[str, Any]) -> Iterator[Section]:
    """Those of a report over many runs that have rows, what needs a person first."""
    for section in _sections(body):
        if section.rows:
            yield section


def _sections(body: Mapping[str, Any]) -> Iterator[Section]:
    yield Section(
        title=TODO,
        columns=("why", "next"),
        rows=[(one["why"], one["step"]) for one in body.get("next_steps", ())],
    )
    yield runs_section(body.get("runs", ()), omitted=body.get("runs_omitted", 0))
    yield _timing(body)
    yield from _failing(body)
    yield from _ahead(body)
    yield from _data(body.get("quality", {}))
    yield from _standing(body.get("inventory", {}))


def runs_section(runs: Sequence[Mapping[str, Any]], shown: int = RUNS_SHOWN, omitted: int = 0) -> Section:
    """The newest runs."""
    rows = [
        (run["run_id"], run["command"], run["started_at"], seconds(run["duration_seconds"]), run["status"],
         run["created"], run["updated"], run["linked"], rate(run["linking_rate"]), run["failed"], run["held"],
         run["queued"])
        for run in runs[:shown]
    ]  # fmt: skip
    return Section(title="Runs", columns=_RUN_COLUMNS, rows=rows, more=max(0, len(runs) - shown) + omitted)


def _timing(body: Mapping[str, Any]) -> Section:
    rows = [
        (s["name"], s["runs"], seconds(s["average_seconds"]), seconds(s["longest_seconds"]))
        for s in body.get("steps", ())
    ]
    return Section(title="Timing", columns=("step", "runs", "average", "longest"), rows=rows)


def _failing(body: Mapping[str, Any]) -> Iterator[Section]:
    modes = [(f["code"], f["category"], f["count"], f["runs"], f["last_seen"]) for f in body.get("failures", ())]
    columns: tuple[str, ...] = ("failure", "category", "count", "runs", "last seen")
    yield Section(title="Top failure modes", columns=columns, rows=modes)
    rows = [(p["code"], p["pattern"].replace("_", " "), p["runs"], p["text"]) for p in body.get("patterns", ())]
    yield Section(title="Patterns of failure", columns=("failure", "pattern", "runs", "what"), rows=rows)
    incidents = [
        (i["service"], i["code"], i["count"], len(i["runs"]), i["records"], i["relations"], i["last_seen"],
         "recovered" if i["recovered"] else "open at last sight")
        for i in body.get("incidents", ())
    ]  # fmt: skip
    columns = ("service", "incident", "count", "runs", "records", "relations", "last seen", "state")
    yield Section(title="Incidents by cause", columns=columns, rows=incidents)


def _ahead(body: Mapping[str, Any]) -> Iterator[Section]:
    slower = [
        (a["what"], seconds(a["recent_seconds"]), seconds(a["usual_seconds"]), a["cause"], a["suggestion"])
        for a in body.get("alerts", ())
    ]
    columns: tuple[str, ...] = ("slower than it was", "now", "usually", "cause", "suggestion")
    yield Section(title="Degraded performance", columns=columns, rows=slower)
    necks = [
        (b["step"], seconds(b["average_seconds"]), f"{b['share_percent']:.0f} %", b["cause"], b["because"],
         b["suggestion"])
        for b in body.get("bottlenecks", ())
    ]  # fmt: skip
    columns = ("step", "average", "share", "cause", "because", "suggestion")
    yield Section(title="Bottlenecks", columns=columns, rows=necks)
    warnings = [(warned(f), f["next_step"]) for f in body.get("forecasts", ()) if f["warning"]]
    yield Section(title="Early warnings", columns=("warning", "next"), rows=warnings)


_RECORDS = {
    "failed": ("Failed in the newest load", ("record", "change", "code", "message")),
    "held": ("Held until somebody decides", ("record", "rule", "message", "next_step")),
    "parked": ("Parked", ("record", "change", "code", "message")),
    "issues": ("Data quality", ("record", "field", "rule", "severity", "message")),
    "orphans": ("Orphans: relations without an end", ("record", "field", "rule", "message")),
    "duplicates": ("Duplicates", ("record", "rule", "message")),
    "hand_edits": ("Changed by hand", ("record", "field", "rule", "message")),
}


def _data(quality: Mapping[str, Any]) -> Iterator[Section]:
    for name, (title, columns) in _RECORDS.items():
        told = quality.get(name, ())
        rows = [tuple(one.get(column, "") for column in columns) for one in told[:RECORDS_SHOWN]]
        count = quality.get("counts", {}).get(name, 0)
        headed = tuple(column.replace("_", " ") for column in columns)
        yield Section(title=title, columns=headed, rows=rows, more=max(0, count - len(rows)))


def _standing(inventory: Mapping[str, Any]) -> Iterator[Section]:
    for title, name in (("CIs by class", "classes"), ("CIs by site", "sites")):
        rows = list(inventory.get(name, {}).items())
        more = max(0, len(rows) - RECORDS_SHOWN)
        yield Section(title=title, columns=(name[:-2] if name == "classes" else "site", "CIs"),
                      rows=rows[:RECORDS_SHOWN], more=more)  # fmt: skip


def facts(body: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """The numbers of the summary, those of reliability and of what waits, by name."""
    for name in ("summary", "reliability", "queue"):
        for key, value in body.get(name, {}).items():
            told = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, Mapping) else value
            yield key.replace("_", " "), "none" if told is None else told


def seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} s"


def rate(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"
