"""From an answer of the identification engine, or the error in its place, to a receipt per item and link."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from beast_dream_snow_loader.core.changes import Change, LinkChange
from beast_dream_snow_loader.core.ports import Batch
from beast_dream_snow_loader.core.receipts import Operation, Outcome, Receipt, came_of
from beast_dream_snow_loader.errors import (
    NotAuthenticated,
    SnowloadError,
)
from beast_dream_snow_loader.servicenow.advice import advised
from beast_dream_snow_loader.servicenow.apis.ire_payload import Payload
from beast_dream_snow_loader.servicenow.apis.ire_results import IreAnswer, Issue, Result
from beast_dream_snow_loader.servicenow.batches import subjects

_CONTENTION = frozenset({"LOCK_TIMEOUT", "ABANDONED"})
_OPERATIONS = {"INSERT": Operation.INSERTED, "NO_CHANGE": Operation.UNCHANGED}


@dataclass(slots=True)
class Told:
    """Receipts by subject, and the subjects worth one more try on their own. Belongs to one call of the writer."""

    receipts: dict[str, Receipt] = field(default_factory=dict)
    contended: set[str] = field(default_factory=set)
    falling: Callable[[], None] = lambda: None
    """Called before the Table API gets what was planned for the engine."""

    def update(self, later: Told) -> None:
        self.contended = (self.contended - later.receipts.keys()) | later.contended
        self.receipts.update(later.receipts)


def tell_all(batch: Batch, outcome: Outcome, code: str, message: str) -> Told:
    made = (Receipt(subject=subject, outcome=outcome, code=code, message=message) for subject in subjects(batch))
    return Told(receipts={receipt.subject: receipt for receipt in made})


def by_error(batch: Batch, error: SnowloadError) -> Told:
    return tell_all(batch, fate(error), error.code, str(error))


def fate(error: SnowloadError) -> Outcome:
    """What an error says about the write it answers. Raises a NotAuthenticated: no other write would do better."""
    if isinstance(error, NotAuthenticated):
        raise error
    return came_of(error)


def by_answer(batch: Batch, payload: Payload, answer: IreAnswer) -> Told:
    told = Told()
    own = set(subjects(batch))
    sharers = _sharers(payload, answer)
    for index, change in enumerate(payload.items):
        result = answer.items.get(index)
        if change.subject in own or (result is not None and result.operation == "INSERT"):
            _tell(told, change, result, sharers.get(index, ()))
    for index, link in enumerate(payload.links):
        _tell(told, link, answer.relations.get(index) or _edge_without_result(index, payload, answer), ())
    for link in payload.loose:
        message = "One end of the link is not in the request."
        told.receipts[link.subject] = Receipt(
            subject=link.subject, outcome=Outcome.REFUSED, code="link.end_missing", message=message
        )
    return told


def _sharers(payload: Payload, answer: IreAnswer) -> dict[int, tuple[str, ...]]:
    """Which other records the engine merged an item with: one CI for several keys is worth telling."""
    return {
        index: tuple(
            payload.items[other].subject for other in result.indices if other != index and other < len(payload.items)
        )
        for index, result in answer.items.items()
        if len(result.indices) > 1
    }


def _edge_without_result(index: int, payload: Payload, answer: IreAnswer) -> Result | None:
    """A link of a failed item is often not mentioned at all."""
    relation = payload.links[index].relation
    positions = {change.item.key: position for position, change in enumerate(payload.items)}
    ends = [answer.items.get(positions[end]) for end in (relation.parent, relation.child)]
    if all(end is not None and end.written for end in ends):
        return None
    return Result(
        operation="",
        sys_id=None,
        issues=(Issue(code="link.end_refused", message="One end of the link was not written."),),
    )


def _tell(told: Told, change: Change, result: Result | None, shared: tuple[str, ...]) -> None:
    receipt = _receipt(change, result, shared)
    told.receipts[receipt.subject] = receipt
    if result is not None and any(_passes(issue) for issue in result.issues) and _passes(result.issue):
        told.contended.add(receipt.subject)


def _passes(issue: Issue) -> bool:
    # a unique-key collision has no code of its own: "Error during insert of" is all the engine says (KB0812609)
    return issue.code in _CONTENTION or "Error during insert of" in issue.message


def _receipt(change: Change, result: Result | None, shared: tuple[str, ...]) -> Receipt:
    subject, link = change.subject, isinstance(change, LinkChange)
    if result is None:
        message = "The answer does not mention this record."
        return Receipt(subject=subject, outcome=Outcome.UNKNOWN, code="ire.no_result", message=message)
    if result.issues:
        issue = result.issue
        return Receipt(
            subject=subject,
            outcome=Outcome.REFUSED,
            class_name=result.class_name,
            code=issue.code,
            message=advised(issue),
        )
    if not result.written or (result.sys_id is None and not link):
        message = f"The answer gives no outcome (operation {result.operation or 'missing'})."
        return Receipt(subject=subject, outcome=Outcome.UNKNOWN, code="ire.no_outcome", message=message)
    code, message = _remark(result, shared)
    return Receipt(
        subject=subject,
        outcome=Outcome.DONE,
        operation=_operation(result, link),
        sys_id=result.sys_id,
        class_name=result.class_name,
        code=code,
        message=message,
    )


def _operation(result: Result, link: bool) -> Operation:
    if link:
        return Operation.LINKED if result.operation == "INSERT" else Operation.UNCHANGED
    return _OPERATIONS.get(result.operation, Operation.UPDATED)


def recreated(first: Receipt, whole: Receipt) -> Receipt:
    """The receipt of a known CI that came back as a new one: ``first`` inserted it, ``whole`` completed it."""
    if whole.outcome is not Outcome.DONE:
        return whole
    message = "The CI this record had was gone from the CMDB: a new one was made."
    return replace(whole, operation=first.operation, code="ire.recreated", message=message)


def _remark(result: Result, shared: tuple[str, ...]) -> tuple[str, str]:
    """What a person should know about a write that went through."""
    if shared:
        return "ire.merged", f"The engine made one CI of this record and {', '.join(shared)}."
    if result.operation in ("UPDATE_WITH_SWITCH", "UPDATE_WITH_DOWNGRADE"):
        return result.operation, f"The CI was moved to class {result.class_name}."
    note = next(iter(result.notes), None)
    return (note.code, note.message) if note else ("", "")
