"""What was sent without an answer: until that is settled, its values are ours wherever they are found (Q3)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from beast_dream_snow_loader.core.changes import UPDATING, ItemChange
from beast_dream_snow_loader.core.known import KnownState
from beast_dream_snow_loader.core.ports import JournalEntry


def unanswered(known: KnownState, entries: Iterable[JournalEntry]) -> KnownState:
    """With the values of updates that may have been carried out since they were looked for. Taken for a person's, they
    would stay for good."""
    updates = [e.change for e in entries if isinstance(e.change, ItemChange) and e.change.type in UPDATING]
    sent = {change.item.key: change.send for change in updates if change.item.key in known.items}
    doubted = {key: replace(known.items[key], sent=values) for key, values in sent.items()}
    return replace(known, items={**known.items, **doubted}) if doubted else known
