"""Markdown in which text from elsewhere stays text: no live HTML, links, images or broken tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from beast_dream_snow_loader.core.shown import shown

_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_SPECIAL = re.compile(r"[\\`*_{}\[\]()#+.!|~:@=-]")
_LONGEST = 1000


def escaped(text: object) -> str:
    """One line of plain text, as Markdown source."""
    visible = shown("" if text is None else str(text), _LONGEST)
    return _SPECIAL.sub(lambda found: f"\\{found.group()}", visible).translate(_ENTITIES)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """The lines of a table; none when it has no rows."""
    headed = False
    for row in rows:
        if not headed:
            yield f"| {' | '.join(columns)} |"
            yield f"|{'---|' * len(columns)}"
            headed = True
        yield f"| {' | '.join(escaped(cell) for cell in row)} |"
