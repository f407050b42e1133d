"""Fields that do not come to rest: UniFi changes its mind, or somebody changes back what we write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from beast_dream_snow_loader.core.changes import ChangeType, ItemChange
from beast_dream_snow_loader.core.fingerprint import TIMESTAMPS
from beast_dream_snow_loader.core.known import KnownItem

REMEMBERED = 6
"""Earlier values kept of a field."""

RETURNS = 2
"""So many returns to an earlier value make a field flap: A, B, A, B."""

CONTESTED = 3
"""So often changed back, a field is fought over."""


def flaps(history: Sequence[str], written: str, new: str) -> tuple[str, ...]:
    """The values in order, oldest first, when they keep coming back; empty otherwise."""
    values = (*history, written, new)
    returns = sum(1 for at, value in enumerate(values) if value in values[:at])
    return values if returns >= RETURNS else ()


def remembered(known: KnownItem, change: ItemChange) -> dict[str, tuple[str, ...]]:
    """The history once the change is written: what each field held before goes to its end."""
    history = dict(known.history)
    if change.type is ChangeType.RESTORE:  # our own doing: not UniFi's going back and forth
        return {element: values for element, values in history.items() if element not in change.send}
    for element, before in _replaced(known, change):
        history[element] = (*history.get(element, ()), before)[-REMEMBERED:]
    return history


def restored(known: KnownItem, change: ItemChange) -> dict[str, int]:
    """How often each field was written again because it had been changed in the CMDB."""
    counts = dict(known.contested)
    for field in change.fields:
        again = field.new == known.written.get(field.element) and field.old not in (None, field.new)
        if again and field.element not in TIMESTAMPS and field.element not in known.unkept:
            counts[field.element] = counts.get(field.element, 0) + 1
    return counts


def _replaced(known: KnownItem, change: ItemChange) -> Sequence[tuple[str, str]]:
    sent: Mapping[str, str] = {f.element: f.new for f in change.fields if f.element not in TIMESTAMPS}
    return [
        (element, known.written[element])
        for element, new in sent.items()
        if known.written.get(element) and known.written[element] != new
    ]
