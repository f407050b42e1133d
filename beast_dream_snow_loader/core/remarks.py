"""What is worth telling of changes that were made: the engine did them, but not quite as asked (cmdb-model 2.9)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from beast_dream_snow_loader.core.changes import ItemChange, LinkChange, UnlinkChange
from beast_dream_snow_loader.core.class_moves import CLASS_ELEMENT
from beast_dream_snow_loader.core.events import BreakerChanged
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.mapping_tables import BASE_CLASS
from beast_dream_snow_loader.core.ports import Settlement
from beast_dream_snow_loader.core.receipts import Outcome
from beast_dream_snow_loader.core.shown import shown

LEFT_ALONE = "breaker.opened"
"""A finding about a dependency whose circuit breaker opened."""
END_MISSING = "relation.end_missing"
"""A finding about an edge that waits for one of its ends."""
NO_RULE = "IDENTIFICATION_RULE_MISSING"
NO_SUCH_TYPE = "INVALID_INPUT_DATA"
"""Of a relation: its ends are positions in our own payload, so only its type can be wrong (cmdb-model 2.9)."""

_KEPT = frozenset({"SKIPPED_CLASS_UPGRADE", "SKIPPED_CLASS_DOWNGRADE", "SKIPPED_CLASS_SWITCH"})
_MOVED = frozenset({"UPDATE_WITH_SWITCH", "UPDATE_WITH_DOWNGRADE"})
_STAYS = frozenset({"unlink.shared", "unlink.not_ours"})


def remarks(settlements: Iterable[Settlement]) -> Iterator[Finding]:
    """One finding per CI whose class, or whose CI, is another than planned, and per edge that stays."""
    for settlement in settlements:
        change, receipt = settlement.change, settlement.receipt
        if receipt.outcome is Outcome.DONE and isinstance(change, ItemChange):
            yield from _of(change, settlement)
        elif receipt.outcome is Outcome.DONE and isinstance(change, UnlinkChange) and receipt.code in _STAYS:
            message = f"Its edge to {change.known.child} is not removed. {receipt.message}"
            yield Finding(record=str(change.known.lower), rule=receipt.code, severity=Severity.WARNING, message=message)


def left_alone(change: BreakerChanged) -> Finding:
    """A dependency that is not asked any more for a while."""
    end = "reset" if change.by_hand and change.seconds is None else "tried again"
    message = f"{change.name} is left alone: {change.reason.rstrip('.')}. Until it is {end} nothing is sent to it."
    return Finding(record=change.name, rule=LEFT_ALONE, severity=Severity.WARNING, message=message)


def waiting(links: Iterable[LinkChange]) -> Iterator[Finding]:
    """Edges that were not sent because an end of them was not written (R3.4)."""
    for link in links:
        message = f"Its {link.relation.role} edge to {link.relation.upper} waits: one of the two was not written."
        yield Finding(
            record=str(link.relation.lower),
            rule=END_MISSING,
            severity=Severity.WARNING,
            message=message,
            field=link.relation.role,
            value=str(link.relation.upper),
        )


def doubted(settlements: Iterable[Settlement]) -> Iterator[Finding]:
    """For each answer that cannot be true if what is remembered of the instance is: a class without a rule, a relation
    type that is gone, an engine that is shut. A finding whose rule begins with ``facts.`` has all facts read anew."""
    for settlement in settlements:
        change, receipt = settlement.change, settlement.receipt
        item = isinstance(change, ItemChange)
        lost = receipt.code == NO_RULE or (not item and receipt.code == NO_SUCH_TYPE)
        elsewhere = isinstance(change, ItemChange) and BASE_CLASS == receipt.class_name != change.item.class_name
        if lost or elsewhere:
            message = "An answer of the instance contradicts what is remembered of it."
            yield Finding(record="instance", rule="facts.contradicted", severity=Severity.INFO, message=message)
            return


def in_base_class(count: int) -> Finding:
    message = (
        f"{count} CIs of ours are plain cmdb_ci, written by the Table API: they are not identified against those of "
        "others and lack the fields of their class. They move up by themselves as soon as the instance has a class for "
        "them and the engine is open; `snowload doctor` shows what is missing."
    )
    return Finding(record="instance", rule="class.base", severity=Severity.WARNING, message=message, value=str(count))


def _of(change: ItemChange, settlement: Settlement) -> Iterator[Finding]:
    receipt = settlement.receipt
    planned = any(field.element == CLASS_ELEMENT for field in change.fields)
    if planned and receipt.class_name and receipt.class_name != change.item.class_name:
        why = f" ({shown(receipt.message, 200)})" if receipt.message else ""
        message = f"It stays a {receipt.class_name}: the instance did not move it to {change.item.class_name}{why}."
        remedy = " Ask for its glide.class.upgrade.enabled and reclassification restriction rules."
        yield _finding(change, "class.upgrade_refused", message + remedy, receipt.class_name)
    elif receipt.code in _KEPT:
        remedy = "To settle it, reclassify the CI by hand or name its class under [mapping.class_map]."
        yield _finding(change, "class.kept", f"{shown(receipt.message, 300)}. {remedy}", receipt.class_name)
    elif receipt.code in _MOVED:
        message = f"The instance moved it to class {receipt.class_name}, although it was told not to."
        yield _finding(change, "class.moved", message, receipt.class_name)
    elif receipt.code in ("ire.merged", "ire.recreated"):
        yield _finding(change, receipt.code, receipt.message, "")


def _finding(change: ItemChange, rule: str, message: str, value: str) -> Finding:
    return Finding(record=change.subject, rule=rule, severity=Severity.WARNING, message=message, value=value)
