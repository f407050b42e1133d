"""Lines that fit a terminal; columns are counted, not characters."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from beast_dream_snow_loader.core.shown import shown

_LONGEST = 10_000


def wrapped(text: str, width: int, indent: int) -> Iterator[str]:
    """One line, or as many as it takes; continuations are indented. Whatever stands in it acts on no terminal."""
    text = shown(text, _LONGEST)
    if text.isascii() or _columns(text) == len(text):
        if len(text) <= width:
            yield text
        else:
            yield from textwrap.wrap(text, width, subsequent_indent=" " * min(indent, width // 2), tabsize=1)
        return
    yield from _wide(text, width, " " * min(indent, width // 2))


def _columns(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)


def _wide(text: str, width: int, indent: str) -> Iterator[str]:
    """Characters that take two columns."""
    from rich.cells import chop_cells

    first = chop_cells(text, width)[0]
    yield first
    if rest := text[len(first) :]:
        yield from (indent + part for part in chop_cells(rest, width - len(indent)))
