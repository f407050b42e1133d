"""``snowload health``: is everything working now."""

from __future__ import annotations

from typing import Annotated

import typer

from beast_dream_snow_loader.cli.options import Config, Env, Json, Quiet, UseSandbox

EXAMPLES = "Examples: snowload health --env production --json | snowload health --env production --check database"


def health(
    env: Env = None,
    config: Config = None,
    check: Annotated[list[str] | None, typer.Option("--check", help="Only this check (repeatable).")] = None,
    timeout: Annotated[str, typer.Option("--timeout", help="Longest time for one check.")] = "10s",
    sandbox: UseSandbox = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Check both ends, credentials, disk, database and the last success.

    Exit code 0 healthy, 1 degraded, 2 unhealthy, 3 unknown.
    """
    from beast_dream_snow_loader.app.options import Place
    from beast_dream_snow_loader.app.status import health as use_case
    from beast_dream_snow_loader.cli.conclude import conclude
    from beast_dream_snow_loader.cli.render_health import render

    place = Place(environment=env, config_file=config, sandbox=sandbox)
    result = use_case(place, only=tuple(check or ()), timeout=timeout)
    conclude(result, as_json=as_json, quiet=quiet, render=render)
