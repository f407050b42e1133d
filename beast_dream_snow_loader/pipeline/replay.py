"""Replay: send what was queued, each once, in the order it was queued (R6.5)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace

from beast_dream_snow_loader.core.changes import Change, ChangeType, ItemChange, LinkChange, Plan, UnlinkChange
from beast_dream_snow_loader.core.desired import ConfigItem, DesiredState
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.core.known import KnownState
from beast_dream_snow_loader.core.known_items import as_item
from beast_dream_snow_loader.core.parking import END_DROPPED, OF_A_ROLLBACK, UNDOING, again_by
from beast_dream_snow_loader.core.planner import make_plan
from beast_dream_snow_loader.core.ports import JournalEntry
from beast_dream_snow_loader.core.retirement import edges_of
from beast_dream_snow_loader.core.run import Run
from beast_dream_snow_loader.core.scope import narrowed
from beast_dream_snow_loader.core.status import Statuses
from beast_dream_snow_loader.pipeline.aftermath import read_back, tell
from beast_dream_snow_loader.pipeline.apply import Applier
from beast_dream_snow_loader.pipeline.client_links import ClientLinker
from beast_dream_snow_loader.pipeline.guard import Steps
from beast_dream_snow_loader.pipeline.outcome import LoadOutcome
from beast_dream_snow_loader.pipeline.prepare import unregistered
from beast_dream_snow_loader.pipeline.steps.attend import decided
from beast_dream_snow_loader.pipeline.steps.drift import with_stored
from beast_dream_snow_loader.pipeline.steps.heal import heal
from beast_dream_snow_loader.pipeline.steps.look_up import settle_unknown
from beast_dream_snow_loader.pipeline.steps.probe import probe
from beast_dream_snow_loader.pipeline.steps.recall import believed
from beast_dream_snow_loader.pipeline.steps.recognise import recognise, recognised_state
from beast_dream_snow_loader.pipeline.steps.rename import freely_named
from beast_dream_snow_loader.pipeline.steps.verify import retired
from beast_dream_snow_loader.pipeline.world import Order, World

_PLANNED = (ChangeType.CREATE, ChangeType.UPDATE, ChangeType.HEARTBEAT)


class Replay:
    """One replay. :meth:`run` may raise; ``outcome`` then holds what was found out and done before."""

    def __init__(self, world: World, order: Order, limit: int | None = None) -> None:
        """``limit``: at most so many of the oldest writes."""
        self.outcome = LoadOutcome()
        self._world, self._order, self._limit = world, order, limit
        self._steps = Steps(clock=world.clock, listener=world.listener, done=self.outcome.steps)
        self._kept: set[str] = set()
        self._looked_up: frozenset[SourceKey] = frozenset()

    def run(self) -> LoadOutcome:
        """Plan the queued records against what is known now, so that nothing is sent that no longer needs to be.

        Raises a TransportError when the instance is still away, which one probe tells: the queue is then as it was.
        """
        probe(self._world)
        if not self._order.dry_run:
            self._looked_up = retired(settle_unknown(self._world, self._order))
        entries = self._queued()
        plan = self.outcome.plan = self._planned(entries)
        if not self._order.dry_run:
            self._world.ledger.note(plan.noted)
            try:
                self._send(plan, entries)
            finally:
                self._tell_parked(entries)
            read_back(self._world, self._order, self.outcome, self._steps)
        return self.outcome

    def _queued(self) -> Sequence[JournalEntry]:
        """Without those behind a write that could not be looked up, should we have been stopped."""
        journal = self._world.journal
        unsettled = () if self._order.dry_run else journal.unknown()
        left_out = {entry.change.subject for entry in unsettled}
        entries = [entry for entry in journal.queued(self._limit) if entry.change.subject not in left_out]
        if self._order.parts.links:
            return entries
        return [entry for entry in entries if not isinstance(entry.change, LinkChange | UnlinkChange)]

    def _tell_parked(self, entries: Sequence[JournalEntry]) -> None:
        """What waits for a dead letter, and what no replay will ever send."""
        letters = self._world.journal.parked()
        held_up = _held_up(entries, self._kept, letters)
        self.outcome.findings.extend(_waits_for_parked(link, letter) for link, letter in held_up)
        self.outcome.findings.extend(self._left_alone(entries, letters))

    def _left_alone(self, entries: Sequence[JournalEntry], letters: Sequence[JournalEntry]) -> Iterator[Finding]:
        """What no replay will ever send."""
        coming = {entry.change.subject for entry in (*self._world.journal.queued(), *letters)}
        known = self._world.ledger.known().items
        for entry in entries:
            change = entry.change
            if change.type in UNDOING:
                yield _of_a_rollback(entry, self._world.memory.run(entry.run_id))
            elif isinstance(change, LinkChange) and change.subject in self._kept:
                lost = [end for end in sorted(change.own_ends) if end not in known and str(end) not in coming]
                if lost:
                    yield _end_dropped(entry, lost[0])

    def _planned(self, entries: Sequence[JournalEntry]) -> Plan:
        world, order = self._world, self._order
        known = believed(world, order).standing  # what is queued was decided with what was removed by hand in view
        queued = _queued_items(entries)
        ends = {end for relation in queued.relations for end in (relation.lower, relation.upper)}
        mended = heal(world, order, known, sorted(queued.items.keys() | ends), world.cmdb.count_sources())
        facts = world.memory.facts(order.target)
        if mended.look.unregistered and (facts is None or facts.engine):
            raise unregistered(mended.look.unregistered)
        new = sorted(set(queued.items) - set(mended.known.items))
        recognised = recognise(world, order, queued, new, mended.known)
        queued, known = recognised_state(queued, mended.known, recognised)
        known = _read(world, order, known, queued.items.keys() | ends)
        self.outcome.held = [*mended.held, *recognised.held.values()]
        self._kept = _waiting_for_an_end(entries, queued, known, {one.key for one in self.outcome.held})
        named = freely_named(world.cmdb, queued, known, self._plan(queued, known), self._plan)
        plan = named.plan
        self.outcome.findings = [*mended.findings, *recognised.findings, *named.findings, *plan.findings]
        retirements = _queued_retirements(world, order, entries, known)
        plan = replace(plan, client_links=_queued_clients(entries, known, self._kept))
        unlinks = _queued_unlinks(entries, known, plan)
        if order.parts.links:
            leaving = self._looked_up | {change.item.key for change in retirements}
            unlinks = (*unlinks, *edges_of(leaving, known.relations, unlinks))
        return replace(plan, unlinks=unlinks, retirements=retirements)

    def _plan(self, queued: DesiredState, known: KnownState) -> Plan:
        order, desired = self._order, _with_far_ends(queued, known)
        plan = make_plan(
            desired,
            known,
            now=self._world.clock.now(),
            rules=order.rules,
            held=self.outcome.held,
            allow_upgrade=order.allow_upgrade,
        )
        return narrowed(plan, frozenset(queued.items) | {relation.lower for relation in queued.relations})

    def _send(self, plan: Plan, entries: Sequence[JournalEntry]) -> None:
        applier = Applier(self._world, self._order, plan)
        linker = ClientLinker(self._world, self._order, applier)
        try:
            applier.load(plan.lanes)
            applier.link()
            linker.draw(plan.client_links)
            applier.unlink(plan.unlinks_before_retiring)
            applier.retire(plan.retirements)
            applier.unlink(plan.unlinks_of(retired(applier.settlements)))
        finally:
            tell(self.outcome, applier.settlements, (*applier.unlinked(), *linker.waiting))
        kept = self._kept | {str(one.key) for one in self.outcome.held} | {link.subject for link in applier.unlinked()}
        edges: tuple[Change, ...] = (*plan.links, *plan.client_links, *plan.unlinks)
        planned: tuple[Change, ...] = (*plan.items, *edges, *plan.retirements)
        kept |= {e.change.subject for e in entries if e.change.type in UNDOING}
        kept |= {change.subject for change in planned}  # sent, or still to be sent should we have been stopped
        self._world.journal.supersede([e.change.subject for e in entries if e.change.subject not in kept])


def _read(world: World, order: Order, known: KnownState, keys: Set[SourceKey]) -> KnownState:
    """With what the CMDB holds of these: who takes back what is sent finds what was there before (R3.5)."""
    items = [known.items[key] for key in sorted(keys & known.items.keys()) if known.items[key].stored is None]
    return with_stored(world, order, known, items) if items else known


def _waiting_for_an_end(
    entries: Iterable[JournalEntry], queued: DesiredState, known: KnownState, held: Set[SourceKey]
) -> set[str]:
    """Edges of which an end is neither in the CMDB nor about to be: further back in the queue, parked, or held."""
    ends = known.items.keys() | (queued.items.keys() - held)
    links = (e.change for e in entries if isinstance(e.change, LinkChange))
    return {link.subject for link in links if not link.own_ends <= ends}


def _held_up(
    entries: Iterable[JournalEntry], waiting: Collection[str], letters: Iterable[JournalEntry]
) -> list[tuple[LinkChange, JournalEntry]]:
    """Edges that wait for an end of theirs, each with the dead letter that would have made it."""
    parked = {letter.change.subject: letter for letter in letters}
    links = (e.change for e in entries if isinstance(e.change, LinkChange) and e.change.subject in waiting)
    ends = ((link, str(end)) for link in links for end in sorted(link.own_ends))
    return [(link, parked[end]) for link, end in ends if end in parked]


def _waits_for_parked(link: LinkChange, letter: JournalEntry) -> Finding:
    return Finding(
        record=link.subject,
        rule="relation.end_parked",
        severity=Severity.WARNING,
        message=f"It waits for {letter.change.subject}, which is parked: snowload queue retry {letter.id}",
    )


def _end_dropped(entry: JournalEntry, end: SourceKey) -> Finding:
    return Finding(
        record=entry.change.subject,
        rule=END_DROPPED,
        severity=Severity.WARNING,
        message=(
            f"It waits for {end}, which is neither in the CMDB nor queued. The next `snowload load` writes both if "
            f"UniFi still shows them; otherwise give it up: snowload queue drop {entry.id}"
        ),
    )


def _of_a_rollback(entry: JournalEntry, run: Run | None) -> Finding:
    return Finding(
        record=entry.change.subject,
        rule=OF_A_ROLLBACK,
        severity=Severity.WARNING,
        message=f"A rollback could not make it, and only a rollback does: {again_by(run)}",
    )


def _queued_clients(
    entries: Iterable[JournalEntry], known: KnownState, waiting: Collection[str]
) -> tuple[LinkChange, ...]:
    """Edges of clients whose CI is not ours, but for those that are drawn, or wait for an end."""
    links = (entry.change for entry in entries if isinstance(entry.change, LinkChange))
    there = known.relations.keys() | set(waiting)
    return tuple(c for c in links if c.lower_sys_id is not None and c.subject not in there)


def _queued_unlinks(entries: Iterable[JournalEntry], known: KnownState, plan: Plan) -> tuple[UnlinkChange, ...]:
    """Those whose edge is still in the ledger, and what takes its place drawn or about to be."""
    unlinks = (entry.change for entry in entries if isinstance(entry.change, UnlinkChange))
    drawn = {"", *known.relations, *(link.subject for link in (*plan.links, *plan.client_links))}
    return tuple(change for change in unlinks if change.subject in known.relations and change.replaced_by in drawn)


def _queued_retirements(
    world: World, order: Order, entries: Iterable[JournalEntry], known: KnownState
) -> tuple[ItemChange, ...]:
    """Of those that are missing still, decided anew: a person may have changed their status meanwhile."""
    keys = [e.change.item.key for e in entries if isinstance(e.change, ItemChange) and _retires(e.change)]
    items = [known.items[key] for key in keys if key in known.items]
    gone = [item for item in items if item.missing_since is not None and item.retired_at is None]
    present = {item.sys_id for item in known.items.values() if item.missing_since is None}
    facts = world.memory.facts(order.target)
    choices = facts.choices if facts is not None else {}
    statuses = Statuses.of(choices, order.rules, csdm=order.retire.csdm)
    return decided(world, order, known, gone, statuses, present).changes


def _retires(change: ItemChange) -> bool:
    return change.type is ChangeType.RETIRE


def _queued_items(entries: Iterable[JournalEntry]) -> DesiredState:
    changes = [entry.change for entry in entries]
    items = {c.item.key: c.item for c in changes if isinstance(c, ItemChange) and c.type in _PLANNED}
    links = (change for change in changes if isinstance(change, LinkChange))
    relations = tuple(link.relation for link in links if link.lower_sys_id is None)
    return DesiredState(items=items, relations=relations, looked=None)


def _with_far_ends(queued: DesiredState, known: KnownState) -> DesiredState:
    """A queued edge may join records that are not queued themselves: they are named by what identifies them."""
    ends = {end for relation in queued.relations for end in (relation.lower, relation.upper)}
    far: Mapping[SourceKey, ConfigItem] = {
        end: as_item(known.items[end]) for end in ends if end not in queued.items and end in known.items
    }
    return replace(queued, items={**queued.items, **far})
