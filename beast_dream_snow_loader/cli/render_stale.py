"""What is shown from memory, in half a sentence (R6.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from beast_dream_snow_loader.core.shown import age


def stale(body: Mapping[str, Any]) -> str:
    """How many consoles are as they were, and since when; empty when all were read now. One of which only Site
    Manager's part is remembered was read itself."""
    if body.get("stale_source") is None:
        return ""
    consoles = body.get("stale_consoles", ())
    listed = sum(one["cloud_only"] for one in consoles)
    count, there = len(consoles) - listed, body.get("source", {}).get("consoles", 0)
    parts = [f"{count} of {there} consoles"] if count else []
    if listed:
        parts.append(f"what only Site Manager lists on {listed}{' more' if count else f' of {there} consoles'}")
    return f"{' and '.join(parts) or 'the source'} as of up to {age(body['stale_source'])} ago"
