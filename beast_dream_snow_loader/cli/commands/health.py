"""``snowload health``: is everything working now."""

from __future__ import annotations

from typing import Annotated

import typer

from beast_dream_snow_loader.cli.options import Config, Env, Json, Quiet, Textfile, UseSandbox

EXAMPLES = "Examples: snowload health --env production --json | snowload health --env production --deep"


def health(
    env: Env = None,
    config: Config = None,
    check: Annotated[
        list[str] | None,
        typer.Option("--check", help="Only this check and what it stands on (repeatable)."),
    ] = None,
    timeout: Annotated[str, typer.Option("--timeout", help="Longest time for one check.")] = "10s",
    deep: Annotated[bool, typer.Option("--deep", help="Also what takes longer: see the guide, health.md.")] = False,
    no_recover: Annotated[bool, typer.Option("--no-recover", help="Put nothing right, send no probe.")] = False,
    sandbox: UseSandbox = False,
    as_json: Json = False,
    quiet: Quiet = False,
    textfile: Textfile = None,
) -> None:
    """Check all that a load depends on: both ends, the state, this machine. A failed check explains those under it.

    Exit code 0 healthy, 1 degraded, 2 unhealthy, 3 unknown.
    """
    from beast_dream_snow_loader.app.options import Place
    from beast_dream_snow_loader.app.status import HealthOptions
    from beast_dream_snow_loader.app.status import health as use_case
    from beast_dream_snow_loader.cli.conclude import conclude
    from beast_dream_snow_loader.cli.render_health import render

    place = Place(environment=env, config_file=config, sandbox=sandbox, textfile=textfile)
    options = HealthOptions(place=place, only=tuple(check or ()), timeout=timeout, deep=deep, recover=not no_recover)
    result = use_case(options)
    conclude(result, as_json=as_json, quiet=quiet, render=render)
