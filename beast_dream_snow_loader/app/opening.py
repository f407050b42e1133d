"""The state of an environment, opened. Apart from the wiring, because who only reads it needs no client of anything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from beast_dream_snow_loader.app.auditing import signing
from beast_dream_snow_loader.app.ground import Ground
from beast_dream_snow_loader.app.places import state_url
from beast_dream_snow_loader.state.store import Store, open_store


@contextmanager
def opened(ground: Ground, *, make: bool = True) -> Iterator[Store]:
    """The state of this environment, migrated and checked. Raises a StateError; StateAbsent when there is none and
    ``make`` is False."""
    store = open_store(
        state_url(ground.settings),
        ground.clock,
        limits=ground.settings.queue.limits(),
        signing=signing(ground),
        make=make,
    )
    try:
        yield store
    finally:
        store.close()
