"""The name somebody probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str:
    """The most similar of the known names; empty when none is similar enough to be worth saying."""
    found = difflib.get_close_matches(name, sorted(known), n=1)
    return found[0] if found else ""
