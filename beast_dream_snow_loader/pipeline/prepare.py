"""Everything before the first write: what is there, what should be, and the plan between the two. Only reads."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from beast_dream_snow_loader.core.ahead import dated_ahead
from beast_dream_snow_loader.core.changes import Change, Plan
from beast_dream_snow_loader.core.class_moves import moves_up
from beast_dream_snow_loader.core.desired import ClientLink, DesiredState
from beast_dream_snow_loader.core.facts import InstanceFacts
from beast_dream_snow_loader.core.fitting import fit
from beast_dream_snow_loader.core.guards import refuse_empty_source
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.core.known import KnownState
from beast_dream_snow_loader.core.mapping import map_snapshot
from beast_dream_snow_loader.core.parking import without_parked
from beast_dream_snow_loader.core.presence import Attendance, State, take_attendance
from beast_dream_snow_loader.core.retirement import edges_of, retired_by_us
from beast_dream_snow_loader.core.scope import Scope, keys_in, links_in, resolved
from beast_dream_snow_loader.core.status import DECIDED, Statuses
from beast_dream_snow_loader.core.validation import accepted, check
from beast_dream_snow_loader.core.wanted_facts import wishes
from beast_dream_snow_loader.errors import TooManyRetirements, UnknownDataSource
from beast_dream_snow_loader.pipeline.attempts import Attempts
from beast_dream_snow_loader.pipeline.drafting import Drafting
from beast_dream_snow_loader.pipeline.guard import Steps
from beast_dream_snow_loader.pipeline.outcome import LoadOutcome
from beast_dream_snow_loader.pipeline.steps.attach import attach
from beast_dream_snow_loader.pipeline.steps.attend import see_off, status_read
from beast_dream_snow_loader.pipeline.steps.fetch import fetch
from beast_dream_snow_loader.pipeline.steps.probe import probe
from beast_dream_snow_loader.pipeline.steps.recall import Recalled, recall
from beast_dream_snow_loader.pipeline.steps.recognise import recognise, recognised_state
from beast_dream_snow_loader.pipeline.steps.rows import fill
from beast_dream_snow_loader.pipeline.steps.survey import survey
from beast_dream_snow_loader.pipeline.world import Order, World

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """``keys`` are the records this run may write; ``scope`` in keys.

    ``attendance`` is None when the source was not read now; ``refused`` says why nothing is retired though some CIs are
    due. ``already`` are gone and were retired by others; ``kept`` are back, with a status that a person changed.
    ``left_out`` are changes that were parked: they are not sent again until a person says so.
    """

    plan: Plan
    keys: frozenset[SourceKey]
    scope: Scope
    attendance: Attendance | None = None
    refused: TooManyRetirements | None = None
    already: tuple[SourceKey, ...] = ()
    kept: tuple[SourceKey, ...] = ()
    left_out: tuple[Change, ...] = ()


class Preparation:
    """One plan in the making. :meth:`run` may raise; ``outcome`` then holds what was found out before."""

    def __init__(self, world: World, order: Order, outcome: LoadOutcome, steps: Steps) -> None:
        self._world = world
        self._order = order
        self._outcome = outcome
        self._attempts = Attempts(world, outcome, steps)
        self._began = world.clock.now()
        self._some_seen = False

    def run(self) -> Prepared:
        """fetch → transform → validate → recall → recognise → plan → attach."""
        desired = self._validate(self._transform())
        known = self._recall(desired)
        desired, known = self._recognise(desired, known)
        drafting = Drafting(self._world, self._order, self._outcome, self._attempts, self._began)
        plan, known, gone = drafting.plan(desired, self._status_read(desired, known))
        if gone:
            desired, known = self._recognise(desired, drafting.healed(known, gone, some_seen=self._some_seen))
            plan, known, _ = drafting.plan(desired, known)
        self._attempts.found(*plan.findings)
        self._outcome.plan = plan
        plan = self._attach(desired, known, plan)
        attendance = self._attend(known)
        prepared = Prepared(plan=plan, keys=keys_in(self._order.scope, desired), scope=self._order.scope)
        if attendance is not None:
            prepared = self._see_off(prepared, attendance, known)
        return self._without_parked(prepared)

    def _without_parked(self, prepared: Prepared) -> Prepared:
        letters = {entry.change.subject: entry for entry in self._world.journal.parked()}
        contents = {subject: entry.content for subject, entry in letters.items()}
        self._outcome.plan, left_out = without_parked(prepared.plan, contents)
        self._outcome.parked = [letters[change.subject] for change in left_out]
        return replace(prepared, plan=self._outcome.plan, left_out=left_out)

    @property
    def _statuses(self) -> Statuses:
        facts = self._outcome.facts
        csdm = self._order.retire.csdm
        return Statuses.of(facts.choices if facts is not None else {}, self._order.rules, csdm=csdm)

    def _attend(self, known: KnownState) -> Attendance | None:
        snapshot, mapped = self._outcome.snapshot, self._outcome.mapped
        if snapshot is None or mapped is None or not self._outcome.live:
            return None
        order = self._order
        clients = order.rules.clients_mode == "create"
        return take_attendance(snapshot, mapped, known, order.retire, scope=order.scope, clients=clients)

    def _status_read(self, desired: DesiredState, known: KnownState) -> KnownState:
        """The status of those who are back, or long offline, is looked at before anything is decided about it."""
        now, asked = self._world.clock.now(), keys_in(self._order.scope, desired) & known.items.keys()
        statuses = self._statuses
        keys = [key for key in sorted(asked) if statuses.in_question(desired.items[key], known.items[key], now)]
        if not keys or self._attempts.away is not None:
            return known
        return self._attempts.looked(lambda: status_read(self._world, self._order, known, keys, statuses)) or known

    def _see_off(self, prepared: Prepared, attendance: Attendance, known: KnownState) -> Prepared:
        away = self._attempts.away is not None
        seen_off = see_off(self._world, self._order, attendance, known, self._statuses, away=away)
        self._attempts.found(*seen_off.findings)
        self._outcome.attendance = seen_off.attendance
        absent = (known.items[key] for key in seen_off.attendance.of(State.RETIRED))
        left = retired_by_us(filter(self._order.scope.covers, absent), self._statuses)  # by a run that was cut short
        leaving = left | {change.item.key for change in seen_off.retirements}
        left_too = edges_of(leaving, known.relations, prepared.plan.unlinks) if self._order.parts.links else ()
        unlinks = (*prepared.plan.unlinks, *left_too)
        self._outcome.plan = plan = replace(prepared.plan, retirements=seen_off.retirements, unlinks=unlinks)
        set_back = {change.item.key for change in plan.items if change.send.keys() & set(DECIDED)}
        looked_at = {key for key in attendance.of(State.RETURNED) if known.items[key].stored is not None}
        return replace(
            prepared,
            plan=plan,
            attendance=seen_off.attendance,
            refused=seen_off.refused,
            already=seen_off.already,
            kept=tuple(sorted(looked_at - set_back)),
        )

    def _transform(self) -> DesiredState:
        with self._attempts.step("fetch") as counted:
            fetched = fetch(self._world, self._order)
            snapshot = fetched.snapshot
            counted.records = len(snapshot.devices) + len(snapshot.clients)
        self._outcome.snapshot, self._outcome.live = snapshot, fetched.live
        self._attempts.found(*fetched.findings, *snapshot.findings)
        refuse_empty_source(snapshot, self._world.ledger.known())
        self._order = replace(self._order, scope=resolved(self._order.scope, snapshot))
        with self._attempts.step("transform") as counted:
            desired = self._with_links(map_snapshot(snapshot, self._order.rules))
            counted.records = len(desired.items)
        self._attempts.found(*desired.findings)
        self._outcome.mapped = desired
        return desired

    def _with_links(self, desired: DesiredState) -> DesiredState:
        """Without edges where that part is off: those that exist stay as they are."""
        return desired if self._order.parts.links else replace(desired, relations=(), client_links=(), orphans=())

    def _validate(self, desired: DesiredState) -> DesiredState:
        with self._attempts.step("validate", total=len(desired.items)) as counted:
            wished = replace(wishes(desired, self._order.rules), life_cycle=self._order.retire.csdm)
            surveyed = survey(self._world, self._order, wished)
            if surveyed.facts.unregistered and surveyed.away is None:
                raise unregistered(surveyed.facts.unregistered)
            if surveyed.away is not None:
                self._attempts.gone_away(surveyed.away)
            facts = self._outcome.facts = self._fill(surveyed.facts, desired)
            self._attempts.found(*facts.findings)
            before = len(desired.findings)
            fitted = fit(desired, facts, self._order.rules)
            findings = check(fitted)
            self._attempts.found(*fitted.findings[before:], *findings)
            counted.records = len(fitted.items)
            sound = accepted(fitted, findings)
            self._attempts.found(*sound.orphans)
        self._outcome.held.extend(fitted.held)
        self._outcome.desired = sound
        return sound

    def _fill(self, facts: InstanceFacts, desired: DesiredState) -> InstanceFacts:
        """With the reference rows made that this run's records want."""
        if self._attempts.away is None:
            mine = {key: desired.items[key] for key in keys_in(self._order.scope, desired)}
            wished = wishes(replace(desired, items=mine), self._order.rules)
            return self._attempts.attempt(lambda: fill(self._world, self._order, facts, wished.references)) or facts
        return facts

    def _recall(self, desired: DesiredState) -> KnownState:
        beating = {key for key, item in desired.items.items() if item.online and item.seen_at is not None}
        with self._attempts.step("recall") as counted:
            told = "What the CMDB holds cannot be checked"
            recalled = (
                self._attempts.attempt(lambda: self._probed_recall(beating), "recall.unreadable", told)
                or self._remembered()
            )
            now = self._world.clock.now()
            self._attempts.found(*recalled.findings, *dated_ahead(recalled.known.items.values(), now))
            self._outcome.held.extend(recalled.held)
            self._some_seen = recalled.some_seen
            counted.records = len(recalled.known.items)
        if recalled.unregistered and self._outcome.facts is not None and self._outcome.facts.engine:
            raise unregistered(recalled.unregistered)
        return recalled.known

    def _probed_recall(self, beating: Collection[SourceKey]) -> Recalled:
        if self._attempts.away is not None:
            return self._remembered()
        probe(self._world)
        return recall(self._world, self._order, reachable=True, beating=beating)

    def _remembered(self) -> Recalled:
        return recall(self._world, self._order, reachable=False)

    def _recognise(self, desired: DesiredState, known: KnownState) -> tuple[DesiredState, KnownState]:
        scope = keys_in(self._order.scope, desired)
        new = sorted(key for key in scope if key not in known.items or moves_up(desired.items[key], known.items[key]))
        if not (new or self._order.bindings) or self._attempts.away is not None:
            return desired, known
        with self._attempts.step("recognise", total=len(new)) as counted:
            recognised = self._attempts.attempt(lambda: recognise(self._world, self._order, desired, new, known))
            counted.records = len(new)
        if recognised is None:
            return desired, known
        told = set(self._outcome.findings)  # by the first look, when a CI turned out to be gone meanwhile
        self._attempts.found(*(finding for finding in recognised.findings if finding not in told))
        self._outcome.trials = recognised.trials
        held = {one.key for one in self._outcome.held}
        self._outcome.held.extend(one for key, one in recognised.held.items() if key not in held)
        return recognised_state(desired, known, recognised)

    def _attach(self, desired: DesiredState, known: KnownState, plan: Plan) -> Plan:
        """The plan with the edges of clients whose CIs are not ours."""
        wanted = links_in(self._order.scope, desired)
        if not wanted:
            return plan
        if self._attempts.away is not None:
            return self._unattached(plan, wanted, known)
        with self._attempts.step("attach", total=len(wanted)) as counted:
            clients = self._attempts.attempt(
                lambda: attach(self._world, self._order, wanted, known, desired.looked),
                "client.unreadable",
                "CIs of clients cannot be looked for",
            )
            counted.records = len(wanted)
        if clients is None:
            return self._unattached(plan, wanted, known)
        self._attempts.found(*clients.findings)
        self._outcome.plan = replace(
            plan,
            client_links=clients.links,
            unlinks=(*plan.unlinks, *clients.unlinks),
            watched=(*plan.watched, *clients.watched),
            client_orphans=clients.orphans,
        )
        return self._outcome.plan

    def _unattached(self, plan: Plan, wanted: Sequence[ClientLink], known: KnownState) -> Plan:
        """Whether they have a CI cannot be seen: only the edges that are known are there."""
        drawn = known.standing.relations
        without = sum(link.relation.key not in drawn for link in wanted)
        self._outcome.plan = replace(plan, client_orphans=without)
        return self._outcome.plan


def unregistered(source: str) -> UnknownDataSource:
    """What the engine would answer to every single write, said once and before the first."""
    return UnknownDataSource(
        f"The instance does not know the discovery source {source}: it would refuse every write.",
        next_step=f"Register it: snowload doctor --register-source. Or an administrator adds {source} as a choice of "
        "discovery_source on cmdb_ci (sys_choice).",
    )
