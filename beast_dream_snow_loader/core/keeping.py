"""Whether the instance kept what was just written (R3.2), and whose doing it is where it did not."""

from __future__ import annotations

from collections.abc import Mapping

from beast_dream_snow_loader.core.changes import ItemChange
from beast_dream_snow_loader.core.comparing import same
from beast_dream_snow_loader.core.healing import count_of

NOT_COMPARED = frozenset({"last_discovered", "install_status", "operational_status"})
"""The engine keeps its own idea of the first; business rules move the others."""


def outcomes(change: ItemChange, now: Mapping[str, str]) -> dict[str, str | None]:
    """By element that was sent: None where it was kept, else what stands in its place. What a person seems to have
    written meanwhile is nobody's failure and is left out; so is a field that the class has not."""
    compared = {e: sent for e, sent in change.send.items() if e not in NOT_COMPARED and e in now}
    kept: dict[str, str | None] = {e: None for e, sent in compared.items() if same(e, now[e], sent)}
    lost = {e: now[e] for e in compared.keys() - kept.keys() if not by_another(change, e, now)}
    return {**kept, **lost}


def by_another(change: ItemChange, element: str, now: Mapping[str, str]) -> bool:
    """A value that is neither nothing, nor the one before, nor a part of ours, in a CI written once more since."""
    held, sent = now.get(element, ""), change.send[element]
    before = (change.known.stored if change.known else None) or {}
    if sent.startswith(held) or held == before.get(element):
        return False
    count, first = count_of(now), count_of(before) if change.known else -1
    return count is not None and first is not None and count > first + 1


def left_aside(change: ItemChange, now: Mapping[str, str]) -> bool:
    """Whether nothing at all was written of what was sent: the engine sets ``last_discovered`` with each item that it
    takes, so that one which it took has counted."""
    before = (change.known.stored if change.known else None) or {}
    return count_of(now) is not None and count_of(now) == count_of(before)


def still_unkept(before: Mapping[str, str], fields: Mapping[str, str | None]) -> dict[str, str]:
    """What the ledger remembers as not kept, once these fields were read back."""
    return {element: held for element, held in {**before, **fields}.items() if held is not None}
