"""``snowload explain``: why one device is in the CMDB as it is."""

from __future__ import annotations

from typing import Annotated

import typer

from beast_dream_snow_loader.cli.options import Config, Env, Json, LogFile, LogFormat, UseSandbox, Verbose

EXAMPLES = "Examples: snowload explain 00:00:5e:00:53:02 --env production | snowload explain hq-sw-01 --sandbox --json"


def explain(
    key: Annotated[str, typer.Argument(help="A MAC, serial number, sys_id, native key, or a name that is unique.")],
    env: Env = None,
    config: Config = None,
    sandbox: UseSandbox = False,
    as_json: Json = False,
    verbose: Verbose = 0,
    log_file: LogFile = None,
    log_format: LogFormat = None,
) -> None:
    """Follow one device through fetch, mapping, identity, match, plan and past writes, each decision with its rule.

    Nothing is written. Where an end is away, it tells what the state knows.
    """
    from beast_dream_snow_loader.app.explaining import explain as use_case
    from beast_dream_snow_loader.app.options import LoadOptions, Place
    from beast_dream_snow_loader.cli.conclude import conclude
    from beast_dream_snow_loader.cli.progress import progress
    from beast_dream_snow_loader.cli.render_explain import render

    place = Place(
        environment=env,
        config_file=config,
        sandbox=sandbox,
        verbosity=verbose,
        log_file=log_file,
        log_format=log_format,
    )
    with progress(quiet=as_json) as listener:
        result = use_case(LoadOptions(place=place, dry_run=True), key, listener)
    conclude(result, as_json=as_json, render=render)
