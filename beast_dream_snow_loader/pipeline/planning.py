"""A plan from a live read of both ends, with what it saw. Nothing is written."""

from __future__ import annotations

from beast_dream_snow_loader.core.saved_plan import SavedPlan
from beast_dream_snow_loader.pipeline.guard import AWAY, UNREADABLE, Steps, reduced
from beast_dream_snow_loader.pipeline.outcome import LoadOutcome
from beast_dream_snow_loader.pipeline.prepare import Preparation, Prepared
from beast_dream_snow_loader.pipeline.steps.see import see
from beast_dream_snow_loader.pipeline.world import Order, World


class Planning:
    """One plan. :meth:`run` may raise; ``outcome`` then holds what was found out before."""

    def __init__(self, world: World, order: Order) -> None:
        self.outcome = LoadOutcome()
        self.prepared: Prepared | None = None
        self._world = world
        self._order = order
        self._steps = Steps(clock=world.clock, listener=world.listener, done=self.outcome.steps)

    def run(self) -> SavedPlan:
        """prepare → see. Where the CIs cannot be read, ``seen`` is empty and ``outcome`` says why."""
        self.prepared = Preparation(self._world, self._order, self.outcome, self._steps).run()
        plan = self.prepared.plan
        if (refused := self.prepared.refused) is not None:
            self.outcome.findings.append(reduced(refused.code, str(refused)))
        if self.outcome.away is not None:
            return SavedPlan.of(plan, ())
        with self._steps.step("see") as counted:
            try:
                seen = see(self._world, plan)
            except AWAY as error:
                self.outcome.away, seen = error, ()
            except UNREADABLE as error:
                message = f"The CIs to be changed cannot be read ({error.message}): this plan cannot be applied later."
                self.outcome.findings.append(reduced("plan.unseen", message))
                seen = ()
            counted.records = len(seen)
        return SavedPlan.of(plan, seen)
