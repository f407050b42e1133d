"""How much depends on a request: what is given up first when there is not enough for all."""

from __future__ import annotations

from enum import IntEnum


class Criticality(IntEnum):
    """In the order in which a free place is given away."""

    ESSENTIAL = 0
    """What the run is for: a write, a login."""
    ROUTINE = 1
    """A read that the run needs."""
    SPARE = 2
    """A look that can be taken again at any time: health."""
