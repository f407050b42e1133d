"""The end of every command: print its result, leave with its code."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import NoReturn

import typer

from beast_dream_snow_loader.app.closing import closing, left_written, unwritten
from beast_dream_snow_loader.app.result import Result
from beast_dream_snow_loader.cli.render_level import show_level
from beast_dream_snow_loader.core.exit_codes import way_on
from beast_dream_snow_loader.core.shown import shown
from beast_dream_snow_loader.errors import BadArgument, ConfigurationError, SnowloadError
from beast_dream_snow_loader.redaction import masked, masked_values

Renderer = Callable[[Result], None]

_ACTIVE = re.compile(r"[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""JSON itself escapes only what is below a space."""

printed: list[str] = []
"""The commands whose document this process has printed: one at most."""


def conclude(result: Result, *, as_json: bool, render: Renderer, quiet: bool = False, bare: bool = False) -> NoReturn:
    """Data on stdout, trouble on stderr; with ``as_json`` one document even when the command failed. ``bare``: what is
    rendered is a document too, and nothing is added to it."""
    try:
        if as_json:
            _print_json(result)
        elif not (quiet and result.exit_code == 0):
            render(replace(result, body=masked_values(result.body)))
            if not bare:
                show_level(result)
        sys.stdout.flush()
    except BrokenPipeError:
        _silence()  # the reader had enough: the work is done and recorded; its exit code still counts
    except OSError as error:
        _silence()
        _undelivered(result, error)
    trouble = result.error or closing(result)
    if trouble is not None:
        explain(trouble)
    for stays in left_written(result):
        explain(stays)
    if lost := unwritten(result):
        explain(lost)
    raise typer.Exit(int(result.exit_code))


def _silence() -> None:
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115


def _undelivered(result: Result, error: OSError) -> NoReturn:
    """What should have been on stdout is lost: never an exit 0."""
    kept = (
        f"It is recorded: snowload report --run {result.run_id} --json"
        if result.run_id
        else "Give it room and run it again."
    )
    explain(SnowloadError(f"The result could not be printed: {error.strerror}.", next_step=kept))
    raise typer.Exit(int(result.exit_code) or 1)


def explain(error: SnowloadError) -> None:
    """What happened, and what to do now, on stderr."""
    _say(f"snowload: {error.message}")
    for problem in error.problems if isinstance(error, ConfigurationError) else ():
        _say(f"  - {problem}")
    _say(f"  {way_on(error)}")


def _say(line: str) -> None:
    typer.echo(shown(masked(line), limit=2000), err=True)


def _print_json(result: Result) -> None:
    import orjson

    from beast_dream_snow_loader.app.result import document

    text = orjson.dumps(document(result), option=orjson.OPT_INDENT_2, default=str)
    printed.append(result.command)
    sys.stdout.write(_visible(text.decode("utf-8")) + "\n")
    sys.stdout.flush()


def _visible(text: str) -> str:
    """The same JSON with what a terminal could act upon written as ``\\u009b``: it stands inside strings only."""
    return _ACTIVE.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def usage_as_json(code: int) -> None:
    """Arguments that the parser refused still get their one document; the words are on stderr already."""
    if printed:
        return
    from beast_dream_snow_loader.clock import SystemClock, rfc3339

    error = BadArgument("The arguments are not of the command's form.", next_step="See: snowload --help")
    now = rfc3339(SystemClock().now())
    _print_json(Result(command="error", status="failed", exit_code=code, generated_at=now, error=error))


def unexpected(error: Exception, *, as_json: bool, debug: bool, code: int = 1) -> None:
    """A defect of ours: what kind, and where to tell; its trace only on demand, because it may quote data."""
    from beast_dream_snow_loader.clock import SystemClock, rfc3339

    trouble = SnowloadError(
        f"This is a defect of snowload: {type(error).__name__}.",
        next_step="Run it again with -vv for a trace to report; what was written so far is recorded.",
    )
    if as_json:
        now = rfc3339(SystemClock().now())
        _print_json(Result(command="error", status="failed", exit_code=code, generated_at=now, error=trouble))
    explain(trouble)
    if debug:
        import traceback

        typer.echo(masked("".join(traceback.format_exception(error))), err=True)
