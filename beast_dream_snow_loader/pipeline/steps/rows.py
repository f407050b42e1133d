"""Rows: reference rows that are not there are made, where the operator asked for it (cmdb-model 6.5, 6.6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from beast_dream_snow_loader.core.audit import Deed
from beast_dream_snow_loader.core.desired import Reference
from beast_dream_snow_loader.core.facts import InstanceFacts, MadeRow
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.receipts import Outcome, came_of
from beast_dream_snow_loader.core.shown import shown
from beast_dream_snow_loader.errors import SnowloadError
from beast_dream_snow_loader.pipeline.world import Order, World


def fill(world: World, order: Order, facts: InstanceFacts, wished: Iterable[Reference]) -> InstanceFacts:
    """The facts with the rows that were made; where nothing may be written it is only told which. Raises what a call
    raises.

    One after the other, before any CI is written: nobody else of ours makes rows meanwhile.
    """
    open_ones = sorted(
        (one for one in wished if one.make and facts.references.get(one.key) is None),
        key=lambda one: (len(one.make_from), one.key),
    )
    if not open_ones:
        return facts
    filling = _Filling(world=world, order=order, rows=dict(facts.references))
    try:
        for reference in open_ones:
            filling.fill(reference)
    finally:
        filled = replace(facts, references=filling.rows)
        if filling.made:
            world.memory.save_facts(order.target, filled)
    told = {finding.message: finding for finding in (*facts.findings, *filling.findings)}
    return replace(filled, findings=tuple(told.values()))


@dataclass(slots=True, kw_only=True)
class _Filling:
    world: World
    order: Order
    rows: dict[str, str | None]
    made: int = 0
    planned: set[str] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)

    def fill(self, reference: Reference) -> None:
        lacking = [other for _, other in reference.make_from if not self._there(other)]
        if lacking:
            self.findings.append(_no_end(reference, lacking[0]))
        elif self.order.dry_run or self.order.read_only:
            self.planned.add(reference.key)
            self.findings.append(_would(reference))
        else:
            self._make(reference)

    def _there(self, reference: Reference) -> bool:
        return bool(self.rows.get(reference.key)) or reference.key in self.planned

    def _make(self, reference: Reference) -> None:
        leads = {element: self.rows[other.key] or "" for element, other in reference.make_from}
        row = self._audited(reference, {**dict(reference.make), **leads})
        self.findings += row.findings
        if row.sys_id is not None:
            self.rows[reference.key] = row.sys_id
            self.made += 1
        if row.made:
            self.findings.append(_made(reference))

    def _audited(self, reference: Reference, values: Mapping[str, str]) -> MadeRow:
        """A row is no CI and in no journal; in the audit trail it is like any other change (R5.2)."""
        fields = {element: (None, value) for element, value in values.items()}
        deed = Deed(
            key=f"{reference.table} for {reference.element}", change="make_row", table=reference.table, fields=fields
        )
        self.world.audit.intend(self.order.run_id, [deed])
        try:
            row = self.world.cmdb.make_row(reference, values)
        except SnowloadError as error:
            self.world.audit.settle(self.order.run_id, [deed.settled(came_of(error), code=error.code)])
            raise
        outcome = Outcome.DONE if row.sys_id is not None else Outcome.UNKNOWN if row.unsure else Outcome.REFUSED
        operation = "inserted" if row.made else "none"
        self.world.audit.settle(self.order.run_id, [deed.settled(outcome, operation=operation, sys_id=row.sys_id)])
        return row


def _would(reference: Reference) -> Finding:
    message = f"A row of {reference.table} would be made for {shown(reference.describe)}: {_values(reference)}."
    return _finding(reference, "reference.would_make", Severity.INFO, message)


def _made(reference: Reference) -> Finding:
    message = f"A row of {reference.table} was made for {shown(reference.describe)}: {_values(reference)}."
    return _finding(reference, "reference.made", Severity.INFO, message)


def _no_end(reference: Reference, other: Reference) -> Finding:
    message = (
        f"{reference.table} has no row for {shown(reference.describe)}, and none is made because there is none for "
        f"{shown(other.describe)} either: {reference.element} stays empty."
    )
    return _finding(reference, "reference.not_made", Severity.WARNING, message)


def _values(reference: Reference) -> str:
    ends = [f"{element}: {shown(other.describe)}" for element, other in reference.make_from]
    return ", ".join([*(f"{element} {shown(value)}" for element, value in reference.make), *ends])


def _finding(reference: Reference, rule: str, severity: Severity, message: str) -> Finding:
    about = {"field": reference.element, "value": reference.called}
    return Finding(record="instance", rule=rule, severity=severity, message=message, **about)
