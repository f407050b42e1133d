"""Who a record is. Identity is its own type, decided once per kind: never a host name, never a mapped field."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, NewType, get_args

SysId = NewType("SysId", str)
"""A ServiceNow sys_id: 32 lower-case hex digits."""

Fingerprint = NewType("Fingerprint", str)
"""Digest of the fields we own of one CI, without timestamps."""

RecordType = Literal["device", "client"]

_RECORDS = get_args(RecordType)
_MAC12 = re.compile(r"[0-9a-f]{12}\Z")
_SYS_ID = re.compile(r"[0-9a-f]{32}\Z")


@dataclass(frozen=True, slots=True, order=True)
class SourceKey:
    """The native key of a record at its source: ``device/<mac12>`` or ``client/<mac12>``.

    ``mac`` is the base MAC, 12 lower-case hex digits: the one value all three UniFi APIs share (cmdb-model 2.6).
    """

    record: RecordType
    mac: str

    def __post_init__(self) -> None:
        if self.record not in _RECORDS or not _MAC12.match(self.mac):
            raise ValueError(f"not a source key: {self.record}/{self.mac}")

    def __str__(self) -> str:
        return f"{self.record}/{self.mac}"

    @classmethod
    def parse(cls, text: str) -> SourceKey:
        """The inverse of ``str``. ValueError when the text is no source key."""
        record, _, mac = text.partition("/")
        return cls(record, mac)  # type: ignore[arg-type]


def parse_sys_id(text: str) -> SysId | None:
    """A sys_id, or None for anything else (IRE answers ``Unknown`` for a failed item)."""
    lowered = text.strip().lower()
    return SysId(lowered) if _SYS_ID.match(lowered) else None
