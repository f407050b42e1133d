"""The entry point: commands by name, each imported when it is called."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from beast_dream_snow_loader.cli.commands import (
    audit,
    breakers,
    config,
    doctor,
    explain,
    health,
    load,
    metrics,
    notify,
    plan,
    queue,
    replay,
    report,
    rollback,
    runs,
    sandbox,
    schedule,
    validate,
)
from beast_dream_snow_loader.cli.monitor import Monitor, code_of_a_defect
from beast_dream_snow_loader.cli.optional_values import OptionalValues
from beast_dream_snow_loader.core.exit_codes import HEALTH
from beast_dream_snow_loader.redaction import held_within

app = typer.Typer(
    name="snowload",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
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


app.command("load", cls=OptionalValues, epilog=load.EXAMPLES)(load.load)
app.command("plan", epilog=plan.EXAMPLES)(plan.plan)
app.command("explain", epilog=explain.EXAMPLES)(explain.explain)
app.command("validate", epilog=validate.EXAMPLES)(validate.validate)
app.command(HEALTH, cls=Monitor, epilog=health.EXAMPLES)(health.health)
app.command("doctor", epilog=doctor.EXAMPLES)(doctor.doctor)
app.command("metrics", epilog=metrics.EXAMPLES)(metrics.metrics)
app.command("report", epilog=report.EXAMPLES)(report.report)
app.command("replay-queue", epilog=replay.EXAMPLES)(replay.replay_queue)
app.command("rollback", epilog=rollback.EXAMPLES)(rollback.rollback)
app.command("sandbox", epilog=sandbox.EXAMPLES)(sandbox.sandbox)
app.add_typer(runs.app, name="runs")
app.add_typer(queue.app, name="queue")
app.add_typer(breakers.app, name="breakers")
app.add_typer(audit.app, name="audit")
app.add_typer(config.app, name="config")
app.add_typer(notify.app, name="notify")
app.add_typer(schedule.app, name="schedule")


def run(commands: Callable[[], object] = app) -> None:
    """Run the command named on the command line; the process ends with its exit code.

    ``commands``: the same, built already, by whoever starts it more than once.
    """
    if sys.stdout is None or sys.stderr is None:
        nowhere = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
        sys.stdout, sys.stderr = sys.stdout or nowhere, sys.stderr or nowhere
    with held_within():
        _run(commands)


def _run(commands: Callable[[], object]) -> None:
    try:
        commands()
    except SystemExit as ended:
        if ended.code in (2, 3) and "--json" in sys.argv:
            from beast_dream_snow_loader.cli.conclude import usage_as_json

            usage_as_json(ended.code)
        raise
    except Exception as error:  # noqa: BLE001 - the last line: a defect is told without a trace of the data
        from beast_dream_snow_loader.cli.conclude import unexpected

        code = code_of_a_defect()
        unexpected(error, code=code, as_json="--json" in sys.argv, debug="-vv" in sys.argv)
        sys.exit(code)
