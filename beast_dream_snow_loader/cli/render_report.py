"""Runs and their reports for people, in every form."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from beast_dream_snow_loader.app.result import Result, document
from beast_dream_snow_loader.cli.markdown import escaped
from beast_dream_snow_loader.cli.markdown import table as markdown_table
from beast_dream_snow_loader.cli.render_load import render as render_load
from beast_dream_snow_loader.cli.report_format import ReportFormat
from beast_dream_snow_loader.cli.report_sections import TODO, Section, facts, runs_section, sections
from beast_dream_snow_loader.cli.tables import line, table
from beast_dream_snow_loader.core.quality import quality
from beast_dream_snow_loader.core.shown import shown
from beast_dream_snow_loader.operations.reporting.page import page

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NAMES = ("run_id", "command", "started_at", "finished_at", "duration_seconds", "status", "exit_code", "created",
          "updated", "linked", "linking_rate", "failed", "held", "queued", "stale_source")  # fmt: skip


def renderer(form: ReportFormat) -> Callable[[Result], None]:
    """How ``report`` ends on stdout. What went to a file is not printed as well, unless it is a table."""

    def render(result: Result) -> None:
        if form is ReportFormat.TABLE:
            _tables(result)
        elif result.body and "report_file" not in result.body:
            print(written(form)(result).decode("utf-8"), end="")  # noqa: T201
        if result.body.get("report_file"):
            line(f"report: {result.body['report_file']}")

    return render


def written(form: ReportFormat) -> Callable[[Result], bytes]:
    """The report as it stands in a file; a table is kept as JSON."""
    return _WRITTEN.get(form, _json)


def _json(result: Result) -> bytes:
    return orjson.dumps(document(result), option=orjson.OPT_INDENT_2, default=str)


def _tables(result: Result) -> None:
    if "run" in result.body:
        render_run(result)
        return
    if numbers := list(facts(result.body)):
        line(", ".join(f"{name}: {value}" for name, value in numbers))
    for section in sections(result.body):
        _show(section)


def _show(section: Section) -> None:
    table(section.columns, section.rows, title=section.title)
    if section.more:
        line(f"  and {section.more} more: --format json has all")


def _markdown(result: Result) -> bytes:
    return ("\n".join(_markdown_lines(result)) + "\n").encode("utf-8")


def _markdown_lines(result: Result) -> Iterator[str]:
    body = _as_many(result.body)
    yield f"# snowload report, {escaped(result.environment)}, {result.generated_at}"
    yield ""
    yield from markdown_table(("", ""), facts(body))
    for section in sections(body):
        yield from ("", f"## {section.title}", "")
        yield from markdown_table(section.columns, section.rows)
        if section.more:
            yield from ("", f"and {section.more} more")


def _as_many(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """One run's report in the shape of that over many: what it failed with, and what its data lacks."""
    if "run" not in body:
        return body
    run = body["run"]
    incidents = [{"runs": [run["run_id"]], **one} for one in body.get("incidents", ())]
    return {"runs": [run], "incidents": incidents, "quality": quality(run["run_id"], run["report"])}


def _csv(result: Result) -> bytes:
    """One row per run; a cell that a spreadsheet would reckon with begins with an apostrophe."""
    body = result.body
    runs = [body["run"]] if "run" in body else body.get("runs", [])
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(_NAMES)
    out.writerows([_cell(run[name]) for name in _NAMES] for run in runs)
    return text.getvalue().encode("utf-8")


def _cell(value: object) -> object:
    told = shown(value, 1000) if isinstance(value, str) else value
    return f"'{told}" if isinstance(told, str) and told.startswith(_FORMULA) else told


def _html(result: Result) -> bytes:
    every = list(sections(_as_many(result.body)))
    todo = next((one for one in every if one.title == TODO), None)
    below = [one for one in every if one is not todo]
    return page(document(result), todo, below)


_WRITTEN: Mapping[ReportFormat, Callable[[Result], bytes]] = {
    ReportFormat.MARKDOWN: _markdown,
    ReportFormat.CSV: _csv,
    ReportFormat.HTML: _html,
}


def render_runs(result: Result) -> None:
    """The end of ``runs list``."""
    if "runs" not in result.body:
        return  # they could not be read: that is not to say that there are none
    runs: Sequence[Mapping[str, Any]] = result.body["runs"]
    section = runs_section(runs, len(runs))
    table(section.columns, section.rows)
    if not runs:
        line("no runs yet")


def render_run(result: Result) -> None:
    """The end of ``runs show``: the run's own report as it was given then."""
    run = result.body.get("run")
    if not run:
        return
    line(f"run {run['run_id']}: {run['command']}, {run['status']}, started {run['started_at']}")
    report = run.get("report") or {}
    then = Result(command=run["command"], status=run["status"], exit_code=run["exit_code"] or 0, body=report)
    render_load(then)
