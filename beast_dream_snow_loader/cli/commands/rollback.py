"""``snowload rollback``: undo what a run wrote."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from beast_dream_snow_loader.cli.options import (
    Config,
    DryRun,
    Env,
    Json,
    LogFile,
    LogFormat,
    Quiet,
    Textfile,
    UseSandbox,
    Verbose,
)

EXAMPLES = (
    "Examples: snowload rollback 20261124T031502Z-3f9a1c --env production --dry-run | "
    "snowload rollback 20261124T031502Z-3f9a1c --env production --created delete"
)


def rollback(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run to undo: see snowload runs list.")],
    env: Env = None,
    config: Config = None,
    dry_run: DryRun = False,
    created: Annotated[
        Literal["retire", "delete"] | None,
        typer.Option("--created", help="CIs that the run made: set to Retired, or deleted.", show_default=False),
    ] = None,
    sandbox: UseSandbox = False,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
    log_file: LogFile = None,
    log_format: LogFormat = None,
    textfile: Textfile = None,
) -> None:
    """Put back what a run changed, from what was there before it.

    What others changed since is reported and not touched. Interrupted, it goes on when run again.
    """
    from beast_dream_snow_loader.app.options import Place
    from beast_dream_snow_loader.app.rollback import rollback as use_case
    from beast_dream_snow_loader.cli.conclude import conclude
    from beast_dream_snow_loader.cli.progress import progress
    from beast_dream_snow_loader.cli.render_load import render_rollback

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
    with progress(quiet=quiet or as_json) as listener:
        result = use_case(place, run, dry_run=dry_run, created=created, listener=listener)
    conclude(result, as_json=as_json, quiet=quiet, render=render_rollback)
