"""Which changes that wait are about something that has been looked at again."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from beast_dream_snow_loader.core.changes import Change, LinkChange
from beast_dream_snow_loader.core.desired import DesiredState
from beast_dream_snow_loader.core.identity import SourceKey


def looked_at(
    waiting: Sequence[Change], desired: DesiredState, keys: Collection[SourceKey], clients: Collection[SourceKey]
) -> set[str]:
    """The subjects of those that a plan for the records ``keys`` decided about. ``clients``: of the mode ``link``.

    A relation is decided with its lower end, wherever that hung when the relation was queued: where it hangs now is
    known, and what says otherwise is out of date.
    """
    records = {str(key) for key in keys}
    known = {(edge.role, edge.lower) for edge in desired.relations if edge.lower in keys}
    decided = records | {edge.key for edge in desired.relations if edge.lower in keys}
    for change in waiting:
        if isinstance(change, LinkChange):
            edge, of_client = change.relation, change.lower_sys_id is not None
            if (edge.role, edge.lower) in known or (of_client and edge.lower in clients):
                decided.add(change.subject)
    return decided & {change.subject for change in waiting}
