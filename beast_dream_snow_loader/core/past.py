"""What became of earlier changes to one record, as the journal has it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PastWrite:
    """``state`` is the journal's word: open, unknown, later, dead, done, refused, superseded, dropped. ``fields`` were
    sent."""

    run_id: str
    subject: str
    change: str
    state: str
    intended_at: datetime
    settled_at: datetime | None = None
    operation: str = ""
    code: str = ""
    message: str = ""
    fields: tuple[str, ...] = ()
