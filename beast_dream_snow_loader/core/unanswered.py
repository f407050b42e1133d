"""What was sent without an answer: until that is settled, its values are ours wherever they are found (Q3)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from beast_dream_snow_loader.core.changes import UPDATING, ItemChange
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.core.known import KnownState
from beast_dream_snow_loader.core.ports import JournalEntry


def unanswered(known: KnownState, entries: Iterable[JournalEntry]) -> KnownState:
    """With the values of updates that may have been carried out since they were looked for. Taken for a person's, they
    would stay for good."""
    updates = [e.change for e in entries if isinstance(e.change, ItemChange) and e.change.type in UPDATING]
    sent: dict[SourceKey, dict[str, tuple[str, ...]]] = {}
    for change in updates:
        if change.item.key in known.items:
            values = sent.setdefault(change.item.key, {})
            values.update({element: (*values.get(element, ()), value) for element, value in change.send.items()})
    doubted = {key: replace(known.items[key], doubted=values) for key, values in sent.items()}
    return replace(known, items={**known.items, **doubted}) if doubted else known
