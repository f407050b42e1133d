"""The state of an environment, opened. Apart from the wiring, because who only reads it needs no client of anything."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from beast_dream_snow_loader.app.auditing import signing
from beast_dream_snow_loader.app.ground import Ground
from beast_dream_snow_loader.app.places import state_url
from beast_dream_snow_loader.errors import StateUnavailable
from beast_dream_snow_loader.operations.correlation import carried
from beast_dream_snow_loader.state.engine import BUSY_SECONDS
from beast_dream_snow_loader.state.store import Store, open_store

_ONE_AT_A_TIME = threading.Lock()
"""Alembic migrates one database of a process at a time, and one that nobody waits for may still be at it."""


@contextmanager
def opened(ground: Ground, *, make: bool = True) -> Iterator[Store]:
    """The state of this environment, migrated and checked. Raises a StateError; StateAbsent when there is none and
    ``make`` is False."""
    with _open(ground, make=make) as store:
        yield store


@contextmanager
def opened_within(ground: Ground, seconds: float, *, make: bool = True) -> Iterator[Store]:
    """As :func:`opened`, for whoever only looks: StateUnavailable when it takes longer than ``seconds``.

    A statement waits for half of that for another process, so that who keeps the state is told by the state itself."""
    with _in_time(lambda: _open(ground, seconds / 2, make=make), seconds) as store:
        yield store


def _open(ground: Ground, busy_seconds: float = BUSY_SECONDS, *, make: bool) -> Store:
    return open_store(
        state_url(ground.settings),
        ground.clock,
        busy_seconds=busy_seconds,
        limits=ground.settings.queue.limits(),
        signing=signing(ground),
        make=make,
    )


def _in_time(open_: Callable[[], Store], seconds: float) -> Store:
    """In a thread of its own: a server that accepts and says nothing holds up whoever connects."""
    found: Future[Store] = Future()
    late = threading.Event()

    def work() -> None:
        try:
            with _ONE_AT_A_TIME:
                if not late.is_set():
                    found.set_result(open_())
        except BaseException as error:  # noqa: BLE001 - not swallowed: raised again where it is awaited
            found.set_exception(error)
        if late.is_set():
            _close(found)

    threading.Thread(target=carried(work), name="opening", daemon=True).start()
    try:
        return found.result(seconds)
    except TimeoutError:
        late.set()
        _close(found)
        raise StateUnavailable(
            f"The state did not open within {seconds:g} s: a process keeps it, or its server does not answer.",
            next_step="See which process has it open (lsof), or whether the server answers; then run: "
            "snowload health --check database",
        ) from None


def _close(found: Future[Store]) -> None:
    """What nobody waits for any more. Twice does no harm."""
    if found.done() and found.exception() is None:
        found.result().close()
