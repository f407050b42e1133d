"""Times to wait, as people write them on the command line."""

from __future__ import annotations

from datetime import timedelta

from beast_dream_snow_loader.errors import BadArgument
from beast_dream_snow_loader.operations.durations import parse_duration


def time_to_wait(text: str, option: str, example: str = "10s") -> timedelta:
    """``text`` as a duration. BadArgument naming ``option`` when it is none."""
    try:
        return parse_duration(text)
    except ValueError:
        raise BadArgument(f"{text!r} is no time to wait.", next_step=f"Write {option} {example}.") from None
