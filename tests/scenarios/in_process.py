"""The command as a user types it, run in this process: the same arguments, variables, output and exit code, sooner."""

from __future__ import annotations

import contextlib
import io
import os
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from typer.main import get_command

from beast_dream_snow_loader.cli.main import app, run
from tests.conftest import Ended, Snowload

_COMMANDS = get_command(app)
"""Built once: it is a fifth of what a small load costs."""


class InProcess(Snowload):
    """``far_apart``: what breakers learned is forgotten before each command, as it would be after minutes."""

    def __init__(self, home: Path, *, far_apart: bool = True) -> None:
        super().__init__(home)
        self.far_apart = far_apart
        self.home.mkdir(parents=True, exist_ok=True)

    def __call__(self, *arguments: str, timeout: float = 60, **variables: str) -> Ended:
        if self.far_apart:
            self._forget()
        out, err = io.StringIO(), io.StringIO()
        spoken = contextlib.redirect_stdout(out), contextlib.redirect_stderr(err)
        with contextlib.chdir(self.home), _as_process(arguments, self.environment(variables)), spoken[0], spoken[1]:
            code = _code()
        return Ended(code=code, out=out.getvalue(), err=err.getvalue())

    def _forget(self) -> None:
        for state in Path(self.variables["SNOWLOAD_STATE_DIR"]).glob("*/state.sqlite"):
            with contextlib.closing(sqlite3.connect(state)) as database, contextlib.suppress(sqlite3.DatabaseError):
                database.execute("DELETE FROM breakers WHERE NOT by_hand")
                database.commit()


def _code() -> int:
    try:
        run(_COMMANDS)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    return 0


@contextlib.contextmanager
def _as_process(arguments: tuple[str, ...], environment: Mapping[str, str]) -> Iterator[None]:
    before, argv = dict(os.environ), sys.argv
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["snowload", *arguments]
    try:
        yield
    finally:
        sys.argv = argv
        os.environ.clear()
        os.environ.update(before)
