"""``snowload doctor``: is everything set up right."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from beast_dream_snow_loader.cli.options import (
    Config,
    DryRun,
    Env,
    Json,
    LogFile,
    LogFormat,
    Quiet,
    UseSandbox,
    Verbose,
)

EXAMPLES = "Examples: snowload doctor --env production | snowload doctor --sandbox --check servicenow"


def doctor(
    env: Env = None,
    config: Config = None,
    check: Annotated[
        list[str] | None, typer.Option("--check", help="Only this check or group, and what it needs (repeatable).")
    ] = None,
    deep: Annotated[bool, typer.Option("--deep", help="Read all of UniFi once; look up every model and site.")] = False,
    timeout: Annotated[str, typer.Option("--timeout", help="How long all checks together may take.")] = "2m",
    bundle: Annotated[
        Path | None, typer.Option("--bundle", help="Write a redacted support archive (zip) to this file.")
    ] = None,
    register_source: Annotated[
        bool, typer.Option("--register-source", help="Add the discovery source to sys_choice if it is not there.")
    ] = False,
    dry_run: DryRun = False,
    sandbox: UseSandbox = False,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
    log_file: LogFile = None,
    log_format: LogFormat = None,
) -> None:
    """Check that everything is set up right; every line that is not fine says what to do.

    Reads only: the one simulated device commits nothing, and only --register-source writes. Exit 0 with warnings;
    6, 7, 5 or 12 when configuration, login, network or database fail; 3 when another check failed.
    """
    from beast_dream_snow_loader.app.doctor.use_case import DoctorOptions
    from beast_dream_snow_loader.app.doctor.use_case import doctor as use_case
    from beast_dream_snow_loader.app.options import Place
    from beast_dream_snow_loader.cli.conclude import conclude
    from beast_dream_snow_loader.cli.render_doctor import render

    options = DoctorOptions(
        place=Place(
            environment=env,
            config_file=config,
            sandbox=sandbox,
            verbosity=verbose,
            log_file=log_file,
            log_format=log_format,
            quiet=quiet,
        ),
        only=tuple(check or ()),
        deep=deep,
        timeout=timeout,
        bundle=bundle,
        register_source=register_source,
        dry_run=dry_run,
    )
    conclude(use_case(options), as_json=as_json, quiet=quiet, render=render)
