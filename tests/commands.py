"""Every command that there is, as the command line itself has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from beast_dream_snow_loader.cli.main import app


def every_command() -> list[tuple[str, ...]]:
    """``("load",)``, ``("queue", "list")``, …"""
    return list(_below((), get_command(app)))


def _below(path: tuple[str, ...], command: Any) -> Iterator[tuple[str, ...]]:
    if not hasattr(command, "commands"):
        yield path
        return
    for name, inner in command.commands.items():
        yield from _below((*path, name), inner)
