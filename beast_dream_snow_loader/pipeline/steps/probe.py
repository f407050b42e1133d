"""Probe: before anything of the queue is sent, one cheap read tells whether the instance is there (R6.5)."""

from __future__ import annotations

from contextlib import suppress

from beast_dream_snow_loader.pipeline.guard import UNREADABLE
from beast_dream_snow_loader.pipeline.world import World


def probe(world: World) -> None:
    """One request when something waits, none otherwise. Raises what says that the instance is away."""
    if any(world.journal.pending().values()):
        with suppress(*UNREADABLE):  # who says no is there
            world.cmdb.ping()
