"""Tables and lines for people, on stdout."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from beast_dream_snow_loader.core.shown import shown

WIDTH_OF_A_FILE = 180


def columns() -> int:
    """How wide the terminal is; in a file wide enough that cells are not broken up."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDTH_OF_A_FILE


def console() -> Any:
    """A rich console on stdout."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True, width=columns())


def line(text: str) -> None:
    """One line; markup in it is text, not markup."""
    console().print(shown(text, limit=1000), markup=False)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> None:
    """A table; nothing at all when there are no rows. Numbers stand on the right."""
    from rich.table import Table
    from rich.text import Text

    listed = [list(row) for row in rows]
    if not listed:
        return
    drawn = Table(title=title or None, title_justify="left", show_edge=False, pad_edge=False)
    for index, column in enumerate(columns):
        numeric = all(isinstance(row[index], int | float) for row in listed)
        drawn.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in listed:
        drawn.add_row(*(Text(shown("" if cell is None else str(cell))) for cell in row))
    console().print(drawn)
