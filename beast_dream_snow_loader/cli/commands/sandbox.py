"""``snowload sandbox``: a UniFi and a ServiceNow on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXAMPLES = "Examples: snowload sandbox | snowload sandbox --devices 2000 --sites 10 --servicenow-file cmdb.sqlite"


def sandbox(
    devices: Annotated[int | None, typer.Option("--devices", min=1, help="Devices to generate; else a demo.")] = None,
    sites: Annotated[int, typer.Option("--sites", min=1, help="Sites to spread them over.")] = 10,
    consoles: Annotated[int, typer.Option("--consoles", min=1, help="Consoles the sites belong to.")] = 1,
    clients: Annotated[int, typer.Option("--clients", min=0, max=200_000, help="Clients to generate.")] = 0,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same estate.")] = 1,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65_000, help="First of the ports to listen on; 0: any free ones.")
    ] = 0,
    servicenow_file: Annotated[
        Path | None, typer.Option("--servicenow-file", help="Keep the CMDB in this SQLite file.")
    ] = None,
    recorded: Annotated[Path | None, typer.Option("--recorded", help="Serve saved UniFi payloads instead.")] = None,
) -> None:
    """Serve a made-up UniFi and ServiceNow over real HTTP on loopback until interrupted.

    Prints the variables to export, so that other commands find it. Faults and changes can be asked for at
    /_sandbox/ on each server (docs/guides/sandbox.md).
    """
    from beast_dream_snow_loader.app.playground import SandboxOptions, serve_until_interrupted
    from beast_dream_snow_loader.errors import SnowloadError

    options = SandboxOptions(
        devices=devices,
        sites=sites,
        consoles=consoles,
        clients=clients,
        seed=seed,
        port=port,
        servicenow_file=servicenow_file,
        recorded=recorded,
    )
    try:
        serve_until_interrupted(options, typer.echo)
    except SnowloadError as error:
        from beast_dream_snow_loader.cli.conclude import explain
        from beast_dream_snow_loader.core.exit_codes import exit_code_of

        explain(error)
        raise typer.Exit(int(exit_code_of(error))) from None
