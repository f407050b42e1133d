"""``snowload breakers``: which dependencies are left alone, and a person's word about it."""

from __future__ import annotations

from typing import Annotated

import typer

from beast_dream_snow_loader.cli.options import Config, DryRun, Env, Json, UseSandbox

app = typer.Typer(no_args_is_help=True, help="Circuit breakers: list, open, reset.", rich_markup_mode=None)

_NAME = "As breakers list names it."


@app.command(
    "list",
    epilog="Examples: snowload breakers list --env production | snowload breakers list --env production --json",
)
def list_them(env: Env = None, config: Config = None, sandbox: UseSandbox = False, as_json: Json = False) -> None:
    """Every dependency, whether it is asked or left alone, until when and why."""
    from beast_dream_snow_loader.app.breaker_orders import list_breakers
    from beast_dream_snow_loader.app.options import Place
    from beast_dream_snow_loader.cli.conclude import conclude
    from beast_dream_snow_loader.cli.render_breakers import render

    result = list_breakers(Place(environment=env, config_file=config, sandbox=sandbox))
    conclude(result, as_json=as_json, render=render)


@app.command(
    "open",
    epilog="Examples: snowload breakers open servicenow --for 2h --reason upgrade --env production | "
    "snowload breakers open servicenow.ire --env production",
)
def open_one(
    name: Annotated[str, typer.Argument(metavar="NAME", help=_NAME)],
    lasting: Annotated[
        str | None,
        typer.Option("--for", metavar="DURATION", help="For so long; otherwise until reset.", show_default=False),
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why, for those who wonder.", show_default=False)] = "",
    env: Env = None,
    config: Config = None,
    dry_run: DryRun = False,
    sandbox: UseSandbox = False,
    as_json: Json = False,
) -> None:
    """Send nothing to a dependency. Writes to ServiceNow are queued; a UniFi console counts as away."""
    from beast_dream_snow_loader.app.breaker_orders import open_breaker
    from beast_dream_snow_loader.app.options import Place
    from beast_dream_snow_loader.cli.conclude import conclude
    from beast_dream_snow_loader.cli.render_breakers import render

    place = Place(environment=env, config_file=config, sandbox=sandbox)
    conclude(open_breaker(place, name, lasting, reason, dry_run=dry_run), as_json=as_json, render=render)


@app.command(
    "reset",
    epilog="Examples: snowload breakers reset servicenow --env production | snowload breakers reset --env production",
)
def reset(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help=f"{_NAME} All without.")] = None,
    env: Env = None,
    config: Config = None,
    dry_run: DryRun = False,
    sandbox: UseSandbox = False,
    as_json: Json = False,
) -> None:
    """Ask a dependency again as if nothing had happened: one, or all of them."""
    from beast_dream_snow_loader.app.breaker_orders import reset_breakers
    from beast_dream_snow_loader.app.options import Place
    from beast_dream_snow_loader.cli.conclude import conclude
    from beast_dream_snow_loader.cli.render_breakers import render

    place = Place(environment=env, config_file=config, sandbox=sandbox)
    conclude(reset_breakers(place, name, dry_run=dry_run), as_json=as_json, render=render)
