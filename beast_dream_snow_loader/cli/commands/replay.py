"""``snowload replay-queue``: send what was queued while ServiceNow was away."""

from __future__ import annotations

from typing import Annotated

import typer

from beast_dream_snow_loader.cli.options import (
    Config,
    DryRun,
    Env,
    Json,
    LogFile,
    LogFormat,
    MaxRequests,
    Quiet,
    Textfile,
    UseSandbox,
    Verbose,
)

EXAMPLES = "Examples: snowload replay-queue --env production | snowload replay-queue --env production --dry-run"


def replay_queue(
    env: Env = None,
    config: Config = None,
    dry_run: DryRun = False,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="At most this many writes.")] = None,
    sandbox: UseSandbox = False,
    max_requests: MaxRequests = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
    log_file: LogFile = None,
    log_format: LogFormat = None,
    textfile: Textfile = None,
) -> None:
    """Send queued writes, each once, in the order they were queued."""
    from beast_dream_snow_loader.app.drain import replay_queue as use_case
    from beast_dream_snow_loader.app.options import Place
    from beast_dream_snow_loader.cli.conclude import conclude
    from beast_dream_snow_loader.cli.progress import progress
    from beast_dream_snow_loader.cli.render_load import render_replay

    with progress(quiet=quiet or as_json) as listener:
        place = Place(
            environment=env,
            config_file=config,
            sandbox=sandbox,
            verbosity=verbose,
            log_file=log_file,
            log_format=log_format,
            quiet=quiet,
            textfile=textfile,
        )
        result = use_case(place, dry_run=dry_run, limit=limit, listener=listener, max_requests=max_requests)
    conclude(result, as_json=as_json, quiet=quiet, render=render_replay)
