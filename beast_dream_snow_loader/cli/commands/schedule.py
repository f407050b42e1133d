"""``snowload schedule``: units for whatever is to start snowload on time."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from beast_dream_snow_loader.cli.options import Config, Env, Json

if TYPE_CHECKING:
    from beast_dream_snow_loader.app.result import Result

app = typer.Typer(no_args_is_help=True, help="Run on time: print units.", rich_markup_mode=None)


class Scheduler(StrEnum):
    SYSTEMD = "systemd"
    CRON = "cron"
    K8S = "k8s"
    GITHUB_ACTIONS = "github-actions"


@app.callback()
def _group() -> None:
    """Run on time: print units."""


@app.command(
    "print",
    epilog="Examples: snowload schedule print cron --env production --every 6h | "
    "snowload schedule print systemd --env production --health-every 5m --unit snowload-production.timer",
)
def print_them(
    scheduler: Annotated[Scheduler, typer.Argument(metavar="systemd|cron|k8s|github-actions", help="What starts it.")],
    env: Env = None,
    config: Config = None,
    every: Annotated[
        str | None, typer.Option("--every", metavar="DURATION", help="Load so often; 6h if nothing is said.")
    ] = None,
    at: Annotated[str | None, typer.Option("--at", metavar="HH:MM", help="Load once a day at this time.")] = None,
    health_every: Annotated[
        str | None, typer.Option("--health-every", metavar="DURATION", help="Run snowload health so often too.")
    ] = None,
    user: Annotated[
        str | None, typer.Option("--user", help="Run as this user; of k8s a number.", show_default=False)
    ] = None,
    secret: Annotated[
        list[str] | None,
        typer.Option(
            "--secret",
            metavar="VARIABLE",
            help="A variable whose value is a secret (repeatable); SERVICENOW_CLIENT_SECRET and UNIFI_API_KEY if none.",
        ),
    ] = None,
    program: Annotated[
        str | None, typer.Option("--program", metavar="PATH", help="snowload where it will run; this one if none.")
    ] = None,
    image: Annotated[str, typer.Option("--image", help="The container's image, for k8s.")] = "",
    unit: Annotated[
        str | None, typer.Option("--unit", metavar="NAME", help="Only this one of several units, as a whole file.")
    ] = None,
    textfile: Annotated[
        Path | None,
        typer.Option("--textfile", metavar="FILE", help="Leave metrics in this file; the unit may write beside it."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Print a ready-made unit that loads on time, to be put where its first lines say."""
    from beast_dream_snow_loader.app.schedule import ScheduleOptions, print_schedule
    from beast_dream_snow_loader.cli.conclude import conclude

    options = ScheduleOptions(
        form=scheduler.value,
        environment=env,
        config=config,
        every=every,
        at=at,
        health_every=health_every,
        user=user,
        secrets=tuple(secret or ()),
        program=program,
        image=image,
        unit=unit,
        textfile=textfile,
    )
    conclude(print_schedule(options), as_json=as_json, render=_render, bare=True)


def _render(result: Result) -> None:
    """One unit is printed as it is; of several each has its place above it, as ``systemctl cat`` does."""
    files = result.body.get("files", ())
    for one in files:
        above = f"# {one['place']}/{one['name']}\n" if len(files) > 1 else ""
        typer.echo(f"{above}{one['text']}", nl=len(files) > 1)
