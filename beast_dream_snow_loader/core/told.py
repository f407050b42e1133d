"""Looking into the document of a run whose command is not known: one name may be a list here, counts there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def section(told: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A part with names of its own; empty where it is no such part."""
    part = told.get(name)
    return part if isinstance(part, Mapping) else {}


def rows(told: Mapping[str, Any], name: str, *needed: str) -> Sequence[Mapping[str, Any]]:
    """Entries that have all the ``needed`` values; none where it is no list of them."""
    part = told.get(name)
    listed = part if isinstance(part, list | tuple) else ()
    return [one for one in listed if isinstance(one, Mapping) and all(value in one for value in needed)]


def number(told: Mapping[str, Any], name: str) -> int:
    """A count; 0 where it is none."""
    part = told.get(name)
    return part if isinstance(part, int) else 0
