"""The entry point: commands by name, each imported when it is called."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from beast_dream_snow_loader.cli.commands import config, health, load, replay, report, runs, sandbox, validate

app = typer.Typer(
    name="snowload",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Keep a ServiceNow CMDB true to a UniFi network inventory.",
    epilog="Try it without an account: snowload load --sandbox",
)


def _version(wanted: bool) -> None:
    if wanted:
        from beast_dream_snow_loader import __version__

        typer.echo(f"snowload {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Keep a ServiceNow CMDB true to a UniFi network inventory."""


app.command("load", epilog=load.EXAMPLES)(load.load)
app.command("validate", epilog=validate.EXAMPLES)(validate.validate)
app.command("health", epilog=health.EXAMPLES)(health.health)
app.command("report", epilog=report.EXAMPLES)(report.report)
app.command("replay-queue", epilog=replay.EXAMPLES)(replay.replay_queue)
app.command("sandbox", epilog=sandbox.EXAMPLES)(sandbox.sandbox)
app.add_typer(runs.app, name="runs")
app.add_typer(config.app, name="config")


def run() -> None:
    """Run the command named on the command line; the process ends with its exit code."""
    try:
        app()
    except BrokenPipeError:
        # The reader went away (`snowload report | head`): nothing is wrong on our side.
        sys.stderr.close()
        sys.exit(0)
