"""What really happened to one change."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from beast_dream_snow_loader.core.identity import SysId
from beast_dream_snow_loader.errors import NOTHING_SENT, OutcomeUnknown, ServerFault, SnowloadError


class Outcome(StrEnum):
    """The status code is not one of them."""

    DONE = "done"
    REFUSED = "refused"
    """Nothing happened there, and asking again will not help."""
    UNKNOWN = "unknown"
    """Sent, no usable answer: looked up before anything is repeated."""
    LATER = "later"
    """Not sent; queued."""


OPEN = frozenset({Outcome.LATER, Outcome.UNKNOWN})
"""The write is still to come: it waits in the queue, or is looked up before it is sent again."""


def came_of(error: SnowloadError) -> Outcome:
    """What an error says about the write it answers."""
    if isinstance(error, NOTHING_SENT):
        return Outcome.LATER
    if isinstance(error, ServerFault):
        return Outcome.UNKNOWN  # it may have acted before it failed
    return Outcome.UNKNOWN if isinstance(error, OutcomeUnknown) else Outcome.REFUSED


class Operation(StrEnum):
    INSERTED = "inserted"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    LINKED = "linked"
    UNLINKED = "unlinked"
    DELETED = "deleted"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """``subject`` is the change's: a source key or a relation key. ``code`` and ``message`` say why not, in
    ServiceNow's words where it spoke. ``class_name`` is the class the CI really has."""

    subject: str
    outcome: Outcome
    operation: Operation = Operation.NONE
    sys_id: SysId | None = None
    class_name: str = ""
    code: str = ""
    message: str = ""
