"""Attendance: who of the CIs we know UniFi still shows, and what is to become of those it does not."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from beast_dream_snow_loader.core.changes import ItemChange
from beast_dream_snow_loader.core.findings import Finding
from beast_dream_snow_loader.core.guards import excess, too_many_retirements
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.core.known import KnownItem, KnownState
from beast_dream_snow_loader.core.presence import Attendance, State
from beast_dream_snow_loader.core.retirement import Farewell, farewell, needed
from beast_dream_snow_loader.core.roll_call import tell
from beast_dream_snow_loader.core.status import Statuses
from beast_dream_snow_loader.errors import TooManyRetirements
from beast_dream_snow_loader.pipeline.guard import AWAY, UNREADABLE, reduced
from beast_dream_snow_loader.pipeline.steps.drift import with_stored
from beast_dream_snow_loader.pipeline.world import Order, World


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenOff:
    """``retirements`` are to be done; ``refused`` says why none is, though some are due. ``already`` are the work of
    others."""

    attendance: Attendance
    retirements: tuple[ItemChange, ...] = ()
    already: tuple[SourceKey, ...] = ()
    findings: tuple[Finding, ...] = ()
    refused: TooManyRetirements | None = None


def see_off(
    world: World, order: Order, attendance: Attendance, known: KnownState, statuses: Statuses, *, away: bool
) -> SeenOff:
    """What becomes of those who are gone. Without a look at what the CMDB holds of them, nothing."""
    gone = [known.items[key] for key in attendance.of(State.GONE)]
    try:
        found = Farewell() if away else decided(world, order, known, gone, statuses, _present(attendance, known))
    except (*AWAY, *UNREADABLE):
        found, away = Farewell(), True
    attendance = attendance.retired(found.already)
    findings = tuple(tell(attendance, order.retire))
    if not order.retire.enabled:
        return SeenOff(attendance=attendance, already=found.already, findings=findings)
    findings += (_waiting(len(gone)),) if gone and away else found.findings
    leaving = [change.known for change in found.changes if change.known is not None]
    there = [item for item in known.items.values() if item.retired_at is None]
    if over := excess(leaving, there, order.retire):
        refused = too_many_retirements(over, order.retire, order.again)
        return SeenOff(attendance=attendance, already=found.already, findings=findings, refused=refused)
    return SeenOff(attendance=attendance, retirements=found.changes, already=found.already, findings=findings)


def decided(
    world: World,
    order: Order,
    known: KnownState,
    gone: Sequence[KnownItem],
    statuses: Statuses,
    present: Collection[str],
) -> Farewell:
    """The decision about these, from what the CMDB holds of them now. Raises what reading raises."""
    if not gone:
        return Farewell()
    seen = with_stored(world, order, known, gone, needed(gone, statuses))
    return farewell([seen.items[item.key] for item in gone], statuses, present)


def _waiting(count: int) -> Finding:
    message = f"{count} CIs that are gone wait for the next run: what the CMDB holds of them could not be read."
    return reduced("retire.waits", message)


def _present(attendance: Attendance, known: KnownState) -> frozenset[str]:
    return frozenset(known.items[key].sys_id for key, mark in attendance.marks.items() if mark.here)


def status_read(
    world: World, order: Order, known: KnownState, keys: Sequence[SourceKey], statuses: Statuses
) -> KnownState:
    """The known state with what the CMDB holds of these, whose status is in question. Raises what reading raises."""
    items = [known.items[key] for key in keys if known.items[key].stored is None]
    return with_stored(world, order, known, items, needed(items, statuses)) if items else known
