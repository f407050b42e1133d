"""``snowload report``: runs, counts, timing, failures, what is coming and what to do."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from beast_dream_snow_loader.cli.options import Config, Env, Json, UseSandbox
from beast_dream_snow_loader.cli.report_format import WHOLE, ReportFormat

EXAMPLES = (
    "Examples: snowload report --env production --since 30d --format html --output month.html | "
    "snowload report --env production --run ID --json"
)


def report(
    env: Env = None,
    config: Config = None,
    since: Annotated[str, typer.Option("--since", help="A duration back (7d, 12h) or an instant.")] = "7d",
    until: Annotated[str | None, typer.Option("--until", help="A duration back or an instant.")] = None,
    run: Annotated[str | None, typer.Option("--run", help="One run, by its id.")] = None,
    form: Annotated[ReportFormat, typer.Option("--format", help="How to print it.")] = ReportFormat.TABLE,
    postmortem: Annotated[
        bool, typer.Option("--postmortem", help="Everything known of that run, in one JSON document.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", help="Write it to this file (a table as JSON).", show_default=False)
    ] = None,
    sandbox: UseSandbox = False,
    as_json: Json = False,
) -> None:
    """Show what the runs did: how many records, how long, what failed most, what is coming and what to do next."""
    with _uncollected():
        from beast_dream_snow_loader.app.options import Place
        from beast_dream_snow_loader.app.reporting import Asked
        from beast_dream_snow_loader.app.reporting import report as use_case
        from beast_dream_snow_loader.cli.conclude import conclude
        from beast_dream_snow_loader.cli.render_report import renderer, written
        from beast_dream_snow_loader.cli.report_sections import RUNS_SHOWN

        place = Place(environment=env, config_file=config, sandbox=sandbox)
        form = ReportFormat.JSON if postmortem else form
        kept_as_json = output is not None and form is ReportFormat.TABLE
        listed = None if as_json or kept_as_json or form in WHOLE else RUNS_SHOWN
        asked = Asked(since=since, until=until, run_id=run, postmortem=postmortem, listed=listed)
        result = use_case(place, asked, output=output, form=written(form))
        printed = form is ReportFormat.JSON and (output is None or result.error is not None)
        conclude(result, as_json=as_json or printed, render=renderer(form), bare=form is not ReportFormat.TABLE)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Nearly all that a report over many runs makes is kept to its end: the collector would look through it in vain,
    for a third of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
