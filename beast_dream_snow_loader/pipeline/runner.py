"""A load from beginning to end. The first page to read."""

from __future__ import annotations

from dataclasses import replace

from beast_dream_snow_loader.core.changes import Change, ChangeType, ItemChange, Plan
from beast_dream_snow_loader.core.desired import DesiredState
from beast_dream_snow_loader.core.findings import Finding
from beast_dream_snow_loader.core.fitting import fit, wishes
from beast_dream_snow_loader.core.guards import refuse_empty_source
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.core.known import KnownState
from beast_dream_snow_loader.core.mapping import map_snapshot
from beast_dream_snow_loader.core.planner import make_plan
from beast_dream_snow_loader.core.scope import keys_in, narrowed, resolved
from beast_dream_snow_loader.core.validation import accepted, check
from beast_dream_snow_loader.pipeline.apply import Applier
from beast_dream_snow_loader.pipeline.guard import AWAY, UNREADABLE, Steps, reduced
from beast_dream_snow_loader.pipeline.outcome import LoadOutcome
from beast_dream_snow_loader.pipeline.steps.drift import with_stored
from beast_dream_snow_loader.pipeline.steps.fetch import fetch
from beast_dream_snow_loader.pipeline.steps.recall import recall
from beast_dream_snow_loader.pipeline.steps.recognise import Recognised, apply_names, recognise
from beast_dream_snow_loader.pipeline.steps.survey import survey
from beast_dream_snow_loader.pipeline.steps.verify import verify
from beast_dream_snow_loader.pipeline.world import Order, World


class Load:
    """One load. :meth:`run` may raise; ``outcome`` then holds what was done before."""

    def __init__(self, world: World, order: Order) -> None:
        self.outcome = LoadOutcome()
        self._world = world
        self._order = order
        self._present: tuple[SourceKey, ...] = ()
        self._steps = Steps(clock=world.clock, listener=world.listener, done=self.outcome.steps)

    def run(self) -> LoadOutcome:
        """fetch → transform → validate → recall → recognise → plan → load → link → verify."""
        desired = self._validate(self._transform())
        known = self._recall()
        desired, known = self._recognise(desired, known)
        plan = self._plan(desired, known)
        if not self._order.dry_run:
            self._load(plan)
            self._verify()
            self._take_attendance()
        return self.outcome

    def _transform(self) -> DesiredState:
        with self._steps.step("fetch") as counted:
            fetched = fetch(self._world, self._order)
            snapshot = fetched.snapshot
            counted.records = len(snapshot.devices) + len(snapshot.clients)
        self.outcome.snapshot, self.outcome.stale_seconds = snapshot, fetched.stale_seconds
        self._found(*fetched.findings, *snapshot.findings)
        refuse_empty_source(snapshot, self._world.ledger.known())
        self._order = replace(self._order, scope=resolved(self._order.scope, snapshot))
        with self._steps.step("transform") as counted:
            desired = map_snapshot(snapshot, self._order.rules)
            counted.records = len(desired.items)
        self._found(*desired.findings)
        self._present = tuple(desired.items)
        return desired

    def _validate(self, desired: DesiredState) -> DesiredState:
        with self._steps.step("validate", total=len(desired.items)) as counted:
            surveyed = survey(self._world, self._order, wishes(desired, self._order.rules))
            self.outcome.away = surveyed.away
            self._found(*surveyed.facts.findings)
            before = len(desired.findings)
            fitted = fit(desired, surveyed.facts, self._order.rules)
            findings = check(fitted)
            self._found(*fitted.findings[before:], *findings)
            counted.records = len(fitted.items)
            sound = accepted(fitted, findings)
        self.outcome.desired = sound
        return sound

    def _recall(self) -> KnownState:
        with self._steps.step("recall") as counted:
            try:
                recalled = recall(self._world, self._order, reachable=self.outcome.away is None)
            except AWAY as error:
                self.outcome.away = error
                recalled = recall(self._world, self._order, reachable=False)
            except UNREADABLE as error:
                self._found(reduced("recall.unreadable", f"What the CMDB holds cannot be checked: {error.message}"))
                recalled = recall(self._world, self._order, reachable=False)
            self._found(*recalled.findings)
            counted.records = len(recalled.known.items)
        return recalled.known

    def _recognise(self, desired: DesiredState, known: KnownState) -> tuple[DesiredState, KnownState]:
        scope = keys_in(self._order.scope, desired)
        new = sorted(key for key in scope if key not in known.items)
        if not new or self.outcome.away is not None:
            return desired, known
        with self._steps.step("recognise", total=len(new)) as counted:
            try:
                recognised = recognise(self._world, self._order, desired, new, known)
            except AWAY as error:
                self.outcome.away = error
                return desired, known
            counted.records = len(new)
        self._found(*recognised.findings)
        self.outcome.held.extend(recognised.held.values())
        return _with_recognised(desired, known, recognised)

    def _plan(self, desired: DesiredState, known: KnownState) -> Plan:
        with self._steps.step("plan", total=len(desired.items)) as counted:
            held = tuple(self.outcome.held)
            now, rules = self._world.clock.now(), self._order.rules
            plan = make_plan(desired, known, now=now, rules=rules, held=held, full=self._order.full)
            if self.outcome.away is None and (seen := self._look_again(plan, known)) is not None:
                plan = make_plan(desired, seen, now=now, rules=rules, held=held, full=self._order.full)
            if not self._order.scope.whole:
                plan = narrowed(plan, keys_in(self._order.scope, desired))
            counted.records = len(plan.items) + len(plan.links)
        self._found(*plan.findings)
        self.outcome.plan = plan
        return plan

    def _look_again(self, plan: Plan, known: KnownState) -> KnownState | None:
        """What the CMDB holds now of the CIs about to be written: what people changed meanwhile is kept (6.9)."""
        touched = {c.item.key for c in plan.items if c.type is ChangeType.UPDATE} | plan.carriers.keys()
        items = [known.items[key] for key in sorted(touched) if known.items[key].stored is None]
        if not items:
            return None
        try:
            return with_stored(self._world, known, items)
        except AWAY as error:
            self.outcome.away = error
        except UNREADABLE as error:
            self._found(reduced("drift.unreadable", f"Changes made by hand cannot be seen: {error.message}"))
        return None

    def _load(self, plan: Plan) -> None:
        applier = Applier(self._world, self._order, plan, self.outcome.away)
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
            self._supersede(plan)
        finally:
            self.outcome.settlements = applier.settlements
            self.outcome.unlinked = applier.unlinked()

    def _supersede(self, plan: Plan) -> None:
        """Queued changes that this plan looked at and found needless; what it could not look at stays queued."""
        desired = self.outcome.desired
        if desired is None or self._world.stopping():
            return
        every: tuple[Change, ...] = (*plan.items, *plan.links)
        kept = {change.subject for change in every} | {str(held.key) for held in self.outcome.held}
        keys = keys_in(self._order.scope, desired)
        seen = {str(key) for key in keys} | {edge.key for edge in desired.relations if edge.lower in keys}
        queued = {entry.change.subject for entry in self._world.journal.queued()}
        self._world.journal.supersede(sorted((queued & seen) - kept))

    def _verify(self) -> None:
        if not any(isinstance(s.change, ItemChange) for s in self.outcome.settlements):
            return
        with self._steps.step("verify") as counted:
            try:
                verified = verify(self._world, self.outcome.settlements)
            except (*AWAY, *UNREADABLE) as error:
                self._found(reduced("verify.skipped", f"What was written could not be read back: {error.message}"))
                return
            counted.records = self.outcome.checked = verified.checked
            self._found(*verified.findings)

    def _take_attendance(self) -> None:
        """Who was seen, for those who will be missing later; only a whole, fresh, complete read counts."""
        snapshot = self.outcome.snapshot
        if snapshot is not None and self.outcome.stale_seconds is None:
            whole = not snapshot.partial and self._order.scope.whole
            self._world.ledger.seen(self._present, whole, snapshot.taken_at)

    def _found(self, *findings: Finding) -> None:
        self.outcome.findings.extend(findings)


def _with_recognised(
    desired: DesiredState, known: KnownState, recognised: Recognised
) -> tuple[DesiredState, KnownState]:
    renamed = apply_names(desired, recognised.names)
    items = {**known.items, **recognised.accepted}
    return renamed, replace(known, items=items)
