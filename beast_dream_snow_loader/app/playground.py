"""The sandbox as people use it: in the foreground for other commands, or inside one command with ``--sandbox``."""

from __future__ import annotations

import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beast_dream_snow_loader.errors import BadArgument
from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.town import Sandbox


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """``devices`` None: the small demo estate. ``port`` 0: any free ports."""

    devices: int | None = None
    sites: int = 10
    consoles: int = 1
    clients: int = 0
    seed: int = 1
    port: int = 0
    servicenow_file: Path | None = None
    recorded: Path | None = None


@contextmanager
def playground(options: SandboxOptions) -> Iterator[Sandbox]:
    """A running sandbox."""
    sandbox = _made(options)
    try:
        yield sandbox
    finally:
        sandbox.stop()


def _made(options: SandboxOptions) -> Sandbox:
    """Raises BadArgument for what the options ask and cannot be had: a port in use, a folder that is not there."""
    if options.recorded is not None and not options.recorded.is_dir():
        raise BadArgument(f"{options.recorded} is no folder.", next_step="Name a folder of saved payloads.")
    try:
        sandbox = Sandbox.create(
            estate=_estate(options),
            servicenow_file=options.servicenow_file,
            port=options.port,
            recorded=options.recorded,
        )
        return sandbox.start()
    except (OSError, sqlite3.Error, ValueError) as error:
        raise BadArgument(f"The sandbox cannot be made: {error}.", next_step="See: snowload sandbox --help") from None


def serve_until_interrupted(options: SandboxOptions, say: Callable[[str], None]) -> None:
    """Print the variables to export, then serve until SIGINT or SIGTERM."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with playground(options) as sandbox:
        for name, value in sandbox.environment().items():
            say(f"export {name}='{value}'")
        say("# ready: paste these lines into another shell, then run: snowload load --env development")
        ended.wait()


def settings_of(sandbox: Sandbox, state: Path) -> dict[str, Any]:
    """The settings that point a command at a sandbox; clients are created so that all four kinds are seen."""
    return {
        **sandbox.settings(),
        "state": {"dir": str(state)},
        "clients": {"mode": "create"},
    }


def _estate(options: SandboxOptions) -> Estate:
    if options.devices is None:
        return Estate.demo()
    return Estate.generate(
        seed=options.seed,
        consoles=options.consoles,
        sites=options.sites,
        devices=options.devices,
        clients=options.clients,
    )
