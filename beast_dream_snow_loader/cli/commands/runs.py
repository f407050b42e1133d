"""``snowload runs``: what ran."""

from __future__ import annotations

from typing import Annotated

import typer

from beast_dream_snow_loader.cli.options import Config, Env, Json, UseSandbox

app = typer.Typer(no_args_is_help=True, help="Runs: list, show.", rich_markup_mode=None)


@app.command("list", epilog="Examples: snowload runs list --env production | snowload runs list --limit 5 --json")
def list_runs(
    env: Env = None,
    config: Config = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most this many, newest first.")] = 20,
    sandbox: UseSandbox = False,
    as_json: Json = False,
) -> None:
    """The runs, newest first."""
    from beast_dream_snow_loader.app.history import list_runs as use_case
    from beast_dream_snow_loader.app.options import Place
    from beast_dream_snow_loader.cli.conclude import conclude
    from beast_dream_snow_loader.cli.render_report import render_runs

    result = use_case(Place(environment=env, config_file=config, sandbox=sandbox), limit)
    conclude(result, as_json=as_json, render=render_runs)


@app.command("show", epilog="Examples: snowload runs show ID --env production | snowload runs show ID --json")
def show(
    run_id: Annotated[str, typer.Argument(help="The run's id, as runs list prints it.")],
    env: Env = None,
    config: Config = None,
    sandbox: UseSandbox = False,
    as_json: Json = False,
) -> None:
    """One run: its report."""
    from beast_dream_snow_loader.app.history import show_run as use_case
    from beast_dream_snow_loader.app.options import Place
    from beast_dream_snow_loader.cli.conclude import conclude
    from beast_dream_snow_loader.cli.render_report import render_run

    result = use_case(Place(environment=env, config_file=config, sandbox=sandbox), run_id)
    conclude(result, as_json=as_json, render=render_run)
