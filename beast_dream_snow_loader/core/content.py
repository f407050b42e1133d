"""What makes two changes of one record the same change, whenever they were planned."""

from __future__ import annotations

import hashlib

from beast_dream_snow_loader.core.changes import Change, ChangeType, ItemChange, LinkChange
from beast_dream_snow_loader.core.fingerprint import canonical

_BY_VALUES = (ChangeType.CREATE, ChangeType.UPDATE, ChangeType.HEARTBEAT)
"""What they send is the part of the record's values that differs; any other change is what it sends."""


def content_of(change: Change) -> str:
    """64 hex digits, the same for changes that want the same of the same CI, whatever it holds already and whenever the
    record was last seen."""
    return hashlib.sha256("\n".join(_parts(change)).encode("utf-8", "backslashreplace")).hexdigest()


def _parts(change: Change) -> tuple[str, ...]:
    if isinstance(change, ItemChange):
        sys_id = change.known.sys_id if change.known is not None else ""
        wanted = change.item.values if change.type in _BY_VALUES else {}
        further = {element: value for element, value in change.send.items() if element not in wanted}
        return (change.type, change.item.class_name, sys_id, canonical(wanted), canonical(further))
    if isinstance(change, LinkChange):
        relation = change.relation
        return (change.type, relation.key, relation.type, str(relation.reversed), change.lower_sys_id or "")
    known = change.known
    return (change.type, known.relation_key, known.parent_sys_id or "", known.child_sys_id or "")
