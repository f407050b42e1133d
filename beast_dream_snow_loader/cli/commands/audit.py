"""``snowload audit``: the trail of every modification of ServiceNow."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from beast_dream_snow_loader.cli.options import Config, Env, Json, Quiet, UseSandbox

app = typer.Typer(no_args_is_help=True, help="The audit trail: verify, export, begin.", rich_markup_mode=None)


@app.command(
    "verify",
    epilog="Examples: snowload audit verify --env production | "
    "snowload audit verify --env production --head /mnt/elsewhere/heads.jsonl",
)
def verify(
    env: Env = None,
    config: Config = None,
    head: Annotated[
        list[Path] | None,
        typer.Option("--head", help="A file of heads kept elsewhere, a log or a report (repeatable)."),
    ] = None,
    known: Annotated[
        list[int] | None,
        typer.Option("--known", metavar="NUMBER", help="That a chain begins with this entry is known (repeatable)."),
    ] = None,
    sandbox: UseSandbox = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Check every entry of the audit trail, without network. Exit 12, with the first bad entry, if it is not whole."""
    from beast_dream_snow_loader.app.audit import verify as use_case
    from beast_dream_snow_loader.app.options import Place
    from beast_dream_snow_loader.cli.conclude import conclude
    from beast_dream_snow_loader.cli.render_audit import render

    result = use_case(Place(environment=env, config_file=config, sandbox=sandbox), head or (), known or ())
    conclude(result, as_json=as_json, render=render, quiet=quiet)


@app.command(
    "export",
    epilog="Examples: snowload audit export audit.jsonl --env production --since 7d | "
    "snowload audit export audit.jsonl --env production --run ID",
)
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="One JSON object per line; readable by you only.")],
    env: Env = None,
    config: Config = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="WHEN", help="A duration back from now (7d), or an instant.")
    ] = None,
    run: Annotated[str | None, typer.Option("--run", metavar="ID", help="Only the entries of this run.")] = None,
    sandbox: UseSandbox = False,
    as_json: Json = False,
) -> None:
    """The entries as JSON lines: who changed what, when, and digests in place of values."""
    from beast_dream_snow_loader.app.audit import export as use_case
    from beast_dream_snow_loader.app.options import Place
    from beast_dream_snow_loader.cli.conclude import conclude
    from beast_dream_snow_loader.cli.render_audit import render

    result = use_case(Place(environment=env, config_file=config, sandbox=sandbox), file, since=since, run_id=run)
    conclude(result, as_json=as_json, render=render)


@app.command(
    "begin",
    epilog="Examples: snowload audit begin --env production | snowload audit begin --env production --yes",
)
def begin(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; needed where nobody can be asked.")] = False,
    env: Env = None,
    config: Config = None,
    sandbox: UseSandbox = False,
    as_json: Json = False,
) -> None:
    """Begin a new chain, with a new key: only when the key is lost or the trail damaged. What is there stays, and
    that you did this is in it for good."""
    from beast_dream_snow_loader.app.audit import begin as use_case
    from beast_dream_snow_loader.app.options import Place
    from beast_dream_snow_loader.cli.conclude import conclude
    from beast_dream_snow_loader.cli.render_audit import render

    if not yes:
        _ask()
    conclude(use_case(Place(environment=env, config_file=config, sandbox=sandbox)), as_json=as_json, render=render)


def _ask() -> None:
    if not sys.stdin.isatty():
        raise typer.BadParameter("Nobody can be asked here: confirm with --yes.")
    if not typer.confirm("Begin a new chain? Every later `audit verify` asks whether that is known.", err=True):
        typer.echo("snowload: nothing was begun.", err=True)
        raise typer.Exit(2)
