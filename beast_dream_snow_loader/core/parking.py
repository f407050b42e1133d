"""When a queued write is given up for now: the dead letter, what puts it there and what a person can do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from beast_dream_snow_loader.core.changes import Change, ChangeType, ItemChange, LinkChange, Plan, UnlinkChange
from beast_dream_snow_loader.core.content import content_of
from beast_dream_snow_loader.core.receipts import Outcome, Receipt
from beast_dream_snow_loader.core.run import UNDOES, Run

C = TypeVar("C", ItemChange, LinkChange, UnlinkChange)

NOT_FOUND = "unknown.not_found"
"""Sent without an answer, looked up, and not there."""


END_UNKNOWN = "link.end_unknown"
"""Of a relation that was not sent, because one of its ends had got no answer."""


_FOR_ITS_END = frozenset({"link.end_refused", "link.end_missing"})
"""Of a relation whose end was not written: nothing is wrong with it."""


END_DROPPED = "relation.end_dropped"
"""Of a queued relation: nothing that waits would make one of its ends, because a person has given that up."""

OF_A_ROLLBACK = "queue.of_a_rollback"
"""Of a queued write that a rollback could not make: it says what a CI held before, not what it should hold."""


UNDOING = (ChangeType.RESTORE, ChangeType.DELETE)
"""They say what a CI held before, not what it should hold: the rollback itself, run again, plans them anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLimits:
    """A queued write sent in vain ``max_attempts`` times is parked; more than ``max_entries`` never wait."""

    max_attempts: int = 5
    max_entries: int = 100_000


def attempts_after(attempts: int, outcome: Outcome, limits: QueueLimits, *, own: bool, looked_up: bool) -> int:
    """Only what ServiceNow got to see is an attempt, and a look is none. What may be a neighbour's doing, or
    everybody's, makes a write suspect but never brings it to the last attempt."""
    if outcome is Outcome.LATER or looked_up:
        return attempts
    return attempts + 1 if own else max(attempts, min(attempts + 1, limits.max_attempts - 1))


def is_own(receipt: Receipt, together: Sequence[Receipt], *, answered: bool) -> bool:
    """Whether what became of a write is due to it alone, and not to what it was sent ``together`` with.

    ``answered``: ServiceNow has answered another write of this run, so that it is not away for all of them.
    """
    if receipt.outcome is Outcome.UNKNOWN:
        return len(together) == 1 and answered
    if receipt.code in _FOR_ITS_END:
        return False
    return len(together) == 1 or any(other.outcome is Outcome.DONE for other in together)


def parks(outcome: Outcome, attempts: int, limits: QueueLimits, *, from_queue: bool, looked_up: bool) -> bool:
    """Whether a write that could not be made is parked: refused though it had waited, or looked for in vain."""
    in_vain = (outcome is Outcome.REFUSED and from_queue) or (outcome is Outcome.LATER and looked_up)
    return in_vain and attempts >= limits.max_attempts


def without_parked(plan: Plan, parked: Mapping[str, str]) -> tuple[Plan, tuple[Change, ...]]:
    """The plan without the changes that were parked, and those. ``parked`` is content by subject: a change with another
    content is a new one."""
    if not parked:
        return plan, ()
    left_out: list[Change] = []

    def kept(changes: tuple[C, ...]) -> tuple[C, ...]:
        out = {c.subject: c for c in changes if c.subject in parked and parked[c.subject] == content_of(c)}
        left_out.extend(out.values())
        return tuple(change for change in changes if change.subject not in out) if out else changes

    lanes = tuple(replace(lane, items=kept(lane.items)) for lane in plan.lanes)
    plan = replace(
        plan,
        lanes=tuple(lane for lane in lanes if lane.items),
        links=kept(plan.links),
        client_links=kept(plan.client_links),
        unlinks=kept(plan.unlinks),
        retirements=kept(plan.retirements),
    )
    return plan, tuple(left_out)


def again_by(rollback: Run | None) -> str:
    """How a write that waits since this rollback is made: by the rollback itself, once more."""
    undone = rollback.report.get(UNDOES) if rollback is not None else None
    return f"run the rollback again: snowload rollback {undone or 'RUN (see: snowload runs list)'}"


def remedy(code: str, number: int) -> str:
    """What to do about a parked write."""
    then = f"then run: snowload queue retry {number}"
    if code == NOT_FOUND:
        return f"ServiceNow never answered it, although it was sent alone. Look at its transaction log, {then}"
    if code.startswith("auth."):
        return f"Give the account the right that the message names (docs/guides/service-account.md), {then}"
    return (
        f"Mend what the message names, in ServiceNow or in UniFi, {then} (or give it up: snowload queue drop {number})"
    )
