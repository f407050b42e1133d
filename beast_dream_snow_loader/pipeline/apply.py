"""The seam around changes: intend, write, settle (house rule 7). One writer per lane, lanes side by side."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from beast_dream_snow_loader.core.audit import swept_deed
from beast_dream_snow_loader.core.batching import MOST_ITEMS, link_batches, next_batch
from beast_dream_snow_loader.core.changes import Change, ItemChange, Lane, LinkChange, Plan, UnlinkChange
from beast_dream_snow_loader.core.edited import naming
from beast_dream_snow_loader.core.events import ChangeSettled, FindingRaised, StepAdvanced
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.core.parking import END_UNKNOWN, is_own
from beast_dream_snow_loader.core.planner import Replanning
from beast_dream_snow_loader.core.ports import Batch, Settlement
from beast_dream_snow_loader.core.receipts import OPEN, Outcome, Receipt
from beast_dream_snow_loader.errors import QueueFull, ReadOnlyMode, SnowloadError
from beast_dream_snow_loader.pipeline.batch_size import BatchSize
from beast_dream_snow_loader.pipeline.guard import AWAY, UNREADABLE, reduced
from beast_dream_snow_loader.pipeline.recheck import Again, compared, rechecked
from beast_dream_snow_loader.pipeline.steps.late import claimed, made_anew
from beast_dream_snow_loader.pipeline.steps.look_up import settle_unknown
from beast_dream_snow_loader.pipeline.world import Order, World

C = TypeVar("C", ItemChange, LinkChange)
_DELETED_AT_ONCE = 10
"""CIs that are looked at together right before they are deleted, one call each."""
_BEHIND = "It was not sent, because one of its ends is still open."


@dataclass(frozen=True, slots=True, kw_only=True)
class Away:
    """Why nothing more is sent."""

    code: str
    message: str


class Applier:
    """Writes one plan.

    Once the instance is away, nothing more is sent: the rest is queued. In read-only mode that is so from the start.
    Thread-safe.
    """

    def __init__(
        self,
        world: World,
        order: Order,
        plan: Plan,
        away: SnowloadError | None = None,
        again: Callable[[], Again] | None = None,
    ) -> None:
        """``again`` decides what others changed between the plan and the write; by default as a load does."""
        self._world = world
        self._order = order
        self._again = again or partial(_replanning, world, order)
        self._planned_at = world.clock.monotonic()
        self._settled: dict[str, Settlement] = {}
        self._kept: set[str] = set()
        self._carriers = dict(plan.carriers)
        self._sizes = BatchSize(order.batch_size, order.batch_size_max)
        self._lock = threading.Lock()
        self._wary = BatchSize(1, order.batch_size_max)
        self._suspects = world.journal.suspects()
        self._doubted = made_anew(world.journal.doubted())
        self._answered = False
        self._fell = False
        self._links = {link.subject: link for link in plan.links}
        self._there: set[SourceKey] = set(plan.carriers)
        self._lanes = {c.item.key: c.item.lane for c in (*plan.carriers.values(), *plan.items)}
        away = ReadOnlyMode("servicenow.mode is read-only: it was not sent.") if order.read_only else away
        self._away = Away(code=away.code, message=away.message) if away is not None else None

    def load(self, lanes: Sequence[Lane]) -> None:
        """Create and update; an edge travels with its lower end when the far end is there already."""
        self._world.spread(self._lane, lanes, self._order.lanes)

    @property
    def kept(self) -> frozenset[str]:
        """Subjects of changes that were not made after all, for others changed the CI in the meantime."""
        return frozenset(self._kept)

    @property
    def settlements(self) -> Sequence[Settlement]:
        """What became of each change, in the order it was first settled."""
        return tuple(self._settled.values())

    def link(self) -> None:
        """The edges that could not travel with an item: between consoles, or between unchanged items."""
        ready = [link for link in self._links.values() if self._both_there(link)]
        plain, suspects = self._apart(ready)
        for batch in link_batches(plain, self._carriers, self._sizes.now):
            if self._world.stopping():
                return
            self._take(batch)
            self._write(batch, self._sizes)
        self._link_warily(suspects)

    def _link_warily(self, links: Sequence[LinkChange]) -> None:
        while links and not self._world.stopping():
            for batch in link_batches(links[: self._wary.now], self._carriers, self._wary.now):
                self._take(batch)
                self._write(batch, self._wary)
                links = links[len(batch.links) :]

    def unlink(self, unlinks: Sequence[UnlinkChange]) -> None:
        """Edges that are no longer true; one that another takes the place of only once that is drawn."""
        known = self._world.ledger.known().relations if unlinks else {}
        ready = [unlink for unlink in unlinks if self._replaced(unlink, known)]
        for start in range(0, len(ready), self._order.batch_size):
            if self._world.stopping():
                return
            part = ready[start : start + self._order.batch_size]
            self.settle(part, partial(self._world.cmdb.unlink, part))

    def second_chance(self) -> None:
        """Once: what was left open is looked up, what then is not there is sent again, and edges that waited for either
        are drawn. With nothing to send again too: what was found may be the end of an edge. Those that wait still are
        put behind what they wait for.

        The instance still being away leaves everything queued, or open to be looked up by the next run.
        """
        left = self.look_up()
        self._links |= {change.subject: change for change in left if isinstance(change, LinkChange)}
        items = [change for change in left if isinstance(change, ItemChange)]
        names = dict.fromkeys(change.item.lane for change in items)
        self.load([Lane(name=name, items=tuple(c for c in items if c.item.lane == name)) for name in names])
        self.link()
        self._links = {link.subject: link for link in self.put_behind(self._links.values())}

    def put_behind(self, links: Collection[LinkChange]) -> list[LinkChange]:
        """Queue the edges that wait for what this run has left open, so that a replay draws them too. Returns the
        others; all of them when the queue takes no more, for the next load draws them anyway."""
        ends = {change.item.key for change in self._left() if isinstance(change, ItemChange)}
        behind = {link.subject: link for link in links if link.own_ends & ends and link.own_ends <= ends | self._there}
        try:
            self._queue(tuple(behind.values()), self._away or Away(code=END_UNKNOWN, message=_BEHIND), alone=True)
        except QueueFull:
            return list(links)
        return [link for link in links if link.subject not in behind]

    def delete(self, changes: Sequence[ItemChange]) -> None:
        """Remove again what a run made: after everything that hung on it. There is no way back from it, so that each
        few are looked at once more, however new what the plan read is."""
        for start in range(0, len(changes), _DELETED_AT_ONCE):
            if self._world.stopping():
                return
            part = self._unedited(changes[start : start + _DELETED_AT_ONCE])
            if part:
                self.settle(part, partial(self._delete, part))

    def _unedited(self, changes: Sequence[ItemChange]) -> Sequence[ItemChange]:
        """Those that nobody has edited since; none where that cannot be seen. While the instance is away all are
        queued."""
        if self._away is not None:
            return changes
        batch = Batch(lane="", items=tuple(changes))
        try:
            return self._without_kept(batch, compared(self._world, self._again(), batch, self._written())).items
        except AWAY as error:
            self.stop(error)
            return changes
        except UNREADABLE as error:
            message = (
                f"Whether somebody edited {len(changes)} CIs meanwhile cannot be seen, so they stay: {error.message}"
            )
            self._world.listener(FindingRaised(finding=reduced("rollback.unreadable", message)))
            return self._without_kept(batch, replace(batch, items=())).items

    def _without_kept(self, batch: Batch, left: Batch) -> Batch:
        """``left`` of the batch; what is no longer in it stays as it is."""
        there = {change.subject for change in left.items}
        with self._lock:
            self._kept |= {change.subject for change in batch.items if change.subject not in there}
        return left

    def _delete(self, changes: Sequence[ItemChange]) -> Sequence[Receipt]:
        """What hangs on the CIs goes with them: it is in no journal, and in the audit trail like any other change."""
        there = [change.known.sys_id for change in changes if change.known is not None]
        self._world.audit.intend(self._order.run_id, [swept_deed(sys_id) for sys_id in there])
        deleted = self._world.cmdb.delete(changes)
        self._world.audit.settle(self._order.run_id, [swept_deed(sys_id, deleted.swept) for sys_id in there])
        return deleted.receipts

    def retire(self, changes: Sequence[ItemChange]) -> None:
        """Set to Retired what is gone. Nothing else is in flight then, so one request follows the other."""
        for lane in dict.fromkeys(change.item.lane for change in changes):
            self._retire_in(lane, [change for change in changes if change.item.lane == lane])

    def _retire_in(self, lane: str, changes: Sequence[ItemChange]) -> None:
        for group, sizes in self._in_turn(changes):
            pending = group
            while pending and not self._world.stopping():
                size = min(sizes.now, MOST_ITEMS)
                self._write(Batch(lane=lane, items=tuple(pending[:size])), sizes)
                pending = pending[size:]

    def look_up(self) -> Sequence[Change]:
        """Look up what was left open; returns what then is to be sent again, nothing while that cannot be told."""
        if self._order.read_only or self._world.stopping() or not self._left():
            return ()
        try:
            found = settle_unknown(self._world, self._order)
        except (*AWAY, *UNREADABLE):
            return ()
        self._remember(found)
        self._suspects = self._world.journal.suspects()
        self._doubted = made_anew(self._world.journal.doubted())
        self._away = None
        return self._left()

    def stop(self, error: SnowloadError) -> None:
        """The instance is away: what follows is queued."""
        self._away = self._away or Away(code=error.code, message=error.message)

    @property
    def away(self) -> bool:
        return self._away is not None

    def unlinked(self) -> Sequence[LinkChange]:
        """Edges that wait because one of their ends was not written."""
        return tuple(self._links.values())

    def _left(self) -> list[Change]:
        return [s.change for s in self._settled.values() if s.receipt.outcome in OPEN]

    def _lane(self, lane: Lane) -> None:
        for group, sizes in self._in_turn(lane.items):
            pending = group
            while pending and not self._world.stopping():
                with self._lock:
                    links = [link for link in self._links.values() if self._concerns(link, lane.name)]
                    near = links if sizes is self._sizes else ()
                    batch = next_batch(lane.name, pending, near, sizes.now, self._there, self._carriers)
                self._take(batch)
                self._write(batch, sizes)
                pending = pending[len(batch.items) :]

    def _in_turn(self, items: Sequence[ItemChange]) -> Iterator[tuple[Sequence[ItemChange], BatchSize]]:
        """Suspects last and, as long as they fail, each alone: none is parked for its neighbour's sake."""
        plain, suspects = self._apart(items)
        yield plain, self._sizes
        yield suspects, self._wary

    def _apart(self, changes: Sequence[C]) -> tuple[Sequence[C], Sequence[C]]:
        if not self._suspects or self._away is not None:
            return changes, ()
        suspects = [change for change in changes if change.subject in self._suspects]
        return [change for change in changes if change.subject not in self._suspects], suspects

    def _take(self, batch: Batch) -> None:
        with self._lock:
            for link in batch.links:
                self._links.pop(link.subject, None)

    def _write(self, batch: Batch, sizes: BatchSize) -> None:
        old = self._world.clock.monotonic() - self._planned_at >= self._order.recheck_after
        if old and self._away is None:
            batch = self._without_kept(batch, rechecked(self._world, self._again(), batch, self._written()))
        batch = replace(batch, links=tuple(naming(link, batch.carried) for link in batch.links))
        if batch.items or batch.links:
            self.settle((*batch.items, *batch.links), lambda: self._send(batch, sizes), batch.carried)

    def _written(self) -> set[SourceKey]:
        with self._lock:
            done = [s.change for s in self._settled.values() if s.receipt.outcome is Outcome.DONE]
        return {change.item.key for change in done if isinstance(change, ItemChange)}

    def settle(
        self, changes: Sequence[Change], send: Callable[[], Sequence[Receipt]], carried: Iterable[ItemChange] = ()
    ) -> None:
        """Intend, send (or queue while away), settle.

        A carried CI that had gone is a new one now: written down like any other, though nobody intended it.
        """
        if (away := self._away) is not None:
            self._queue(changes, away)
            return
        self._world.journal.intend(self._order.run_id, changes)
        receipts = claimed(self._world, self._order, self._doubted, changes, send())
        by_subject = {receipt.subject: receipt for receipt in receipts}
        recreated = [change.anew() for change in carried if change.subject in by_subject]
        self._world.journal.intend(self._order.run_id, recreated)
        settled = [self._settlement(change, by_subject[change.subject], receipts) for change in (*changes, *recreated)]
        self._world.journal.settle(self._order.run_id, settled)
        self._remember(settled)

    def _settlement(self, change: Change, receipt: Receipt, together: Sequence[Receipt]) -> Settlement:
        return Settlement(change=change, receipt=receipt, own=is_own(receipt, together, answered=self._answered))

    def _send(self, batch: Batch, sizes: BatchSize) -> Sequence[Receipt]:
        started = self._world.clock.monotonic()
        receipts = self._world.cmdb.apply(batch, self._falling)
        seconds = self._world.clock.monotonic() - started
        good = (Outcome.DONE,) if sizes is self._wary else (Outcome.DONE, Outcome.REFUSED)
        sizes.learn(seconds, answered=all(receipt.outcome in good for receipt in receipts))
        return receipts

    def _falling(self) -> None:
        """Once, before the Table API gets what was planned for the engine: should the run be killed then, the next one
        knows what may still be carried out late."""
        with self._lock:
            if not self._fell:
                self._world.memory.fell(self._order.target, self._order.run_id)
                self._fell = True

    def _queue(self, changes: Sequence[Change], away: Away, *, alone: bool = False) -> None:
        """``alone``: for a reason of their own; whether the instance is there it does not say."""
        self._world.journal.enqueue(self._order.run_id, changes, away.code, away.message)
        later = {
            c.subject: Receipt(subject=c.subject, outcome=Outcome.LATER, code=away.code, message=away.message)
            for c in changes
        }
        self._remember([Settlement(change=change, receipt=later[change.subject]) for change in changes], alone=alone)

    def _remember(self, settled: Sequence[Settlement], *, alone: bool = False) -> None:
        with self._lock:
            for settlement in settled:
                self._settled[settlement.change.subject] = settlement
                self._answered |= settlement.receipt.outcome in (Outcome.DONE, Outcome.REFUSED)
                if settlement.receipt.outcome is Outcome.DONE and isinstance(settlement.change, ItemChange):
                    self._there.add(settlement.change.item.key)
                    self._carriers[settlement.change.item.key] = settlement.change
                elif settlement.receipt.outcome is Outcome.LATER and self._away is None and not alone:
                    self._away = Away(code=settlement.receipt.code, message=settlement.receipt.message)
        for settlement in settled:
            self._world.listener(ChangeSettled(receipt=settlement.receipt))
        self._world.listener(StepAdvanced(step="load", by=len(settled)))

    def _concerns(self, link: LinkChange, lane: str) -> bool:
        """A link goes with the lane of an end that is being written or known there; one that is suspect goes alone."""
        if link.subject in self._suspects:
            return False
        lanes = {self._lanes.get(link.relation.lower), self._lanes.get(link.relation.upper)}
        return lane in lanes

    def _replaced(self, unlink: UnlinkChange, known: Collection[str]) -> bool:
        """Whether what takes its place is known to be drawn, or is before it in the queue into which all goes."""
        if not unlink.replaced_by or unlink.replaced_by in known:
            return True
        there = self._settled.get(unlink.replaced_by)
        return self.away and there is not None and there.receipt.outcome is Outcome.LATER

    def _both_there(self, link: LinkChange) -> bool:
        queueing = self._away is not None
        return queueing or (link.relation.lower in self._there and link.relation.upper in self._there)


def _replanning(world: World, order: Order) -> Again:
    return Replanning(rules=order.rules, now=world.clock.now(), full=order.full)
