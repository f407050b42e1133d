"""``snowload plan``: what a load would do, before it does."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from beast_dream_snow_loader.cli.options import (
    AllowRetire,
    AllowUpgrade,
    Config,
    Consoles,
    Env,
    Full,
    Json,
    Kinds,
    LogFile,
    LogFormat,
    Quiet,
    Sites,
    Strict,
    UseSandbox,
    Verbose,
)
from beast_dream_snow_loader.cli.plan_format import PlanFormat

EXAMPLES = "Examples: snowload plan --sandbox | snowload plan --env production --out tonight.plan --detailed-exitcode"


def plan(
    env: Env = None,
    config: Config = None,
    full: Full = False,
    allow_upgrade: AllowUpgrade = False,
    allow_retire: AllowRetire = None,
    strict: Strict = False,
    site: Sites = None,
    console: Consoles = None,
    kind: Kinds = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Save the plan here, to be applied with: snowload load --plan.")
    ] = None,
    form: Annotated[PlanFormat, typer.Option("--format", help="How to print it.")] = PlanFormat.TABLE,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit 10 when there is something to do.")
    ] = False,
    sandbox: UseSandbox = False,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
    log_file: LogFile = None,
    log_format: LogFormat = None,
) -> None:
    """Read both ends and show what a load would write, field by field, with the reason for each change.

    Nothing is written to ServiceNow.
    """
    from beast_dream_snow_loader.app.options import LoadOptions, Place, PlanOptions
    from beast_dream_snow_loader.app.planning import plan as use_case
    from beast_dream_snow_loader.cli.conclude import conclude
    from beast_dream_snow_loader.cli.progress import progress
    from beast_dream_snow_loader.cli.render_plan import renderer

    load = LoadOptions(
        place=Place(
            environment=env,
            config_file=config,
            sandbox=sandbox,
            verbosity=verbose,
            log_file=log_file,
            log_format=log_format,
            quiet=quiet,
        ),
        dry_run=True,
        full=full,
        allow_upgrade=allow_upgrade,
        allow_retire=allow_retire,
        strict=strict,
        sites=tuple(site or ()),
        consoles=tuple(console or ()),
        kinds=tuple(kind or ()),
    )
    as_json = as_json or form is PlanFormat.JSON
    with progress(quiet=quiet or as_json) as listener:
        result = use_case(PlanOptions(load=load, out=out, detailed=detailed_exitcode), listener)
    conclude(result, as_json=as_json, quiet=quiet, render=renderer(form, out))
