"""What a settled change makes the ledger believe, in the transaction that settles it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, or_

from beast_dream_snow_loader.core.ahead import not_before
from beast_dream_snow_loader.core.changes import ChangeType, ItemChange, LinkChange, UnlinkChange
from beast_dream_snow_loader.core.fingerprint import of_ci
from beast_dream_snow_loader.core.flapping import remembered, restored
from beast_dream_snow_loader.core.identity import Fingerprint, SysId
from beast_dream_snow_loader.core.known import KnownItem
from beast_dream_snow_loader.core.mapping_tables import BASE_CLASS, BASE_FIELDS
from beast_dream_snow_loader.core.names import name_source
from beast_dream_snow_loader.core.ports import Settlement
from beast_dream_snow_loader.core.receipts import Operation, Outcome, Receipt
from beast_dream_snow_loader.core.status import decided
from beast_dream_snow_loader.state.codec import encode_document
from beast_dream_snow_loader.state.ledger_rows import LINKED, items_of
from beast_dream_snow_loader.state.schema import ledger_items, ledger_relations
from beast_dream_snow_loader.state.statements import portions, upsert

_ONLY_AT_INSERT = frozenset({"first_seen", "last_seen", "missing_reads"})


def record(connection: Connection, settlements: Sequence[Settlement], now: datetime) -> None:
    """Take over what is DONE, in the transaction of ``connection``."""
    done = [s for s in settlements if s.receipt.outcome is Outcome.DONE]
    deleted = [s.change.subject for s in done if s.change.type is ChangeType.DELETE]
    items = {
        s.change.subject: (s.change, s.receipt)
        for s in done
        if isinstance(s.change, ItemChange) and s.change.type is not ChangeType.DELETE
    }
    links = {s.change.subject: (s.change, s.receipt) for s in done if isinstance(s.change, LinkChange)}
    unlinked = [s.change.subject for s in done if isinstance(s.change, UnlinkChange)]
    before = items_of(connection, items)
    rows = [_item_row(change, receipt, before.get(key), now) for key, (change, receipt) in items.items()]
    forget_edges(
        connection, [r["key"] for r in rows if r and r["key"] in before and before[r["key"]].sys_id != r["sys_id"]]
    )
    upsert(connection, ledger_items, [row for row in rows if row], kept=_ONLY_AT_INSERT)
    _record_links(connection, links.values(), now)
    forget(connection, deleted)
    forget_relations(connection, unlinked)


def forget(connection: Connection, keys: Iterable[str]) -> None:
    """These CIs and every edge of theirs."""
    gone = list(keys)
    for portion in portions(gone):
        connection.execute(delete(ledger_items).where(ledger_items.c.key.in_(portion)))
    forget_edges(connection, gone)


def forget_relations(connection: Connection, relation_keys: Iterable[str]) -> None:
    """These edges."""
    for portion in portions(relation_keys):
        connection.execute(delete(ledger_relations).where(ledger_relations.c.relation_key.in_(portion)))


def forget_edges(connection: Connection, keys: Iterable[str]) -> None:
    """Edges of a CI that is another one now were drawn to the old one."""
    parent, child = ledger_relations.c.parent, ledger_relations.c.child
    for portion in portions(keys):
        connection.execute(delete(ledger_relations).where(or_(parent.in_(portion), child.in_(portion))))


def _record_links(connection: Connection, links: Collection[tuple[LinkChange, Receipt]], now: datetime) -> None:
    ends = {str(key) for change, _ in links for key in (change.relation.parent, change.relation.child)}
    sys_ids = {key: item.sys_id for key, item in items_of(connection, sorted(ends)).items()}
    rows = [_relation_row(change, receipt, sys_ids, now) for change, receipt in links]
    upsert(connection, ledger_relations, [row for row in rows if row["ours"]])
    # One that was there already is ours only if an earlier run drew it.
    upsert(connection, ledger_relations, [row for row in rows if not row["ours"]], kept=frozenset({"ours"}))


def _item_row(change: ItemChange, receipt: Receipt, ledger: KnownItem | None, now: datetime) -> dict[str, Any] | None:
    """None when nobody knows the CI's sys_id: the next run looks it up by its key."""
    item, before = change.item, ledger or change.known
    sys_id = receipt.sys_id or (before.sys_id if before else None)
    if sys_id is None:
        return None
    inserted = receipt.operation is Operation.INSERTED
    same = before if before and before.sys_id == sys_id and not inserted else None  # else: another CI than we knew
    seen_at = item.seen_at or now
    ours = inserted or bool(same and same.created_by_us)
    written = {**(same.written if same else {}), **_arrived(change, receipt)}
    return {
        "key": str(item.key),
        "sys_id": sys_id,
        "class_name": receipt.class_name or item.class_name or (same.class_name if same else ""),
        "created_by_us": ours,
        "send_serial": change.send_serial,
        "adapter": change.adapter or bool(same and same.adapter),
        "fingerprint": _fingerprint(change, same, ours=ours),
        "written": encode_document(written),
        "written_at": not_before(same, now),
        "name_source": name_source(item, written, same),
        "lane": item.lane,
        "site": item.site or "",
        "kind": item.kind,
        "cloud_only": item.cloud_only,
        "retired_at": _retired_at(change, same, now),
        "first_seen": seen_at,
        "last_seen": seen_at,
        "missing_reads": 0,
        "history": encode_document(remembered(same, change) if same else {}),
        "contested": encode_document(restored(same, change) if same else {}),
        "overridden": encode_document(same.overridden if same else {}),
        "unkept": encode_document(same.unkept if same else {}),
    }


def _arrived(change: ItemChange, receipt: Receipt) -> Mapping[str, str]:
    """What the CI's class has a place for: a CI that landed in the base class gets the rest when it moves up."""
    if receipt.class_name != BASE_CLASS or change.item.class_name == BASE_CLASS:
        return change.send
    return {element: value for element, value in change.send.items() if element in BASE_FIELDS}


def _retired_at(change: ItemChange, same: KnownItem | None, now: datetime) -> datetime | None:
    """Whatever else is written to a retired CI, it stays retired until its status is set back; a status that a rollback
    puts back is the one of its before-image, and as much ours as it was then."""
    if change.type is ChangeType.RETIRE:
        return now
    if change.type is ChangeType.RESTORE and change.known is not None and decided(change.send):
        return change.known.retired_at
    return same.retired_at if same is not None and not decided(change.send) else None


def _fingerprint(change: ItemChange, same: KnownItem | None, *, ours: bool) -> Fingerprint | None:
    """Retiring touches nothing that UniFi tells."""
    if same is not None and change.type is ChangeType.RETIRE:
        return same.fingerprint
    return of_ci(change.item.values, created_by_us=ours)


def _relation_row(change: LinkChange, receipt: Receipt, known: Mapping[str, SysId], now: datetime) -> dict[str, Any]:
    relation = change.relation
    sys_ids = {**known, str(relation.lower): change.lower_sys_id} if change.lower_sys_id else known
    return {
        "relation_key": relation.key,
        "parent": str(relation.parent),
        "child": str(relation.child),
        "type": relation.type,
        "sys_id": receipt.sys_id,
        "state": LINKED,
        "parent_sys_id": sys_ids.get(str(relation.parent)),
        "child_sys_id": sys_ids.get(str(relation.child)),
        "linked_at": now,
        "ours": receipt.operation is not Operation.UNCHANGED,
        "moved_to": None,
        "moved_reads": 0,
        "checked_at": now,
    }
