"""What the identification engine says about a record we have not written yet."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from beast_dream_snow_loader.core.identity import SourceKey


class MatchedBy(StrEnum):
    """The rule entry that hit (cmdb-model 2.3)."""

    NOTHING = "nothing"
    """The engine would insert."""
    SOURCE = "source"
    SERIAL = "serial"
    """Entry 100 or 200."""
    NAME = "name"
    ADAPTER = "adapter"
    OTHER = "other"
    """A custom entry, or the instance did not say which."""
    SEVERAL = "several"
    """MULTI_MATCH or duplicates."""
    NO_CLASS = "no_class"
    """None of its classes has a rule: only the base class is left, which the engine does not write."""
    REFUSED = "refused"
    """The engine would not take the record: see ``code`` and ``message``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    key: SourceKey
    by: MatchedBy
    sys_ids: tuple[str, ...] = ()
    class_name: str = ""
    code: str = ""
    message: str = ""
