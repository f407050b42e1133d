"""What is shown from memory, in half a sentence (R6.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from beast_dream_snow_loader.core.shown import age


def stale(body: Mapping[str, Any]) -> str:
    """How many consoles are as they were, and since when; empty when all were read now."""
    if body.get("stale_source") is None:
        return ""
    count, there = len(body.get("stale_consoles", ())), body.get("source", {}).get("consoles", 0)
    some = f"{count} of {there} consoles" if count else "the source"
    return f"{some} as of up to {age(body['stale_source'])} ago"
