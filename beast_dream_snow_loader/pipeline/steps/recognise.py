"""Recognise: who the new records are in the CMDB, asked of the engine before anything is written (cmdb-model 2.4)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from beast_dream_snow_loader.core.bindings import followed, objection, review
from beast_dream_snow_loader.core.changes import ChangeType, ItemChange
from beast_dream_snow_loader.core.desired import ConfigItem, DesiredState
from beast_dream_snow_loader.core.events import StepAdvanced
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.identity import SourceKey, SysId
from beast_dream_snow_loader.core.known import Candidate, Held, KnownItem, KnownState
from beast_dream_snow_loader.core.mapping_tables import BASE_CLASS, HARDWARE
from beast_dream_snow_loader.core.matching import Match, MatchedBy
from beast_dream_snow_loader.core.names import last_form, named, next_form, planned_names
from beast_dream_snow_loader.core.recognition import Decision, Trial, Verdict, accepted, judge, second_look
from beast_dream_snow_loader.core.status import Statuses
from beast_dream_snow_loader.pipeline.guard import UNREADABLE, reduced
from beast_dream_snow_loader.pipeline.steps.base_class import elsewhere, in_base_class
from beast_dream_snow_loader.pipeline.steps.describe import described
from beast_dream_snow_loader.pipeline.steps.look_up import made_late
from beast_dream_snow_loader.pipeline.world import Order, World


@dataclass(slots=True)
class Recognised:
    """``names`` are the names chosen for records that are new; ``accepted`` existing CIs taken as ours.

    ``base`` are records that turned out to have no class but the base class; ``mine`` the CIs of
    those about to leave it.
    """

    names: dict[SourceKey, str] = field(default_factory=dict)
    base: set[SourceKey] = field(default_factory=set)
    mine: dict[SourceKey, SysId] = field(default_factory=dict)
    accepted: dict[SourceKey, KnownItem] = field(default_factory=dict)
    held: dict[SourceKey, Held] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    trials: list[Trial] = field(default_factory=list)


def recognise(
    world: World, order: Order, desired: DesiredState, keys: Collection[SourceKey], known: KnownState
) -> Recognised:
    """Each new record is tried under its name forms until the engine takes it for nobody else's.

    Where the instance offers no simulation, new records get the name form with their MAC, which nobody
    shares, and CIs with their serial number are looked up.
    """
    reviewed = review(order.bindings, known, desired.items)
    result = Recognised(
        held={held.key: held for held in described(world, reviewed.held.values())},
        findings=list(reviewed.findings),
        mine={key: known.items[key].sys_id for key in keys if key in known.items},
    )
    new = [key for key in keys if key not in result.held]
    entries = dict(known.items)
    work = _Recognition(
        world=world, order=order, items=dict(desired.items), entries=entries, open=new, result=result,
        taken={entry.sys_id: key for key, entry in entries.items()},
        statuses=Statuses.of(desired.choices, order.rules),
    )  # fmt: skip
    work.without_engine([key for key in new if work.items[key].class_name == BASE_CLASS])
    while work.open:
        work.round()
    result.names = {key: work.items[key].name for key in work.cleared}
    result.accepted |= made_late(world, order, result.accepted.keys())
    return result


def recognised_state(
    desired: DesiredState, known: KnownState, recognised: Recognised
) -> tuple[DesiredState, KnownState]:
    """Both with what was found out: names and classes chosen, CIs taken as ours."""
    items = dict(desired.items)
    for key, name in recognised.names.items():
        items[key] = named(items[key], name)
    for key in recognised.base:
        items[key] = replace(items[key], class_name=BASE_CLASS)
    return replace(desired, items=items), replace(known, items={**known.items, **recognised.accepted})


@dataclass(slots=True, kw_only=True)
class _Recognition:
    """``items`` are all records under the names tried so far, ``open`` the new ones still to be asked about,
    ``cleared`` those the engine takes for nobody's under the name they have. ``entries`` and ``taken`` (by sys_id) are
    what is known, and grow by what was accepted."""

    world: World
    order: Order
    items: dict[SourceKey, ConfigItem]
    entries: dict[SourceKey, KnownItem]
    taken: dict[SysId, SourceKey]
    open: list[SourceKey]
    result: Recognised
    statuses: Statuses
    cleared: set[SourceKey] = field(default_factory=set)
    owners: dict[SysId, tuple[SourceKey, ...]] = field(default_factory=dict)
    hardware: set[SysId] = field(default_factory=set)
    rounds: int = 0

    def without_engine(self, keys: Sequence[SourceKey]) -> None:
        """Records that go to the base class are found by their correlation id."""
        in_base_class(self.world, [self.items[key] for key in keys], self.taken, self.result)
        self.entries |= self.result.accepted
        self.open = [key for key in self.open if key not in self.result.base]

    def round(self) -> None:
        """Ask about all open records at once, under names that are free as far as we know."""
        self._name()
        asked = list(self.open)
        matches = self._ask(asked)
        candidates = self._look(matches)
        self._claim(asked)
        tried = {key: self.items[key] for key in asked}
        if candidates:
            matches = second_look(tried, matches, candidates)
        self.open = []
        self.without_engine([match.key for match in matches if match.by is MatchedBy.NO_CLASS])
        for match in sorted(matches, key=self._precedence):
            if match.by is not MatchedBy.NO_CLASS:
                self._settle(match, candidates)
        self._name()
        if self.rounds == 0:
            self.world.listener(StepAdvanced(step="recognise", by=len(asked)))
        self.rounds += 1

    def _name(self) -> None:
        """Free names for all; a cleared record whose name somebody turned out to have is asked about again."""
        present = {key: item for key, item in self.items.items() if key not in self.result.held}
        names = planned_names(present, KnownState(items=self.entries))
        for key in (*self.open, *sorted(self.cleared)):
            if self.items[key].name != names[key]:
                self.items[key] = named(self.items[key], names[key])
                if key in self.cleared:
                    self.cleared.discard(key)
                    self.open.append(key)

    def _ask(self, keys: Sequence[SourceKey]) -> Sequence[Match]:
        if not self.order.parts.preflight:
            return self._untried(keys)
        try:
            return self.world.cmdb.simulate([_as_create(self.items[key]) for key in keys])
        except UNREADABLE as error:
            message = f"New records could not be tried first ({error.message}): named with MAC."
            self.result.findings.append(reduced("preflight.unavailable", message))
            return self._untried(keys)

    def _untried(self, keys: Sequence[SourceKey]) -> Sequence[Match]:
        """Without a simulation: names carry the MAC, which nobody shares, and serial numbers are looked up."""
        self.items |= {key: last_form(self.items[key]) for key in keys}
        return _by_serial(self.world, {key: self.items[key] for key in keys}, self.result)

    def _look(self, matches: Sequence[Match]) -> Mapping[str, Candidate] | None:
        """The matched CIs, read a second time; None where that is refused: a name alone then convinces nobody, and the
        rest is only enriched with what is always ours."""
        bound = {self.order.bindings[match.key] for match in matches if match.key in self.order.bindings}
        sys_ids = sorted({sys_id for match in matches for sys_id in match.sys_ids} | bound)
        elements = sorted({element for match in matches for element in self.items[match.key].values})
        try:
            return self.world.cmdb.candidates(sys_ids, elements) if sys_ids else {}
        except UNREADABLE as error:
            finding = reduced("identity.unreadable", f"Matched CIs cannot be read ({error.message}).")
            self.result.findings.append(finding)
            return None

    def _claim(self, keys: Sequence[SourceKey]) -> None:
        """What the CIs are that the operator names: hardware, and whose native keys lead there."""
        bound = {self.order.bindings[key] for key in keys if key in self.order.bindings} - self.owners.keys()
        if not bound:
            return
        self.owners |= dict.fromkeys(bound, ())
        try:
            self.hardware |= self.world.cmdb.hardware(bound)
            self.owners |= self.world.cmdb.owners(bound)
        except UNREADABLE as error:
            self.hardware |= bound
            message = f"What bound CIs are, and whose, cannot be read ({error.message})."
            self.result.findings.append(reduced("binding.unchecked", message))

    def _precedence(self, match: Match) -> tuple[bool, bool, SourceKey]:
        """Who is first where two claim one CI: its own native key, then the operator, then the engine."""
        return (match.by is not MatchedBy.SOURCE, match.key not in self.order.bindings, match.key)

    def _settle(self, match: Match, candidates: Mapping[str, Candidate] | None) -> None:
        item = self.items[match.key]
        bound = self.order.bindings.get(match.key)
        verdict = judge(item, match, candidates) if bound is None else self._bound(item, bound, candidates)
        self.result.trials.append(Trial(key=item.key, name=item.name, match=match, verdict=verdict))
        following = next_form(item) if verdict.decision is Decision.NEXT_NAME else None
        leaves = item.key in self.result.mine and verdict.decision is Decision.NEXT_NAME
        if verdict.decision is Decision.NEW or leaves:  # addressed by sys_id, so a shared name does not mislead
            self.cleared.add(item.key)
        elif verdict.decision is Decision.ACCEPT and verdict.sys_id is not None:
            self._accept(item, verdict, verdict.sys_id, (candidates or {}).get(verdict.sys_id))
        elif following is not None:
            self.items[item.key] = following
            self.open.append(item.key)
            self.result.findings.append(_name_taken(item, verdict))
        else:
            self.result.held[item.key] = verdict.held or Held(
                key=item.key, rule="identity.name_taken", reason="every form of its name belongs to somebody else's CI"
            )

    def _bound(self, item: ConfigItem, sys_id: SysId, candidates: Mapping[str, Candidate] | None) -> Verdict:
        """The operator's word outweighs the engine's, unless it cannot be followed."""
        candidate = (candidates or {}).get(sys_id)
        held = None
        if candidates is not None:
            ours = [self.taken[sys_id]] if sys_id in self.taken else []
            hardware = HARDWARE not in item.class_chain or sys_id in self.hardware
            held = objection(item.key, sys_id, candidate, (*ours, *self.owners.get(sys_id, ())), hardware=hardware)
        if held is not None:
            return Verdict(decision=Decision.HOLD, held=held)
        self.result.findings.append(followed(item.key, sys_id))
        return accepted(sys_id, item, candidate, basis="binding.followed")

    def _accept(self, item: ConfigItem, verdict: Verdict, sys_id: SysId, candidate: Candidate | None) -> None:
        if (mine := self.result.mine.get(item.key, sys_id)) != sys_id:
            self.result.held[item.key] = elsewhere(item, mine, candidate)
            return
        owner = self.taken.setdefault(sys_id, item.key)
        if owner != item.key:
            self.result.held[item.key] = _shared(item.key, owner, candidate)
            return
        if candidate is not None and self.statuses.ended(candidate.values):
            self.result.findings.append(_retired(item, sys_id))
        known = _known(item, verdict, sys_id, candidate)
        self.result.accepted[item.key] = self.entries[item.key] = known
        if verdict.weak:
            self.result.findings.append(_weak(item, sys_id, candidate))


def _as_create(item: ConfigItem) -> ItemChange:
    return ItemChange(type=ChangeType.CREATE, item=item, send=item.values)


def _known(item: ConfigItem, verdict: Verdict, sys_id: SysId, candidate: Candidate | None) -> KnownItem:
    return KnownItem(
        key=item.key,
        sys_id=sys_id,
        class_name=candidate.class_name if candidate and candidate.class_name else item.class_name,
        created_by_us=False,
        stored=candidate.values if candidate else None,
        weak=verdict.weak,
        send_serial=verdict.send_serial,
    )


def _shared(key: SourceKey, owner: SourceKey, candidate: Candidate | None) -> Held:
    return Held(
        key=key,
        rule="identity.shared",
        reason=f"the CI it matches is already {owner}: two records of UniFi claim one CI",
        candidates=(candidate,) if candidate else (),
    )


def _name_taken(item: ConfigItem, verdict: Verdict) -> Finding:
    why = verdict.held.reason if verdict.held else "its name belongs to another CI"
    message = f"{item.label or item.key}: {why}. Another form of the name is used."
    return Finding(record=str(item.key), rule="name.taken", severity=Severity.WARNING, message=message, field="name")


def _retired(item: ConfigItem, sys_id: SysId) -> Finding:
    message = (
        f"The CI {sys_id} that it is was set to Retired by others, and UniFi shows it at work: it is kept up to date, "
        "its status is left to its owner."
    )
    return Finding(
        record=str(item.key),
        rule="identity.retired",
        severity=Severity.WARNING,
        message=message,
        field="install_status",
    )


def _weak(item: ConfigItem, sys_id: SysId, candidate: Candidate | None) -> Finding:
    class_name = candidate.class_name if candidate else item.class_name
    message = (
        f"{item.label or item.key} is taken for the CI {sys_id} ({class_name}) because name and address agree; it has "
        "neither serial number nor MAC to compare. If that is wrong, bind it to the right CI."
    )
    return Finding(record=str(item.key), rule="identity.weak", severity=Severity.WARNING, message=message)


def _by_serial(world: World, items: Mapping[SourceKey, ConfigItem], result: Recognised) -> list[Match]:
    serials = {key: item.values.get("serial_number", "") for key, item in items.items()}
    try:
        there = world.cmdb.by_serial([serial for serial in serials.values() if serial])
    except UNREADABLE as refused:
        result.findings.append(reduced("identity.unreadable", f"Serials cannot be compared ({refused.message})."))
        there = {}
    return [_serial_match(key, there.get(serial.upper(), ())) for key, serial in serials.items()]


def _serial_match(key: SourceKey, sys_ids: Sequence[str]) -> Match:
    by = MatchedBy.NOTHING if not sys_ids else MatchedBy.SERIAL if len(sys_ids) == 1 else MatchedBy.SEVERAL
    return Match(key=key, by=by, sys_ids=tuple(sys_ids))
