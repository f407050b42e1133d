"""A run undone: the plan that puts back what it changed, and what stays because others changed it since (R3.5)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from beast_dream_snow_loader.core.changes import (
    ChangeType,
    FieldChange,
    ItemChange,
    Lane,
    LinkChange,
    Plan,
    UnlinkChange,
)
from beast_dream_snow_loader.core.comparing import same
from beast_dream_snow_loader.core.desired import Relation
from beast_dream_snow_loader.core.edited import edited
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.identity import SourceKey, SysId
from beast_dream_snow_loader.core.known import KnownItem, KnownRelation, KnownState
from beast_dream_snow_loader.core.known_items import as_item, carried
from beast_dream_snow_loader.core.ports import JournalEntry, Settlement
from beast_dream_snow_loader.core.receipts import Operation
from beast_dream_snow_loader.core.shown import shown

Created = Literal["retire", "delete"]
"""What becomes of CIs that the run made."""

_CHANGED_SINCE = "rollback.changed_since"
LAST_DISCOVERED = "last_discovered"
OF_THE_ENGINE = frozenset({LAST_DISCOVERED, "install_status", "operational_status"})
"""Fields that move without a person: of these alone nobody says that a CI was edited."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """What the CMDB holds of everything the run touched: CIs by sys_id (one that is gone is not here), and the edges
    that are there, by relation key."""

    items: Mapping[SysId, Mapping[str, str]] = field(default_factory=dict)
    edges: Mapping[str, SysId] = field(default_factory=dict)
    unwritten: Collection[str] = frozenset()
    """Subjects of the run that no later run of ours has written."""
    edited: Mapping[SourceKey, str] = field(default_factory=dict)
    """CIs that others wrote before we did again, and why they count as edited."""
    related: Mapping[SysId, str] = field(default_factory=dict)
    """CIs that would take relations of others with them when they are deleted, and whose."""


def undo(done: Sequence[Settlement], known: KnownState, now: Now, created: Created, retired: Mapping[str, str]) -> Plan:
    """``done`` is what the run did, in order; ``retired`` the status values of a CI that is no longer in use.

    What is as it was before needs nothing, so a rollback that was interrupted is simply made again.
    """
    undoing = _Undoing(known=known, now=now, created=created, retired=retired)
    for settlement in _first_of_each(done):
        undoing.take(settlement)
    return undoing.plan()


def _first_of_each(done: Iterable[Settlement]) -> Iterable[Settlement]:
    """Only the first change of a subject saw what was there before the run."""
    first: dict[str, Settlement] = {}
    for settlement in done:
        first.setdefault(settlement.change.subject, settlement)
    return first.values()


@dataclass(slots=True, kw_only=True)
class _Undoing:
    known: KnownState
    now: Now
    created: Created
    retired: Mapping[str, str]
    restores: list[ItemChange] = field(default_factory=list)
    departures: list[ItemChange] = field(default_factory=list)
    links: list[LinkChange] = field(default_factory=list)
    client_links: list[LinkChange] = field(default_factory=list)
    unlinks: list[UnlinkChange] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    untouched: int = 0

    def take(self, settlement: Settlement) -> None:
        change, operation = settlement.change, settlement.receipt.operation
        if isinstance(change, LinkChange):
            if operation is Operation.LINKED:
                self._unlink(change, settlement.receipt.sys_id)
        elif isinstance(change, UnlinkChange):
            if operation is Operation.UNLINKED:
                self._link(change.known)
        elif operation is Operation.INSERTED:
            self._remove(change, settlement.receipt.sys_id)
        elif operation is Operation.UPDATED and change.type is not ChangeType.HEARTBEAT:
            self._restore(change)

    def plan(self) -> Plan:
        names = sorted({change.item.lane for change in self.restores})
        lanes = (Lane(name=n, items=tuple(c for c in self.restores if c.item.lane == n)) for n in names)
        ends = {end for link in self.links for end in (link.relation.lower, link.relation.upper)}
        return Plan(
            lanes=tuple(lanes),
            links=tuple(self.links),
            client_links=tuple(self.client_links),
            unlinks=tuple(self.unlinks),
            retirements=tuple(self.departures),
            unchanged=self.untouched,
            findings=tuple(self.findings),
            carriers={end: self._carrier(self.known.items[end]) for end in sorted(ends)},
        )

    def _restore(self, change: ItemChange) -> None:
        """Field by field: what still holds what the run wrote goes back, what others changed since stays."""
        before = change.known
        if before is None or before.stored is None:
            self._tell(change.subject, "rollback.no_image", "What it held before was not read: it stays as it is.")
            return
        row = self.now.items.get(before.sys_id)
        if row is None:
            self._tell(change.subject, "rollback.gone", "It is no longer in the CMDB.")
            return
        fields = tuple(self._fields(change, before.stored, row))
        if not fields:
            self.untouched += 1
            return
        self.restores.append(_restoring(change, replace(before, stored=row), fields))

    def _fields(self, change: ItemChange, before: Mapping[str, str], row: Mapping[str, str]) -> Iterator[FieldChange]:
        for element, sent in sorted(change.send.items()):
            old, held = before.get(element, ""), row.get(element, "")
            if element == LAST_DISCOVERED or same(element, held, old):
                continue
            if same(element, held, sent) or self._unkept(change.item.key, element, held):
                yield FieldChange(element=element, old=held, new=old, reason="rollback")
            elif element not in OF_THE_ENGINE:
                message = f"{element} was changed since to {shown(held, 60) or '(empty)'}: it stays."
                self.findings.append(changed_since(change.subject, message, element))

    def _unkept(self, key: SourceKey, element: str, held: str) -> bool:
        """The instance changed or cut it when the run wrote it: that is no person's edit."""
        item = self.known.items.get(key)
        return item is not None and element in item.unkept and same(element, held, item.unkept[element])

    def _remove(self, change: ItemChange, sys_id: SysId | None) -> None:
        row = self.now.items.get(sys_id) if sys_id is not None else None
        if sys_id is None or row is None:
            self.untouched += 1
            return
        item = self._known(change.item.key, sys_id, row)
        retired = all(row.get(element) == value for element, value in self.retired.items())
        if retired and self.created == "retire":
            self.untouched += 1
        elif why := self._edited(change, item, row):
            self.findings.append(changed_since(change.subject, f"{why}: the CI that the run made stays."))
        elif self.created == "delete":
            self.departures.append(ItemChange(type=ChangeType.DELETE, item=as_item(item), send={}, known=item))
        else:
            self.departures.append(_retiring(item, self.retired))

    def _edited(self, change: ItemChange, item: KnownItem, row: Mapping[str, str]) -> str:
        for element, sent in change.send.items():
            if element not in OF_THE_ENGINE and element in row and not same(element, row[element], sent):
                return f"{element} was changed since to {shown(row[element], 60) or '(empty)'}"
        earlier, related = self.now.edited.get(change.item.key, ""), self.now.related.get(item.sys_id, "")
        return edited(item, row) or earlier or related

    def _known(self, key: SourceKey, sys_id: SysId, row: Mapping[str, str]) -> KnownItem:
        item = self.known.items.get(key)
        if item is None or item.sys_id != sys_id:
            item = KnownItem(key=key, sys_id=sys_id, class_name=row.get("sys_class_name", ""), created_by_us=True)
        return replace(item, stored=row)

    def _unlink(self, change: LinkChange, drawn: SysId | None) -> None:
        """The row that the run drew, and no other one between the same ends: that is a later run's, or a person's."""
        edge, there = self.known.relations.get(change.subject), self.now.edges.get(change.subject)
        if edge is None or there is None:
            self.untouched += 1
        elif drawn is not None and there != drawn:
            self._tell(change.subject, _CHANGED_SINCE, "It was removed and drawn again since: it stays.")
        else:
            self.unlinks.append(UnlinkChange(known=edge, reason="rollback"))

    def _link(self, edge: KnownRelation) -> None:
        """An edge that the run removed is drawn again, while both its ends are there."""
        if edge.relation_key in self.now.edges:
            self.untouched += 1
        elif edge.relation_key not in self.now.unwritten:
            self._tell(edge.relation_key, _CHANGED_SINCE, "It was drawn and removed again since: it is not drawn.")
        elif all(self._there(end) for end in (edge.parent, edge.child)):
            self.links.append(LinkChange(relation=Relation.of_key(edge.relation_key, edge.type, edge.parent)))
        elif edge.lower not in self.known.items and edge.lower_sys_id in self.now.items and self._there(edge.upper):
            relation = Relation.of_key(edge.relation_key, edge.type, edge.parent)
            self.client_links.append(LinkChange(relation=relation, lower_sys_id=edge.lower_sys_id))
        else:
            self._tell(edge.relation_key, "rollback.end_gone", "The edge is not drawn again: one of its ends is gone.")

    def _there(self, key: SourceKey) -> bool:
        item = self.known.items.get(key)
        return item is not None and item.sys_id in self.now.items

    def _carrier(self, item: KnownItem) -> ItemChange:
        return carried(replace(item, stored=self.now.items[item.sys_id]))

    def _tell(self, record: str, rule: str, message: str, element: str = "") -> None:
        self.findings.append(_left(record, rule, message, element))


def changed_since(record: str, message: str, element: str = "") -> Finding:
    """What others changed is theirs: it is told, and stays."""
    return _left(record, _CHANGED_SINCE, message, element)


def in_doubt(entries: Iterable[JournalEntry], run_id: str, done: Iterable[Settlement]) -> Iterator[Finding]:
    """What the run sent without an answer and may still be carried out: nothing can be undone of it yet. A record of
    which something was done is undone; that its request comes once more, sent as it was again, is too much to tell."""
    seen = {settlement.change.subject for settlement in done}
    for record in dict.fromkeys(entry.change.subject for entry in entries if entry.run_id == run_id):
        if record in seen:
            continue
        message = (
            "It was sent without an answer and has not happened so far; ServiceNow may carry it out yet, for an hour "
            f"or so. Then run this again: snowload rollback {run_id}"
        )
        yield _left(record, "rollback.in_doubt", message, "")


def _left(record: str, rule: str, message: str, element: str) -> Finding:
    return Finding(record=record, rule=rule, severity=Severity.WARNING, message=message, field=element)


def _restoring(change: ItemChange, known: KnownItem, fields: tuple[FieldChange, ...]) -> ItemChange:
    """Empty values are sent here: they empty the field (cmdb-model 1.3). ``last_discovered`` goes along as it was, for
    the engine would stamp now. A name put back was made from what UniFi said then, if it is the one that we had
    written."""
    seen = (known.stored or {}).get(LAST_DISCOVERED, "")
    send = {one.element: one.new for one in fields} | ({LAST_DISCOVERED: seen} if seen else {})
    source = change.item.name_source
    if "name" in send:
        source = known.name_source if send["name"] == known.written.get("name", "") else ""
    return ItemChange(
        type=ChangeType.RESTORE,
        item=replace(change.item, class_name=known.class_name, values={**known.written, **send}, name_source=source),
        send=send,
        fields=fields,
        known=known,
        send_serial=False,
    )


def _retiring(item: KnownItem, retired: Mapping[str, str]) -> ItemChange:
    held = item.stored or {}
    return ItemChange(
        type=ChangeType.RETIRE,
        item=as_item(item),
        send={**retired, LAST_DISCOVERED: held.get(LAST_DISCOVERED, "")},
        fields=tuple(
            FieldChange(element=element, old=held.get(element) or None, new=value, reason="rollback")
            for element, value in retired.items()
        ),
        known=item,
        send_serial=False,
    )
