"""A load from beginning to end. The first page to read."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from beast_dream_snow_loader.core.changes import Change, LinkChange, Plan, UnlinkChange
from beast_dream_snow_loader.core.findings import Finding
from beast_dream_snow_loader.core.mapping_tables import BASE_CLASS
from beast_dream_snow_loader.core.remarks import doubted, in_base_class
from beast_dream_snow_loader.core.scope import links_in
from beast_dream_snow_loader.core.staleness import Stale
from beast_dream_snow_loader.core.superseding import looked_at
from beast_dream_snow_loader.errors import StalePlan
from beast_dream_snow_loader.pipeline.aftermath import read_back, tell
from beast_dream_snow_loader.pipeline.apply import Applier
from beast_dream_snow_loader.pipeline.client_links import ClientLinker
from beast_dream_snow_loader.pipeline.guard import AWAY, UNREADABLE, Steps, reduced
from beast_dream_snow_loader.pipeline.outcome import LoadOutcome
from beast_dream_snow_loader.pipeline.prepare import Preparation, Prepared
from beast_dream_snow_loader.pipeline.renew import Ordered, Renewal
from beast_dream_snow_loader.pipeline.steps.verify import retired, verify_retired
from beast_dream_snow_loader.pipeline.world import Order, World


class Load:
    """One load. :meth:`run` may raise; ``outcome`` then holds what was done before."""

    def __init__(self, world: World, order: Order, ordered: Ordered | None = None) -> None:
        """``ordered`` is a saved plan to be applied; without one the plan is made here."""
        self.outcome = LoadOutcome()
        self._ordered = ordered
        self._world = world
        self._order = order
        self._waiting: tuple[LinkChange, ...] = ()
        self._steps = Steps(clock=world.clock, listener=world.listener, done=self.outcome.steps)

    def run(self) -> LoadOutcome:
        """prepare (read and plan) → load → link → unlink → verify → retire. A dry run ends with the plan.

        Raises StalePlan at the end when parts of a saved plan no longer fitted, TooManyRetirements when the guard says
        no to them; the rest is done then.
        """
        before = {entry.id for entry in self._world.journal.parked()}
        prepared = self._prepare()
        if not self._order.dry_run:
            self._world.ledger.note(prepared.plan.noted)
            self._keep_attendance(prepared)
            try:
                self._carry_out(prepared)
            finally:
                self._tell_parked(before)
        self._tell_reduced()
        if self.outcome.stale:
            raise _no_longer_fits(self.outcome.stale)
        if prepared.refused is not None:
            raise prepared.refused
        return self.outcome

    def _carry_out(self, prepared: Prepared) -> None:
        applier = Applier(self._world, self._order, prepared.plan, self.outcome.away)
        self._apply(applier, prepared.plan)
        self._supersede(prepared)
        read_back(self._world, self._order, self.outcome, self._steps)
        self._doubt()
        self._retire(applier, prepared.plan)

    def _tell_parked(self, before: Collection[int]) -> None:
        """Those left out of the plan that still are, and those that this run put there."""
        left_out = {entry.id for entry in self.outcome.parked}
        letters = self._world.journal.parked()
        self.outcome.parked = [entry for entry in letters if entry.id in left_out or entry.id not in before]

    def _prepare(self) -> Prepared:
        if self._ordered is not None:
            return Renewal(self._world, self._order, self._ordered, self.outcome, self._steps).run()
        return Preparation(self._world, self._order, self.outcome, self._steps).run()

    def _doubt(self) -> None:
        """What the instance answered may contradict what is remembered of it: the next run then asks for all anew."""
        facts = self.outcome.facts
        if facts is not None and (doubts := tuple(doubted(self.outcome.settlements))):
            self._world.memory.save_facts(self._order.target, replace(facts, findings=(*facts.findings, *doubts)))

    def _tell_reduced(self) -> None:
        """CIs in the base class, as they stand now; of a dry run as they would."""
        desired = self.outcome.desired
        if self._order.dry_run and desired is not None:
            self.outcome.reduced = sum(item.class_name == BASE_CLASS for item in desired.items.values())
        else:
            self.outcome.reduced = self._world.ledger.in_class(BASE_CLASS)
        if self.outcome.reduced:
            self._found(in_base_class(self.outcome.reduced))

    def _keep_attendance(self, prepared: Prepared) -> None:
        """Before anything is written: who was seen counts, whatever becomes of this run; so does what moved."""
        ledger = self._world.ledger
        ledger.watch(prepared.plan.watched)
        if prepared.attendance is not None:
            ledger.attend(prepared.attendance)
        ledger.settled_without_us(prepared.already, self._world.clock.now())
        ledger.settled_without_us(prepared.kept, None)

    def _apply(self, applier: Applier, plan: Plan) -> None:
        try:
            with self._steps.step("load", total=len(plan.items) + len(plan.links)) as counted:
                applier.load(plan.lanes)
                counted.records = len(applier.settlements)
            with self._steps.step("link") as counted:
                before = len(applier.settlements)
                applier.link()
                if self.outcome.away is None:
                    applier.second_chance()
                counted.records = len(applier.settlements) - before
            self._link_clients(applier, plan)
            self._unlink(applier, plan.unlinks_before_retiring)
        finally:
            tell(self.outcome, applier.settlements, (*applier.unlinked(), *self._waiting))

    def _link_clients(self, applier: Applier, plan: Plan) -> None:
        if not plan.client_links:
            return
        linker = ClientLinker(self._world, self._order, applier)
        with self._steps.step("link clients", total=len(plan.client_links)) as counted:
            before = len(applier.settlements)
            linker.draw(plan.client_links)
            counted.records = len(applier.settlements) - before
        self._waiting = tuple(linker.waiting)
        self._found(*linker.findings)

    def _unlink(self, applier: Applier, unlinks: Sequence[UnlinkChange]) -> None:
        if unlinks and not self._world.stopping():
            with self._steps.step("unlink", total=len(unlinks)) as counted:
                before = len(applier.settlements)
                applier.unlink(unlinks)
                counted.records = len(applier.settlements) - before

    def _supersede(self, prepared: Prepared) -> None:
        """Queued and parked changes that this plan looked at and found needless; what it could not look at stays."""
        desired = self.outcome.desired
        if desired is None or self._world.stopping():
            return
        plan = prepared.plan
        edges: tuple[Change, ...] = (*plan.links, *plan.client_links, *plan.unlinks)
        every: tuple[Change, ...] = (*plan.items, *edges, *plan.retirements, *prepared.left_out)
        kept = {change.subject for change in every} | {str(held.key) for held in self.outcome.held}
        queued = [entry.change for entry in (*self._world.journal.queued(), *self._world.journal.parked())]
        decided = links_in(prepared.scope, desired) if self.outcome.away is None else ()
        seen = looked_at(queued, desired, prepared.keys, {link.relation.lower for link in decided})
        self._world.journal.supersede(sorted(seen - kept))

    def _retire(self, applier: Applier, plan: Plan) -> None:
        """Last, when all that is there has been written and verified."""
        if not plan.retirements or self._world.stopping():
            return
        with self._steps.step("retire", total=len(plan.retirements)) as counted:
            try:
                applier.retire(plan.retirements)
                applier.unlink(plan.unlinks_of(retired(applier.settlements)))
            finally:
                self.outcome.settlements = applier.settlements
            counted.records = len(retired(applier.settlements))
            if not self._order.parts.verify:
                return
            try:
                self._found(*verify_retired(self._world, applier.settlements))
            except (*AWAY, *UNREADABLE) as error:
                self._steps.met(error)
                self._found(reduced("verify.skipped", f"What was retired could not be read back: {error.message}"))

    def _found(self, *findings: Finding) -> None:
        self.outcome.findings.extend(findings)


def _no_longer_fits(stale: Sequence[Stale]) -> StalePlan:
    named = ", ".join(sorted({one.record for one in stale})[:5])
    records = len({one.record for one in stale})
    return StalePlan(
        f"Changes of the plan that no longer fit and were left out: {len(stale)}, of {records} records: {named}"
        f"{' and others' if records > 5 else ''}.",
        next_step="The findings say why. Make a new plan: snowload plan --out FILE",
    )
