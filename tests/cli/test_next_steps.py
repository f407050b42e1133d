"""Every error with which a command may end names a command to go on with (X4)."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from beast_dream_snow_loader import errors
from beast_dream_snow_loader.app.failing import failed
from beast_dream_snow_loader.app.result import document
from beast_dream_snow_loader.cli.conclude import explain
from beast_dream_snow_loader.errors import SnowloadError

_COMMAND = re.compile(r"snowload (--help|[a-z][a-z-]+)")


def below(kind: type[SnowloadError]) -> Iterator[type[SnowloadError]]:
    yield kind
    for one in kind.__subclasses__():
        if one.__module__ == errors.__name__:
            yield from below(one)


@pytest.mark.parametrize("kind", list(below(SnowloadError)), ids=lambda kind: kind.__name__)
def test_what_is_said_of_an_error_names_a_command(
    kind: type[SnowloadError], capsys: pytest.CaptureFixture[str]
) -> None:
    error = kind("It went wrong.")
    explain(error)
    told = capsys.readouterr().err
    assert _COMMAND.search(told), told
    assert _COMMAND.search(document(failed("load", error))["error"]["next_step"])


def test_a_step_that_is_there_comes_first_and_a_command_in_it_is_enough(capsys: pytest.CaptureFixture[str]) -> None:
    explain(errors.NotSent("It went wrong.", next_step="Plug it in."))
    explain(errors.NotSent("It went wrong.", next_step="Run: snowload breakers list"))
    one, other = capsys.readouterr().err.split("snowload: It went wrong.\n")[1:]
    assert "Plug it in. Then run: snowload health" in one
    assert other.strip() == "Run: snowload breakers list"
