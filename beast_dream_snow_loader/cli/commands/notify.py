"""``snowload notify``: who is told of what loads come to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from beast_dream_snow_loader.cli.options import Config, Env, Json
from beast_dream_snow_loader.core.notices import CHANNELS, PING

if TYPE_CHECKING:
    from beast_dream_snow_loader.app.result import Result

app = typer.Typer(no_args_is_help=True, help="Notifications: test.", rich_markup_mode=None)


@app.callback()
def _group() -> None:
    """Notifications: test."""


@app.command(
    "test",
    epilog="Examples: snowload notify test --env production | "
    "snowload notify test --env production --channel webhook --json",
)
def send_test(
    env: Env = None,
    config: Config = None,
    channel: Annotated[
        str | None,
        typer.Option("--channel", metavar="NAME", help=f"Only this one: {', '.join((*CHANNELS, PING))}."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Send a test message to each channel and say what became of it."""
    from beast_dream_snow_loader.app.notify_trial import try_channels
    from beast_dream_snow_loader.app.options import Place
    from beast_dream_snow_loader.cli.conclude import conclude

    result = try_channels(Place(environment=env, config_file=config), channel)
    conclude(result, as_json=as_json, render=_render)


def _render(result: Result) -> None:
    for one in result.body.get("channels", ()):
        told = f". {one['message']} {one['next_step']}".rstrip() if one["message"] else ""
        typer.echo(f"{one['channel']}: {one['outcome']}{told}")
