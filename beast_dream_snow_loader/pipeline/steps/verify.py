"""Verify: what was written is read back and compared (R3.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from beast_dream_snow_loader.core.changes import ChangeType, ItemChange
from beast_dream_snow_loader.core.comparing import same
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.healing import KEYS_UNSEEN, MOD_COUNT, count_of
from beast_dream_snow_loader.core.identity import SourceKey, SysId
from beast_dream_snow_loader.core.integrity import (
    Integrity,
    judge_counts,
    judge_keys,
    judge_links,
    judge_serials,
    questions,
)
from beast_dream_snow_loader.core.keeping import NOT_COMPARED, by_another, left_aside, outcomes
from beast_dream_snow_loader.core.mapping_tables import BASE_CLASS
from beast_dream_snow_loader.core.ports import Settlement
from beast_dream_snow_loader.core.receipts import Outcome
from beast_dream_snow_loader.core.status import DECIDED, decided
from beast_dream_snow_loader.errors import WriteNotKept
from beast_dream_snow_loader.pipeline.steps.base_class import doubles_in_base
from beast_dream_snow_loader.pipeline.world import World

_LOOK = "Look for an ACL, a business rule or a dictionary entry that does it"
_ASIDE = (
    "the instance left the whole item aside, as it does when it has a newer pass of this CI from the same data source"
)
_NEWER = (
    "Look for another snowload that writes there from a state of its own (let one alone write), for a clock that ran "
    "ahead (source_recency_timestamp and last_scan of its row in sys_object_source), or for a rule that aborts updates"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    checked: int = 0
    findings: tuple[Finding, ...] = ()
    counts: Mapping[SourceKey, int | None] = field(default_factory=dict)
    """``sys_mod_count`` of what was written: another one later means that somebody else wrote it."""
    fields: Mapping[SourceKey, Mapping[str, str | None]] = field(default_factory=dict)
    """What became of each field written: None where it was kept, else what stands in its place."""


def verify(world: World, settlements: Iterable[Settlement]) -> Verified:
    """One bulk read of what this run wrote; each field that did not stick is a finding, by name."""
    written = {
        settlement.receipt.sys_id: settlement.change
        for settlement in settlements
        if settlement.receipt.outcome is Outcome.DONE
        and settlement.receipt.sys_id is not None
        and isinstance(settlement.change, ItemChange)
    }
    if not written:
        return Verified()
    elements = sorted({element for change in written.values() for element in change.send} - NOT_COMPARED)
    stored = world.cmdb.read_back(written, [*elements, MOD_COUNT])
    findings = [finding for sys_id, change in written.items() for finding in _compare(sys_id, change, stored)]
    there = {sys_id: change for sys_id, change in written.items() if sys_id in stored}
    return Verified(
        checked=len(written),
        findings=tuple(findings),
        counts={change.item.key: count_of(stored[sys_id]) for sys_id, change in there.items()},
        fields={change.item.key: outcomes(change, stored[sys_id]) for sys_id, change in there.items()},
    )


def verify_whole(world: World, settlements: Sequence[Settlement]) -> Integrity:
    """Whether what this run inserted is there once, and what it drew is there: a few bulk reads, none without cause."""
    known = world.ledger.known()
    asked = questions(settlements, known)
    there = world.cmdb.find_edges(asked.drawn) if asked.drawn else {}
    lost = tuple(judge_links(asked.drawn, there))
    again = asked.inserted_edges - there.keys()
    doubles = doubles_in_base(world, asked.inserted_in_base) if asked.inserted_in_base else ()
    if not asked.inserted:
        return Integrity(
            findings=(*lost, *doubles), links_checked=len(asked.drawn), lost=again, duplicates=len(doubles)
        )
    keys = tuple(judge_keys(world.cmdb.find(asked.inserted)))
    found = world.cmdb.by_serial(asked.serials.values()) if asked.serials else {}
    twins = (*keys, *judge_serials(asked.serials, found, known))
    ledger = sum(1 for item in known.items.values() if item.class_name != BASE_CLASS)
    cmdb = world.cmdb.count_sources()
    return Integrity(
        findings=(*lost, *doubles, *twins, *judge_counts(ledger, cmdb), *((KEYS_UNSEEN,) if cmdb is None else ())),
        lost=again,
        links_checked=len(asked.drawn),
        duplicates=len(twins) + len(doubles),
        ledger=ledger,
        cmdb=cmdb,
    )


def verify_retired(world: World, settlements: Iterable[Settlement]) -> Sequence[Finding]:
    """Whether both fields of what was retired say so."""
    done = {s.receipt.sys_id: change for s in settlements if (change := _retirement(s)) and s.receipt.sys_id}
    stored = world.cmdb.read_back(done, DECIDED) if done else {}
    return [
        _not_kept(change, element, f"{element} does not say so: a rule of the instance has kept or changed it")
        for sys_id, change in done.items()
        for element, sent in decided(change.send).items()
        if stored.get(sys_id, {}).get(element) != sent
    ]


def retired(settlements: Iterable[Settlement]) -> frozenset[SourceKey]:
    """Whom this run has retired."""
    return frozenset(change.item.key for settlement in settlements if (change := _retirement(settlement)))


def _retirement(settlement: Settlement) -> ItemChange | None:
    change, done = settlement.change, settlement.receipt.outcome is Outcome.DONE
    return change if done and isinstance(change, ItemChange) and change.type is ChangeType.RETIRE else None


def _compare(sys_id: SysId, change: ItemChange, stored: Mapping[SysId, Mapping[str, str]]) -> Iterable[Finding]:
    if sys_id not in stored:
        yield _not_kept(change, "", f"the CI ending {sys_id[-3:]} cannot be read back")
        return
    now = stored[sys_id]
    for element, sent in sorted(change.send.items()):
        if element in NOT_COMPARED or same(element, now.get(element), sent):
            continue
        if element not in now:
            yield _not_kept(change, element, f"{element} is no field of its class", Severity.WARNING)
        elif left_aside(change, now):
            yield _not_kept(change, element, f"{element} is as it was: {_ASIDE}", look=_NEWER)
        else:
            how = "was dropped" if not now.get(element) else "was changed or cut"
            who = "by the instance, or by somebody meanwhile" if by_another(change, element, now) else "by the instance"
            yield _not_kept(change, element, f"{element} {how} {who}")


def _not_kept(
    change: ItemChange, element: str, message: str, severity: Severity = Severity.ERROR, look: str = _LOOK
) -> Finding:
    """An error by default: a run whose writes did not stick has not done what it says (Q8)."""
    told = f"{message}. {look}; each load tries again."
    return Finding(record=change.subject, rule=WriteNotKept.code, severity=severity, message=told, field=element)
