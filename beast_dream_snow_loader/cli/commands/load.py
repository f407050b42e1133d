"""``snowload load``: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from beast_dream_snow_loader.cli.options import (
    Config,
    DryRun,
    Env,
    Json,
    LockTimeout,
    LogFile,
    Quiet,
    UseSandbox,
    Verbose,
)

EXAMPLES = "Examples: snowload load --env production | snowload load --sandbox --dry-run"

Several = list[str]


def load(
    env: Env = None,
    config: Config = None,
    dry_run: DryRun = False,
    full: Annotated[bool, typer.Option("--full", help="Send everything again; ignore what was sent before.")] = False,
    allow_upgrade: Annotated[
        bool, typer.Option("--allow-upgrade", help="Move CIs to a more specific class the instance has got since.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="A stale source makes the run partial (exit 3).")] = False,
    site: Annotated[Several | None, typer.Option("--site", help="Only this site (repeatable).")] = None,
    console: Annotated[Several | None, typer.Option("--console", help="Only this console (repeatable).")] = None,
    kind: Annotated[Several | None, typer.Option("--kind", help="Only this kind, e.g. switch (repeatable).")] = None,
    workers: Annotated[int | None, typer.Option("--workers", min=1, max=4, help="Requests at once.")] = None,
    lock_timeout: LockTimeout = "0s",
    sandbox: UseSandbox = False,
    report: Annotated[Path | None, typer.Option("--report", help="Write the JSON report to this file too.")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
    log_file: LogFile = None,
) -> None:
    """Read UniFi, compare, write the difference to the CMDB, link, verify, report.

    Running it again with nothing changed writes nothing.
    """
    from beast_dream_snow_loader.app.options import LoadOptions, Place
    from beast_dream_snow_loader.app.sync import load as use_case
    from beast_dream_snow_loader.cli.conclude import conclude
    from beast_dream_snow_loader.cli.progress import progress
    from beast_dream_snow_loader.cli.render_load import render

    options = LoadOptions(
        place=Place(environment=env, config_file=config, sandbox=sandbox, verbosity=verbose, log_file=log_file),
        dry_run=dry_run,
        full=full,
        allow_upgrade=allow_upgrade,
        strict=strict,
        sites=tuple(site or ()),
        consoles=tuple(console or ()),
        kinds=tuple(kind or ()),
        workers=workers,
        report_file=report,
        lock_timeout=lock_timeout,
    )
    with progress(quiet=quiet or as_json) as listener:
        result = use_case(options, listener)
    conclude(result, as_json=as_json, quiet=quiet, render=render)
