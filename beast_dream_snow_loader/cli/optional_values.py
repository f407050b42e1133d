"""Options whose value may be left out: ``--resume`` alone means the last run, ``--resume RUN`` that one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import typer
from typer.core import TyperCommand

LAST = "last"
OPTIONS = ("--resume", "--retry-failed")


class OptionalValues(TyperCommand):
    """A command with such options. The parser knows options with a value and without; so the value is put in."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        return super().parse_args(ctx, list(completed(args)))


def completed(arguments: Sequence[str]) -> Iterator[str]:
    """The arguments with ``last`` after each such option that has no value."""
    for place, argument in enumerate(arguments, start=1):
        following = arguments[place] if place < len(arguments) else ""
        yield argument
        if argument in OPTIONS and (not following or following.startswith("-")):
            yield LAST
