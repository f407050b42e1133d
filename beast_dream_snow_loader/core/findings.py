"""One thing worth telling about one record."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    """An error finding keeps its record from being written; the run goes on without it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """``record`` is a source key or ``console/…``, ``site/…``, ``instance``; ``rule`` a stable name such as
    ``name.shared``; ``value`` the offending value, already fit to be shown."""

    record: str
    rule: str
    severity: Severity
    message: str
    field: str = ""
    value: str = ""
