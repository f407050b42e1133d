"""A command that monitors run: what keeps it from running is *unknown* (3), and never a state of what it looks at."""

from __future__ import annotations

import sys
from typing import Any

import typer
from typer.core import TyperCommand

from beast_dream_snow_loader.core.exit_codes import HealthCode, code_of_failure

_USAGE: Any = typer.BadParameter.__bases__[0]
"""What the parser raises for any arguments that it does not take."""


class Monitor(TyperCommand):
    """Bad arguments end it with :attr:`HealthCode.UNKNOWN`: 2 would be *unhealthy*."""

    def make_context(self, *arguments: Any, **named: Any) -> Any:
        try:
            return super().make_context(*arguments, **named)
        except _USAGE as error:
            error.exit_code = int(HealthCode.UNKNOWN)
            raise


def code_of_a_defect() -> int:
    """How this process ends when we are to blame: to a monitor 1 would be *degraded*."""
    return int(code_of_failure(sys.argv[1] if sys.argv[1:] else ""))
