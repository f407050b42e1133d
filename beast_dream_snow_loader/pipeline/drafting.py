"""The plan itself: made from what is known, looked at again where it would write, and made once more."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from beast_dream_snow_loader.core.changes import ChangeType, Plan
from beast_dream_snow_loader.core.desired import DesiredState
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.core.known import KnownState
from beast_dream_snow_loader.core.planner import make_plan
from beast_dream_snow_loader.core.scope import decidable
from beast_dream_snow_loader.pipeline.attempts import Attempts
from beast_dream_snow_loader.pipeline.outcome import LoadOutcome
from beast_dream_snow_loader.pipeline.steps.drift import with_stored
from beast_dream_snow_loader.pipeline.steps.edges_there import edges_again
from beast_dream_snow_loader.pipeline.steps.heal import heal
from beast_dream_snow_loader.pipeline.steps.rename import freely_named
from beast_dream_snow_loader.pipeline.world import Order, World


class Drafting:
    """``began``: when the run did, so that what it has looked at is not looked at again."""

    def __init__(self, world: World, order: Order, outcome: LoadOutcome, attempts: Attempts, began: datetime) -> None:
        self._world, self._order, self._outcome = world, order, outcome
        self._attempts, self._began = attempts, began

    def plan(self, desired: DesiredState, known: KnownState) -> tuple[Plan, KnownState, frozenset[SourceKey]]:
        """The plan, what is known then, and which known CIs are gone: an edge needs both its ends (R3.4)."""
        gone: frozenset[SourceKey] = frozenset()
        with self._attempts.step("plan", total=len(desired.items)) as counted:
            plan = self._planned(desired, known)
            self._outcome.known = known
            if self._attempts.away is None and (seen := self._look_again(plan, known)) is not None:
                gone = frozenset(key for key in _touched(plan) if seen.items[key].stored is None)
                seen = self._edges_of(_touched(plan) - gone, seen)
                plan, known = self._planned(desired, seen), seen
                self._outcome.known = seen
            if self._attempts.away is None:
                plan = self._freely_named(desired, known, plan)
            counted.records = len(plan.items) + len(plan.links)
        return plan, known, gone

    def _freely_named(self, desired: DesiredState, known: KnownState, plan: Plan) -> Plan:
        found = self._attempts.attempt(lambda: freely_named(self._world.cmdb, desired, known, plan, self._planned))
        if found is None:
            return plan
        self._outcome.desired = found.desired
        self._attempts.found(*(finding for finding in found.findings if finding not in self._outcome.findings))
        return found.plan

    def healed(self, known: KnownState, gone: frozenset[SourceKey], *, some_seen: bool) -> KnownState:
        """What became of the CIs that are gone; ``some_seen``: of others it is known that they are there."""

        def read() -> KnownState:
            mended = heal(self._world, self._order, known, sorted(gone), some_seen=some_seen)
            self._attempts.found(*mended.findings)
            self._outcome.held.extend(mended.held)
            return mended.known

        return self._attempts.looked(read) or known

    def _planned(self, desired: DesiredState, known: KnownState) -> Plan:
        order, held = self._order, tuple(self._outcome.held)
        if not order.parts.links:
            known = replace(known, relations={})  # neither looked at nor removed
        plan = make_plan(
            desired,
            known,
            now=self._world.clock.now(),
            rules=order.rules,
            held=held,
            full=order.full,
            allow_upgrade=order.allow_upgrade,
        )
        return decidable(plan, desired, order.scope)

    def _look_again(self, plan: Plan, known: KnownState) -> KnownState | None:
        """What the CMDB holds now of the CIs about to be written: what people changed meanwhile is kept (6.9)."""
        items = [known.items[key] for key in sorted(_touched(plan)) if known.items[key].stored is None]
        return self._attempts.looked(lambda: with_stored(self._world, self._order, known, items)) if items else None

    def _edges_of(self, keys: frozenset[SourceKey], known: KnownState) -> KnownState:
        """With the edges of CIs about to be written as they are now; those looked at in this run are not again."""
        edges = [
            edge
            for edge in known.relations.values()
            if self._order.parts.links
            and {edge.parent, edge.child} <= keys
            and (edge.checked_at is None or edge.checked_at < self._began)
        ]

        def read() -> KnownState:
            again = edges_again(self._world, self._order, known, edges)
            self._attempts.found(*again.findings)
            return again.known

        return (self._attempts.looked(read) or known) if edges else known


def _touched(plan: Plan) -> frozenset[SourceKey]:
    """Known CIs that requests will name, to be changed or as an end of an edge; and those that may have to be."""
    written = (ChangeType.UPDATE, ChangeType.HEARTBEAT)
    return frozenset((*(c.item.key for c in plan.items if c.type in written), *plan.carriers, *plan.unread))
