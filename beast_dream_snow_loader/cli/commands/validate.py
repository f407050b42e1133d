"""``snowload validate``: everything ``load`` would refuse, with no write."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from beast_dream_snow_loader.cli.options import Config, Env, Json, Quiet, Textfile, UseSandbox

EXAMPLES = "Examples: snowload validate --env production | snowload validate --env testing --input payloads/"


def validate(
    env: Env = None,
    config: Config = None,
    payloads: Annotated[
        Path | None, typer.Option("--input", help="Check saved UniFi payloads (a file or folder) offline.")
    ] = None,
    sandbox: UseSandbox = False,
    as_json: Json = False,
    quiet: Quiet = False,
    textfile: Textfile = None,
) -> None:
    """Check configuration, mapping and data: every finding with its record, field and rule."""
    from beast_dream_snow_loader.app.check import validate as use_case
    from beast_dream_snow_loader.app.options import Place
    from beast_dream_snow_loader.cli.conclude import conclude
    from beast_dream_snow_loader.cli.render_findings import render

    result = use_case(Place(environment=env, config_file=config, sandbox=sandbox, textfile=textfile), payloads)
    conclude(result, as_json=as_json, quiet=quiet, render=render)
