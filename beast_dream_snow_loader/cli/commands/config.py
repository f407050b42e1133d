"""``snowload config``: what is set, whether it is right, a file to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from beast_dream_snow_loader.cli.options import Config, Env, Json

app = typer.Typer(no_args_is_help=True, help="Settings: show, check, schema, init.", rich_markup_mode=None)


@app.command("show", epilog="Examples: snowload config show --env production | snowload config show --json")
def show(env: Env = None, config: Config = None, as_json: Json = False) -> None:
    """Every setting in force and where it came from; secrets hidden."""
    from beast_dream_snow_loader.app.check import show_config as use_case
    from beast_dream_snow_loader.app.options import Place
    from beast_dream_snow_loader.cli.conclude import conclude
    from beast_dream_snow_loader.cli.render_config import render

    conclude(use_case(Place(environment=env, config_file=config)), as_json=as_json, render=render)


@app.command("check", epilog="Examples: snowload config check --env production | snowload config check --json")
def check(env: Env = None, config: Config = None, as_json: Json = False) -> None:
    """Check the settings and the mapping; list every problem at once. Nothing is contacted."""
    from beast_dream_snow_loader.app.check import check_config as use_case
    from beast_dream_snow_loader.app.options import Place
    from beast_dream_snow_loader.cli.conclude import conclude
    from beast_dream_snow_loader.cli.render_config import render_check

    conclude(use_case(Place(environment=env, config_file=config)), as_json=as_json, render=render_check)


@app.command("schema", epilog="Examples: snowload config schema | snowload config schema > snowload.schema.json")
def schema() -> None:
    """The JSON Schema of a file of settings, for editors that complete and check TOML."""
    import json

    from beast_dream_snow_loader.app.config_schema import settings_schema

    typer.echo(json.dumps(settings_schema(), indent=2))


@app.command("init", epilog="Examples: snowload config init | snowload config init snowload.toml")
def init(
    file: Annotated[Path | None, typer.Argument(help="Where to write it; stdout when left out.")] = None,
) -> None:
    """A commented file of settings to start from. Never overwrites."""
    from beast_dream_snow_loader.app.check import starter_file
    from beast_dream_snow_loader.cli.conclude import explain
    from beast_dream_snow_loader.core.exit_codes import exit_code_of
    from beast_dream_snow_loader.errors import SnowloadError

    try:
        text = starter_file(file)
    except SnowloadError as error:
        explain(error)
        raise typer.Exit(int(exit_code_of(error))) from None
    typer.echo(text)
