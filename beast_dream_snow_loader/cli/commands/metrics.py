"""``snowload metrics``: the present state as Prometheus reads it."""

from __future__ import annotations

from typing import Annotated

import typer

from beast_dream_snow_loader.cli.options import Config, Env, Json, UseSandbox

EXAMPLES = "Examples: snowload metrics --env production | snowload metrics --env production --listen 127.0.0.1:9464"


def metrics(
    env: Env = None,
    config: Config = None,
    listen: Annotated[
        str | None,
        typer.Option("--listen", metavar="HOST:PORT", help="Serve /metrics and /healthz there until interrupted."),
    ] = None,
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="With --listen: let other machines read it too.")
    ] = False,
    sandbox: UseSandbox = False,
    as_json: Json = False,
) -> None:
    """Print the last runs, the queue and the breakers from the database, in the Prometheus text format.

    Neither UniFi nor ServiceNow is asked. For node_exporter, runs leave their metrics in a file: see load --textfile.
    """
    from beast_dream_snow_loader.app.metrics import metrics as use_case
    from beast_dream_snow_loader.app.options import Place
    from beast_dream_snow_loader.cli.conclude import conclude, explain

    place = Place(environment=env, config_file=config, sandbox=sandbox)
    if listen is None:
        result = use_case(place)
    else:
        from beast_dream_snow_loader.web.metrics_server import serve_metrics

        result = serve_metrics(
            place,
            listen,
            say=lambda line: typer.echo(line, err=True),
            complain=explain,
            allow_remote=allow_remote,
        )
    conclude(
        result, as_json=as_json, bare=True, render=lambda told: typer.echo(told.body.get("exposition", ""), nl=False)
    )
