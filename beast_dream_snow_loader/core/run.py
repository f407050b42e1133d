"""One run of a command that may write, as it is remembered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

UNDOES = "undoes"
"""In the report of a rollback, from its beginning on: the run that it takes back."""


class RunStatus(StrEnum):
    RUNNING = "running"
    OK = "ok"
    PARTIAL = "partial"
    QUEUED = "queued"
    REFUSED = "refused"
    UNAVAILABLE = "unavailable"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """``report`` is the JSON document the command printed; while the run is under way, what it was asked."""

    id: str
    command: str
    environment: str
    target: str
    started_at: datetime
    finished_at: datetime | None = None
    status: RunStatus = RunStatus.RUNNING
    exit_code: int | None = None
    report: Mapping[str, Any] = field(default_factory=dict)
