"""A saved plan looked at again before it is applied. Only reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from beast_dream_snow_loader.core.changes import ChangeType, ItemChange
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.core.known import KnownState
from beast_dream_snow_loader.core.matching import Match, MatchedBy
from beast_dream_snow_loader.core.saved_plan import SavedPlan
from beast_dream_snow_loader.core.scope import EVERYTHING
from beast_dream_snow_loader.core.staleness import Present, Stale, renew
from beast_dream_snow_loader.pipeline.guard import UNREADABLE, Steps
from beast_dream_snow_loader.pipeline.outcome import LoadOutcome
from beast_dream_snow_loader.pipeline.prepare import Prepared, unregistered
from beast_dream_snow_loader.pipeline.steps.look_up import settle_unknown
from beast_dream_snow_loader.pipeline.steps.see import watched
from beast_dream_snow_loader.pipeline.world import Order, World


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """A saved plan as ordered; ``applied_by`` are the runs that began to apply it before."""

    plan: SavedPlan
    applied_by: tuple[str, ...] = ()


class Renewal:
    """What is left of a saved plan. :meth:`run` raises when ServiceNow cannot be asked: nothing is queued unseen."""

    def __init__(self, world: World, order: Order, ordered: Ordered, outcome: LoadOutcome, steps: Steps) -> None:
        self._world = world
        self._order = order
        self._ordered = ordered
        self._outcome = outcome
        self._steps = steps

    def run(self) -> Prepared:
        """recall → check."""
        with self._steps.step("recall") as counted:
            if not self._order.dry_run:
                settle_unknown(self._world, self._order)
            facts = self._world.memory.facts(self._order.target)
            if (source := self._world.cmdb.look({}).unregistered) and (facts is None or facts.engine):
                raise unregistered(source)
            known = self._world.ledger.known()
            counted.records = len(known.items)
        with self._steps.step("check", total=len(self._ordered.plan.items)) as counted:
            renewed = renew(self._ordered.plan, self._present(known), self._order.rules.ownership())
            counted.records = len(self._ordered.plan.items)
        self._outcome.plan, self._outcome.stale = renewed.plan, renewed.stale
        self._outcome.done_before = renewed.done
        self._outcome.findings.extend(_finding(stale) for stale in renewed.stale)
        self._outcome.held.extend(self._ordered.plan.held)
        return Prepared(plan=renewed.plan, keys=frozenset(), scope=EVERYTHING)

    def _present(self, known: KnownState) -> Present:
        saved, cmdb = self._ordered.plan, self._world.cmdb
        done = self._world.journal.done_in(self._ordered.applied_by) if self._ordered.applied_by else frozenset()
        new = [change for change in saved.items if _is_first(change) and change.subject not in done]
        written = [
            known.items[c.item.key].sys_id for c in saved.items if c.subject in done and c.item.key in known.items
        ]
        sys_ids = [*(seen.sys_id for seen in saved.seen), *written]
        elements = watched((*saved.items, *saved.carriers))
        return Present(
            known=known,
            stored=cmdb.read_back(sys_ids, elements) if sys_ids else {},
            owners=cmdb.find([change.item.key for change in new]) if new else {},
            matches=self._matches([change for change in new if change.type is ChangeType.CREATE]),
            done=done,
        )

    def _matches(self, creates: Sequence[ItemChange]) -> Mapping[SourceKey, Match]:
        """Where the instance offers no simulation, at least the serial numbers are looked up."""
        if not creates:
            return {}
        try:
            return {match.key: match for match in self._world.cmdb.simulate(creates)}
        except UNREADABLE:
            serials = {change.item.key: change.item.values.get("serial_number", "").upper() for change in creates}
            there = self._world.cmdb.by_serial([serial for serial in serials.values() if serial])
            return {
                key: Match(key=key, by=MatchedBy.SERIAL, sys_ids=tuple(there[serial]))
                for key, serial in serials.items()
                if serial in there
            }


def _is_first(change: ItemChange) -> bool:
    """Not ours yet: to be created, or a CI taken as ours."""
    return change.known is None or change.known.written_at is None


def _finding(stale: Stale) -> Finding:
    message = f"Its {stale.change.value} was not carried out: {stale.reason}."
    return Finding(record=stale.record, rule="plan.stale", severity=Severity.ERROR, message=message)
