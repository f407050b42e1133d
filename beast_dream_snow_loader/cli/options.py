"""Options that mean the same on every command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Env = Annotated[
    str | None,
    typer.Option(
        "--env",
        help="development, testing, staging or production.",
        envvar="BEAST_ENVIRONMENT",
        show_default=False,
    ),
]
Config = Annotated[
    Path | None,
    typer.Option("--config", help="A TOML file of settings.", envvar="SNOWLOAD_CONFIG", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Silent when all is well.")]
Verbose = Annotated[int, typer.Option("--verbose", "-v", count=True, help="Say more; twice for debugging.")]
UseSandbox = Annotated[
    bool,
    typer.Option("--sandbox", help="Work on a made-up UniFi and ServiceNow on this machine; needs no account."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done; send no write.")]
Full = Annotated[bool, typer.Option("--full", help="Send everything again; ignore what was sent before.")]
AllowUpgrade = Annotated[
    bool, typer.Option("--allow-upgrade", help="Move CIs to a more specific class the instance has got since.")
]
AllowRetire = Annotated[
    float | None,
    typer.Option("--allow-retire", min=0, max=100, metavar="PERCENT", help="Retire up to this share in one run."),
]
Strict = Annotated[bool, typer.Option("--strict", help="A stale source makes the run partial (exit 3).")]
Sites = Annotated[list[str] | None, typer.Option("--site", help="Only this site (repeatable).")]
Consoles = Annotated[list[str] | None, typer.Option("--console", help="Only this console (repeatable).")]
Kinds = Annotated[list[str] | None, typer.Option("--kind", help="Only this kind, e.g. switch (repeatable).")]
LogFile = Annotated[
    Path | None, typer.Option("--log-file", help="Write the JSON-lines log here, not in the state directory.")
]
LogFormat = Annotated[
    Literal["auto", "console", "json"] | None,
    typer.Option("--log-format", help="Log lines on stderr too, in this form.", show_default=False),
]
Textfile = Annotated[
    Path | None, typer.Option("--textfile", help="Leave metrics in this file, for node_exporter.", show_default=False)
]
LockTimeout = Annotated[
    str, typer.Option("--lock-timeout", metavar="DURATION", help="Wait this long for another run on the target.")
]
MaxRequests = Annotated[
    int | None,
    typer.Option("--max-requests", min=1, help="Send so many requests to ServiceNow; queue what is left."),
]
