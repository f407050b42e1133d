"""Draws the edges of clients whose CI is somebody else's: looked for first, whoever drew them; one call a device."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from beast_dream_snow_loader.core.changes import LinkChange
from beast_dream_snow_loader.core.client_links import as_drawn
from beast_dream_snow_loader.core.findings import Finding
from beast_dream_snow_loader.core.identity import SourceKey, SysId
from beast_dream_snow_loader.core.known import KnownItem
from beast_dream_snow_loader.core.receipts import OPEN, Operation, Outcome, Receipt
from beast_dream_snow_loader.pipeline.apply import Applier
from beast_dream_snow_loader.pipeline.guard import AWAY, UNREADABLE, reduced
from beast_dream_snow_loader.pipeline.world import Order, World

AT_ONCE = 50
"""Edges in one call: each is a search of the engine."""


class ClientLinker:
    """``waiting`` are edges whose device is neither in the CMDB nor in the queue before them, ``findings`` what could
    not be done."""

    def __init__(self, world: World, order: Order, applier: Applier) -> None:
        self._world, self._order, self._applier = world, order, applier
        self._devices: Mapping[SourceKey, KnownItem] = {}
        self._there: Mapping[str, SysId] = {}
        self.waiting: list[LinkChange] = []
        self.findings: list[Finding] = []

    def draw(self, links: Sequence[LinkChange]) -> None:
        """Every link once; what was left open is looked up, and what then is not there sent again on its own."""
        if not links or self._world.stopping():
            return
        away, ready = self._applier.away, self._ready(links)
        self._draw(ready, AT_ONCE)
        if away or not self._open(ready):
            return
        subjects = {change.subject for change in self._applier.look_up()}
        self._draw([link for link in ready if link.subject in subjects], 1)

    def _ready(self, links: Sequence[LinkChange]) -> list[LinkChange]:
        """Those whose device is there."""
        self._devices = self._world.ledger.known().items
        self.waiting += self._applier.put_behind([link for link in links if link.relation.upper not in self._devices])
        return [link for link in links if link.relation.upper in self._devices]

    def _open(self, links: Sequence[LinkChange]) -> bool:
        mine = {link.subject for link in links}
        return any(s.receipt.outcome in OPEN for s in self._applier.settlements if s.change.subject in mine)

    def _draw(self, links: Sequence[LinkChange], at_once: int) -> None:
        if not links or self._world.stopping():
            return
        self._there = {}
        if self._looked(links):
            self._world.spread(self._one, list(_groups(links, at_once)), self._order.lanes)

    def _looked(self, links: Sequence[LinkChange]) -> bool:
        """Which of them exist. False when that cannot be read: what was drawn could not be looked up afterwards."""
        if self._applier.away:
            return True
        try:
            ends = {key: device.sys_id for key, device in self._devices.items()}
            drawn = [as_drawn(link, ends) for link in links]
            self._there = self._world.cmdb.find_edges([edge for edge in drawn if edge is not None])
        except AWAY as error:
            self._applier.stop(error)
        except UNREADABLE as error:
            message = f"Relations cannot be read, so no edges of clients are drawn: {error.message}"
            self.findings.append(reduced("client.edges_unreadable", message))
            return False
        return True

    def _one(self, links: Sequence[LinkChange]) -> None:
        if not self._world.stopping():
            self._applier.settle(links, partial(self._send, links))

    def _send(self, links: Sequence[LinkChange]) -> Sequence[Receipt]:
        there = [_was_there(link, self._there[link.subject]) for link in links if link.subject in self._there]
        new = [link for link in links if link.subject not in self._there]
        device = self._devices[links[0].relation.upper]
        return [*there, *(self._world.cmdb.connect(device, new) if new else ())]


def _was_there(link: LinkChange, sys_id: SysId) -> Receipt:
    return Receipt(subject=link.subject, outcome=Outcome.DONE, operation=Operation.UNCHANGED, sys_id=sys_id)


def _groups(links: Iterable[LinkChange], at_once: int) -> Iterable[Sequence[LinkChange]]:
    """By device, so that two calls at once do not touch the same one unless it has very many clients."""
    by_device: dict[SourceKey, list[LinkChange]] = {}
    for link in links:
        by_device.setdefault(link.relation.upper, []).append(link)
    for device in sorted(by_device):
        group = by_device[device]
        yield from (group[start : start + at_once] for start in range(0, len(group), at_once))
