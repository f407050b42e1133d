"""One run per target: the lock of this host, the lease among hosts, and what a dead holder left closed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from beast_dream_snow_loader.app.belonging import bind
from beast_dream_snow_loader.app.ground import Ground
from beast_dream_snow_loader.app.healed import state_after_kill
from beast_dream_snow_loader.app.places import state_directory
from beast_dream_snow_loader.app.wiring import Wiring
from beast_dream_snow_loader.core.run import Run, RunStatus
from beast_dream_snow_loader.operations.circuit_breaker import look_again
from beast_dream_snow_loader.operations.healing import Healings
from beast_dream_snow_loader.state.journal import SqlJournal
from beast_dream_snow_loader.state.lease import Fence
from beast_dream_snow_loader.state.locks import one_run_per_target
from beast_dream_snow_loader.state.patience import Patience
from beast_dream_snow_loader.state.store import Store


@contextmanager
def holding(
    here: Ground, store: Store, wiring: Wiring, run: Run, timeout: float = 0.0, *, adopt: bool = False
) -> Iterator[Wiring]:
    """The wiring with a journal, an audit trail, a ledger and a ServiceNow that only the present holder can write to,
    as :func:`holding_journal`.

    ``timeout``: how many seconds it may wait for another holder. ``adopt``: what belongs to another instance becomes
    this one's. Raises as :func:`holding_journal`.
    """
    patience = Patience.of(here.clock, timeout, wiring.world.stopping)
    with _held(here, store, run, patience, wiring.healings, adopt=adopt) as fence:
        world = replace(
            wiring.world,
            journal=store.journal.fenced(fence),
            audit=store.audit.trail(fence, here.target),
            ledger=store.ledger.fenced(fence),
        )
        wiring.tenure.confirm = partial(store.confirm, fence)
        yield replace(wiring, world=world)


@contextmanager
def holding_journal(here: Ground, store: Store, run: Run) -> Iterator[SqlJournal]:
    """A journal that only the present holder can write to; ``run`` is remembered as running.

    Raises StateLocked naming the holder, at once; UnknownDataSource or OtherInstance when the state belongs to another
    discovery source or instance.
    """
    with _held(here, store, run, Patience.of(here.clock), Healings(here.clock)) as fence:
        yield store.journal.fenced(fence)


@contextmanager
def _held(
    here: Ground,
    store: Store,
    run: Run,
    patience: Patience,
    healings: Healings,
    *,
    adopt: bool = False,
) -> Iterator[Fence]:
    """The target, with what a dead holder left behind closed."""
    directory = state_directory(here.settings)
    with (
        one_run_per_target(directory, here.target, run.id, patience),
        store.lease(here.target, run.id, patience, look_again) as fence,
    ):
        bind(here, store, adopt=adopt)
        killed = _killed_before(store, run)
        state_after_kill(store, killed, healings)
        for dead in killed:
            store.memory.finish_run(replace(dead, finished_at=here.clock.now(), status=RunStatus.INTERRUPTED))
        store.memory.start_run(run)
        yield fence


def _killed_before(store: Store, mine: Run) -> list[Run]:
    """Runs still called running while we hold the target: nobody else will close them. Newest first. Whether they began
    before us is not asked: the clock may have been set, and some began while we waited."""
    return [run for run in store.memory.running(mine.target) if run.id != mine.id]
