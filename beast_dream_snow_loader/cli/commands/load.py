"""``snowload load``: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from beast_dream_snow_loader.cli.options import (
    AllowRetire,
    AllowUpgrade,
    Config,
    Consoles,
    DryRun,
    Env,
    Full,
    Json,
    Kinds,
    LockTimeout,
    LogFile,
    LogFormat,
    MaxRequests,
    Quiet,
    Sites,
    Strict,
    Textfile,
    UseSandbox,
    Verbose,
)

EXAMPLES = "Examples: snowload load --env production | snowload load --sandbox --dry-run"


def load(
    env: Env = None,
    config: Config = None,
    dry_run: DryRun = False,
    plan: Annotated[
        Path | None, typer.Option("--plan", help="Apply exactly this saved plan; refuse what no longer fits.")
    ] = None,
    full: Full = False,
    allow_upgrade: AllowUpgrade = False,
    strict: Strict = False,
    site: Sites = None,
    console: Consoles = None,
    kind: Kinds = None,
    workers: Annotated[int | None, typer.Option("--workers", min=1, max=4, help="Requests at once.")] = None,
    on_failure: Annotated[
        Literal["keep", "rollback"],
        typer.Option("--on-failure", help="When a write was refused: keep the rest or undo it."),
    ] = "keep",
    lock_timeout: LockTimeout = "0s",
    max_requests: MaxRequests = None,
    adopt_instance: Annotated[
        bool,
        typer.Option("--adopt-instance", help="The CMDB has a new address: what is remembered of the old one holds."),
    ] = False,
    allow_retire: AllowRetire = None,
    sandbox: UseSandbox = False,
    report: Annotated[Path | None, typer.Option("--report", help="Write the JSON report to this file too.")] = None,
    errors: Annotated[
        Path | None, typer.Option("--errors", help="Write what was not written to this file: a JSON object per record.")
    ] = None,
    retry_failed: Annotated[
        str | None,
        typer.Option("--retry-failed", metavar="[RUN]", help="Only the records that the last load, or RUN, left out."),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option("--resume", metavar="[RUN]", help="Finish the last load, or RUN, after it was killed or stopped."),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
    log_file: LogFile = None,
    log_format: LogFormat = None,
    textfile: Textfile = None,
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
        place=Place(
            environment=env,
            config_file=config,
            sandbox=sandbox,
            verbosity=verbose,
            log_file=log_file,
            log_format=log_format,
            quiet=quiet,
            textfile=textfile,
        ),
        dry_run=dry_run,
        plan_file=plan,
        full=full,
        allow_upgrade=allow_upgrade,
        strict=strict,
        sites=tuple(site or ()),
        consoles=tuple(console or ()),
        kinds=tuple(kind or ()),
        workers=workers,
        allow_retire=allow_retire,
        report_file=report,
        errors_file=errors,
        retry_failed=retry_failed,
        resume=resume,
        on_failure=on_failure,
        lock_timeout=lock_timeout,
        max_requests=max_requests,
        adopt_instance=adopt_instance,
    )
    with progress(quiet=quiet or as_json) as listener:
        result = use_case(options, listener)
    conclude(result, as_json=as_json, quiet=quiet, render=render)
