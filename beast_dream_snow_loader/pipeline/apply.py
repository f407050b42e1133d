"""The seam around changes: intend, write, settle (house rule 7). One writer per lane, lanes side by side."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

from beast_dream_snow_loader.core.batching import link_batches, next_batch
from beast_dream_snow_loader.core.changes import Change, ItemChange, Lane, LinkChange, Plan
from beast_dream_snow_loader.core.events import ChangeSettled, StepAdvanced
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.core.ports import Batch, Settlement
from beast_dream_snow_loader.core.receipts import Outcome, Receipt
from beast_dream_snow_loader.errors import SnowloadError
from beast_dream_snow_loader.pipeline.batch_size import BatchSize
from beast_dream_snow_loader.pipeline.world import Order, World


class Applier:
    """Writes one plan. ``settlements`` holds what became of each change, in the order it was settled.

    Once the instance is away, nothing more is sent: the rest is queued. Thread-safe.
    """

    def __init__(self, world: World, order: Order, plan: Plan, away: SnowloadError | None = None) -> None:
        self.settlements: list[Settlement] = []
        self._world = world
        self._order = order
        self._carriers = plan.carriers
        self._sizes = BatchSize(order.batch_size, order.batch_size_max)
        self._lock = threading.Lock()
        self._links = list(plan.links)
        self._there: set[SourceKey] = set(plan.carriers)
        self._away = away

    def load(self, lanes: Sequence[Lane]) -> None:
        """Create and update; an edge travels with its lower end when the far end is there already."""
        self._world.spread(self._lane, lanes, self._order.lanes)

    def link(self) -> None:
        """The edges that could not travel with an item: between consoles, or between unchanged items."""
        ready = [link for link in self._links if self._both_there(link)]
        self._links = [link for link in self._links if not self._both_there(link)]
        for batch in link_batches(ready, self._carriers_now(), self._sizes.now):
            if self._stopped():
                return
            self._write(batch)

    def unlinked(self) -> Sequence[LinkChange]:
        """Edges that wait because one of their ends was not written."""
        return tuple(self._links)

    def _lane(self, lane: Lane) -> None:
        pending: Sequence[ItemChange] = lane.items
        while pending and not self._stopped():
            with self._lock:
                batch = next_batch(lane.name, pending, self._links, self._sizes.now, self._there, self._carriers_now())
                taken = set(batch.links)
                self._links = [link for link in self._links if link not in taken]
            self._write(batch)
            pending = pending[len(batch.items) :]

    def _write(self, batch: Batch) -> None:
        changes: list[Change] = [*batch.items, *batch.links]
        self._world.journal.intend(self._order.run_id, changes)
        receipts = self._queue(changes) if self._away else self._send(batch)
        by_subject = {receipt.subject: receipt for receipt in receipts}
        settled = [Settlement(change=change, receipt=by_subject[change.subject]) for change in changes]
        self._world.journal.settle(self._order.run_id, settled)
        self._remember(settled)

    def _send(self, batch: Batch) -> Sequence[Receipt]:
        started = self._world.clock.monotonic()
        receipts = self._world.cmdb.apply(batch)
        seconds = self._world.clock.monotonic() - started
        answered = all(receipt.outcome in (Outcome.DONE, Outcome.REFUSED) for receipt in receipts)
        self._sizes.learn(seconds, answered=answered)
        return receipts

    def _queue(self, changes: Iterable[Change]) -> Sequence[Receipt]:
        assert self._away is not None
        code, message = self._away.code, self._away.message
        return [Receipt(subject=c.subject, outcome=Outcome.LATER, code=code, message=message) for c in changes]

    def _remember(self, settled: Sequence[Settlement]) -> None:
        with self._lock:
            self.settlements.extend(settled)
            for settlement in settled:
                if settlement.receipt.outcome is Outcome.DONE and isinstance(settlement.change, ItemChange):
                    self._there.add(settlement.change.item.key)
                elif settlement.receipt.outcome is Outcome.LATER and self._away is None:
                    self._away = _as_error(settlement.receipt)
        for settlement in settled:
            self._world.listener(ChangeSettled(receipt=settlement.receipt))
        self._world.listener(StepAdvanced(step="load", by=len(settled)))

    def _carriers_now(self) -> dict[SourceKey, ItemChange]:
        """What may be named again in a request: known items, and those written in this run."""
        written = {
            s.change.item.key: s.change
            for s in self.settlements
            if isinstance(s.change, ItemChange) and s.receipt.outcome is Outcome.DONE
        }
        return {**self._carriers, **written}

    def _both_there(self, link: LinkChange) -> bool:
        queueing = self._away is not None
        return queueing or (link.relation.lower in self._there and link.relation.upper in self._there)

    def _stopped(self) -> bool:
        return self._world.stopping()


def _as_error(receipt: Receipt) -> SnowloadError:
    error = SnowloadError(receipt.message)
    error.code = receipt.code  # type: ignore[misc]
    return error
