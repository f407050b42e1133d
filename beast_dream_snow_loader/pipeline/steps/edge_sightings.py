"""Edge sightings: of edges drawn or removed without an answer, those that are seen to be there, or gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from beast_dream_snow_loader.core.changes import LinkChange, UnlinkChange
from beast_dream_snow_loader.core.client_links import as_drawn
from beast_dream_snow_loader.core.identity import SourceKey, SysId
from beast_dream_snow_loader.core.known import Drawn
from beast_dream_snow_loader.core.ports import JournalEntry, Settlement
from beast_dream_snow_loader.core.receipts import Operation, Outcome, Receipt
from beast_dream_snow_loader.pipeline.steps.quarantine import carried_out_within
from beast_dream_snow_loader.pipeline.steps.sightings import found_gone
from beast_dream_snow_loader.pipeline.world import Order, World


def linked(
    world: World, order: Order, entries: Sequence[JournalEntry], ends: Mapping[SourceKey, SysId], *, late: bool = False
) -> list[Settlement]:
    """Edges that are there: drawn by us unless they were before, or, when it is ``late`` to be heard, somebody may have
    drawn them since. ``ends`` are the CIs by their keys; of an edge with an unknown end nothing can be seen."""
    links = [(entry, entry.change) for entry in entries if isinstance(entry.change, LinkChange)]
    wanted = [edge for _, link in links if (edge := as_drawn(link, ends)) is not None]
    there = world.cmdb.find_drawn(wanted) if wanted else {}
    seen = [(entry, link, there[link.subject]) for entry, link in links if link.subject in there]
    return [
        Settlement(change=link, receipt=_drawn(link, row, ours=_in_time(row, entry, order, late=late)))
        for entry, link, row in seen
    ]


def _in_time(row: Drawn, entry: JournalEntry, order: Order, *, late: bool) -> bool:
    since, until = carried_out_within(entry, order)
    return row.made_at is not None and since <= row.made_at and (row.made_at <= until or not late)


def _drawn(link: LinkChange, row: Drawn, *, ours: bool) -> Receipt:
    return Receipt(
        subject=link.subject,
        outcome=Outcome.DONE,
        operation=Operation.LINKED if ours else Operation.UNCHANGED,
        sys_id=row.sys_id,
        message="found by its ends when it was looked up",
    )


def unlinked(world: World, entries: Sequence[JournalEntry]) -> list[Settlement]:
    """Edges that are gone, whoever removed them."""
    unlinks = [entry.change for entry in entries if isinstance(entry.change, UnlinkChange)]
    there = world.cmdb.find_edges([change.known for change in unlinks]) if unlinks else {}
    return [
        Settlement(change=change, receipt=found_gone(change.subject, Operation.UNLINKED))
        for change in unlinks
        if change.known.relation_key not in there
    ]
