"""What the metrics of the state are made of, read from the database."""

from __future__ import annotations

from urllib.parse import urlsplit

from beast_dream_snow_loader import __version__
from beast_dream_snow_loader.app import degraded
from beast_dream_snow_loader.app.ground import Ground
from beast_dream_snow_loader.core.run import RunStatus
from beast_dream_snow_loader.core.state_samples import StateFacts
from beast_dream_snow_loader.operations.breaker_memory import CircuitState, Remembered
from beast_dream_snow_loader.state.schema import EntryState
from beast_dream_snow_loader.state.store import Store


def common_labels(here: Ground) -> dict[str, str]:
    """The labels on every series: the environment, and the host of the instance or ``sandbox``."""
    return labels_of(here.environment, here.target)


def labels_of(environment: str, target: str) -> dict[str, str]:
    """The same where there is no ground to stand on: ``target`` is the instance's address, or ``sandbox``."""
    return {"environment": environment, "target": urlsplit(target).netloc.rpartition("@")[2] or target}


def state_facts(here: Ground, store: Store) -> StateFacts:
    """A few small queries, whatever the size of the state. Raises StateError."""
    memory, queue = store.memory, store.journal.queue
    newest = memory.last_ended(here.target)
    return StateFacts(
        at=here.clock.now(),
        version=__version__,
        size_bytes=store.size_bytes,
        ended=memory.ends(here.target),
        succeeded=memory.ends(here.target, RunStatus.OK),
        queue=queue.counts(),
        oldest_queued=queue.oldest(EntryState.LATER),
        breakers=[(one.name, _state(one).value) for one in store.breakers.all().values()],
        snapshot=max(memory.taken().values(), default=None),
        stale_consoles=len(memory.standing_in()),
        level=newest.report.get(degraded.NAME, {}).get("level", "") if newest is not None else "",
    )


def _state(one: Remembered) -> CircuitState:
    """One whose wait is over is tried by the next call: half open."""
    return CircuitState.HALF_OPEN if one.state is CircuitState.OPEN and one.over else one.state
