"""``snowload queue``: what waits to be sent, and what was sent in vain."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from beast_dream_snow_loader.cli.options import Config, DryRun, Env, Json, UseSandbox

app = typer.Typer(
    no_args_is_help=True,
    help="Queued and parked writes: list, show, retry, drop, export.",
    rich_markup_mode=None,
)

State = Annotated[
    Literal["queued", "unknown", "parked"] | None,
    typer.Option("--state", help="Only these.", show_default=False),
]
Ids = Annotated[list[int], typer.Argument(metavar="ID...", help="Entries, as queue list numbers them.")]
SomeIds = Annotated[
    list[int] | None,
    typer.Argument(metavar="[ID...]", help="Entries, as queue list numbers them.", show_default=False),
]


@app.command(
    "list",
    epilog="Examples: snowload queue list --env production | snowload queue list --state parked --json",
)
def list_entries(
    env: Env = None,
    config: Config = None,
    state: State = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most this many, oldest first.")] = 100,
    sandbox: UseSandbox = False,
    as_json: Json = False,
) -> None:
    """What waits, oldest first, with the reason; parked writes with what to do about them."""
    from beast_dream_snow_loader.app.options import Place
    from beast_dream_snow_loader.app.queue import list_queue
    from beast_dream_snow_loader.cli.conclude import conclude
    from beast_dream_snow_loader.cli.render_queue import render

    result = list_queue(Place(environment=env, config_file=config, sandbox=sandbox), state, limit)
    conclude(result, as_json=as_json, render=render)


@app.command(
    "show",
    epilog="Examples: snowload queue show 4711 --env production | snowload queue show 4711 --env production --json",
)
def show(
    number: Annotated[int, typer.Argument(metavar="ID", help="The entry, as queue list numbers it.")],
    env: Env = None,
    config: Config = None,
    sandbox: UseSandbox = False,
    as_json: Json = False,
) -> None:
    """One write: what it is to change, why it waits, what to do."""
    from beast_dream_snow_loader.app.options import Place
    from beast_dream_snow_loader.app.queue import show_entry
    from beast_dream_snow_loader.cli.conclude import conclude
    from beast_dream_snow_loader.cli.render_queue import render

    result = show_entry(Place(environment=env, config_file=config, sandbox=sandbox), number)
    conclude(result, as_json=as_json, render=render)


@app.command(
    "retry",
    epilog="Examples: snowload queue retry 4711 4712 --env production | snowload queue retry --all --env production",
)
def retry(
    ids: SomeIds = None,
    every: Annotated[bool, typer.Option("--all", help="Every parked write.")] = False,
    env: Env = None,
    config: Config = None,
    dry_run: DryRun = False,
    sandbox: UseSandbox = False,
    as_json: Json = False,
) -> None:
    """Queue parked writes again, as if they had never been sent; the next load or replay-queue sends them."""
    from beast_dream_snow_loader.app.options import Place
    from beast_dream_snow_loader.app.queue import retry_entries
    from beast_dream_snow_loader.cli.conclude import conclude
    from beast_dream_snow_loader.cli.render_queue import render

    place = Place(environment=env, config_file=config, sandbox=sandbox)
    result = retry_entries(place, tuple(ids or ()), every=every, dry_run=dry_run)
    conclude(result, as_json=as_json, render=render)


@app.command(
    "drop",
    epilog="Examples: snowload queue drop 4711 --env production --dry-run | "
    "snowload queue drop 4711 --env production --yes",
)
def drop(
    ids: Ids,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; needed where nobody can be asked.")] = False,
    env: Env = None,
    config: Config = None,
    dry_run: DryRun = False,
    sandbox: UseSandbox = False,
    as_json: Json = False,
) -> None:
    """Give writes up for good. A load that still finds the difference plans it anew. It is recorded as a run."""
    from beast_dream_snow_loader.app.options import Place
    from beast_dream_snow_loader.app.queue import drop_entries
    from beast_dream_snow_loader.cli.conclude import conclude
    from beast_dream_snow_loader.cli.render_queue import render

    if not (yes or dry_run):
        _ask(len(ids))
    result = drop_entries(Place(environment=env, config_file=config, sandbox=sandbox), tuple(ids), dry_run=dry_run)
    conclude(result, as_json=as_json, render=render)


def _ask(count: int) -> None:
    if not sys.stdin.isatty():
        raise typer.BadParameter("Nobody can be asked here: confirm with --yes.")
    if not typer.confirm(f"Give up {count} write{'s' if count > 1 else ''} for good?", err=True):
        typer.echo("snowload: nothing was dropped.", err=True)
        raise typer.Exit(2)


@app.command(
    "export",
    epilog="Examples: snowload queue export queue.ndjson --env production | "
    "snowload queue export parked.ndjson --env production --state parked",
)
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="One JSON object per line; readable by you only.")],
    env: Env = None,
    config: Config = None,
    state: State = None,
    sandbox: UseSandbox = False,
    as_json: Json = False,
) -> None:
    """Every entry with the whole change in it, as NDJSON."""
    from beast_dream_snow_loader.app.options import Place
    from beast_dream_snow_loader.app.queue import export_queue
    from beast_dream_snow_loader.cli.conclude import conclude
    from beast_dream_snow_loader.cli.render_queue import render

    result = export_queue(Place(environment=env, config_file=config, sandbox=sandbox), file, state)
    conclude(result, as_json=as_json, render=render)
