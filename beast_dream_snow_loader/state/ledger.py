"""The ledger: what we wrote and still believe in. Its only writer but for forgetting and seeing is the journal."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Row, bindparam, delete, func, literal, or_, select, update

from beast_dream_snow_loader.core.changes import ChangeType, ItemChange, LinkChange, UnlinkChange
from beast_dream_snow_loader.core.fingerprint import fingerprint
from beast_dream_snow_loader.core.identity import Fingerprint, SourceKey, SysId
from beast_dream_snow_loader.core.known import KnownItem, KnownRelation, KnownState
from beast_dream_snow_loader.core.ports import Settlement
from beast_dream_snow_loader.core.presence import Attendance, Mark
from beast_dream_snow_loader.core.receipts import Operation, Outcome, Receipt
from beast_dream_snow_loader.state.codec import decode_document, encode_document
from beast_dream_snow_loader.state.columns import UtcTime
from beast_dream_snow_loader.state.engine import reading, writing
from beast_dream_snow_loader.state.schema import ledger_items, ledger_relations
from beast_dream_snow_loader.state.statements import portions, upsert

_LINKED = "linked"
_ONLY_AT_INSERT = frozenset({"first_seen", "last_seen", "missing_reads"})


class SqlLedger:
    """The Ledger port on a database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def known(self) -> KnownState:
        """Everything we wrote and still believe in, as of one moment."""
        linked = select(ledger_relations).where(ledger_relations.c.state == _LINKED)
        with reading(self._engine) as connection:
            items = [_item(row) for row in connection.execute(select(ledger_items).order_by(ledger_items.c.key))]
            relations = [_relation(row) for row in connection.execute(linked)]
        return KnownState(
            items={item.key: item for item in items},
            relations={relation.relation_key: relation for relation in relations},
        )

    def in_class(self, class_name: str) -> int:
        """How many of the CIs we wrote are of this class."""
        counted = select(func.count()).select_from(ledger_items).where(ledger_items.c.class_name == class_name)
        with reading(self._engine) as connection:
            return int(connection.execute(counted).scalar_one())

    def forget(self, keys: Iterable[SourceKey]) -> None:
        """The CMDB no longer holds these CIs, nor then any edge of theirs: all will be planned as new."""
        with writing(self._engine) as connection:
            _forget(connection, map(str, keys))

    def attend(self, attendance: Attendance) -> None:
        """What one read says of each CI. A read older than the one counted last changes nothing."""
        at = attendance.taken_at
        counted = [mark for mark in attendance.marks.values() if mark.read_at == at]
        as_before = [str(mark.key) for mark in counted if mark.here and not mark.new_place]
        moved = [_mark_row(mark, at) for mark in counted if mark.here and mark.new_place]
        away = [_mark_row(mark, at) for mark in counted if not mark.here]
        with writing(self._engine) as connection:
            for portion in portions(as_before):
                found = update(ledger_items).where(ledger_items.c.key.in_(portion), _newer(literal(at, UtcTime)))
                connection.execute(found.values(last_seen=at, read_at=at, missing_since=None, missing_reads=0))
            for statement, rows in ((_MOVED, moved), (_MISSED, away)):
                if rows:
                    connection.execute(statement, rows)

    def settled_without_us(self, keys: Iterable[SourceKey], retired_at: datetime | None) -> None:
        """The status of these CIs is somebody else's doing: found Retired (``retired_at``), or kept by a person though
        they are back (None). It is not asked about again."""
        with writing(self._engine) as connection:
            for portion in portions(map(str, keys)):
                found = update(ledger_items).where(ledger_items.c.key.in_(portion))
                connection.execute(found.values(retired_at=retired_at))


def _forget(connection: Connection, keys: Iterable[str]) -> None:
    parent, child = ledger_relations.c.parent, ledger_relations.c.child
    for portion in portions(keys):
        connection.execute(delete(ledger_items).where(ledger_items.c.key.in_(portion)))
        connection.execute(delete(ledger_relations).where(or_(parent.in_(portion), child.in_(portion))))


def _newer(at: ColumnElement[Any]) -> ColumnElement[bool]:
    return or_(ledger_items.c.read_at.is_(None), ledger_items.c.read_at < at)


_MARKED = update(ledger_items).where(ledger_items.c.key == bindparam("subject"), _newer(bindparam("at", type_=UtcTime)))
_COUNTED: dict[str, Any] = {name: bindparam(f"new_{name}") for name in ("missing_reads", "missing_since", "read_at")}
_PLACED: dict[str, Any] = {
    name: bindparam(f"new_{name}") for name in ("lane", "site", "kind", "cloud_only", "last_seen")
}
_MOVED, _MISSED = _MARKED.values({**_COUNTED, **_PLACED}), _MARKED.values(_COUNTED)


def _mark_row(mark: Mark, at: datetime) -> dict[str, Any]:
    return {
        "subject": str(mark.key),
        "at": at,
        "new_missing_reads": mark.reads,
        "new_missing_since": mark.since,
        "new_read_at": mark.read_at,
        "new_lane": mark.lane,
        "new_site": mark.site,
        "new_kind": mark.kind,
        "new_cloud_only": mark.cloud_only,
        "new_last_seen": at,
    }


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
    before = _before(connection, items)
    rows = [_item_row(change, receipt, before.get(key), now) for key, (change, receipt) in items.items()]
    upsert(connection, ledger_items, [row for row in rows if row], kept=_ONLY_AT_INSERT)
    _record_links(connection, links.values(), now)
    _forget(connection, deleted)
    for portion in portions(unlinked):
        connection.execute(delete(ledger_relations).where(ledger_relations.c.relation_key.in_(portion)))


def _record_links(connection: Connection, links: Collection[tuple[LinkChange, Receipt]], now: datetime) -> None:
    ends = {str(key) for change, _ in links for key in (change.relation.parent, change.relation.child)}
    sys_ids = {key: item.sys_id for key, item in _before(connection, sorted(ends)).items()}
    rows = [_relation_row(change, receipt, sys_ids, now) for change, receipt in links]
    upsert(connection, ledger_relations, [row for row in rows if row["ours"]])
    # One that was there already is ours only if an earlier run drew it.
    upsert(connection, ledger_relations, [row for row in rows if not row["ours"]], kept=frozenset({"ours"}))


def _before(connection: Connection, keys: Iterable[str]) -> dict[str, KnownItem]:
    found: dict[str, KnownItem] = {}
    for portion in portions(keys):
        for row in connection.execute(select(ledger_items).where(ledger_items.c.key.in_(portion))):
            found[row.key] = _item(row)
    return found


def _item_row(change: ItemChange, receipt: Receipt, ledger: KnownItem | None, now: datetime) -> dict[str, Any] | None:
    """None when nobody knows the CI's sys_id: the next run looks it up by its key."""
    item, before = change.item, ledger or change.known
    sys_id = receipt.sys_id or (before.sys_id if before else None)
    if sys_id is None:
        return None
    inserted = receipt.operation is Operation.INSERTED
    same = before if before and before.sys_id == sys_id and not inserted else None  # else: another CI than we knew
    seen_at = item.seen_at or now
    return {
        "key": str(item.key),
        "sys_id": sys_id,
        "class_name": receipt.class_name or item.class_name or (same.class_name if same else ""),
        "created_by_us": inserted or bool(same and same.created_by_us),
        "send_serial": change.send_serial,
        "fingerprint": _fingerprint(change, same),
        "written": encode_document({**(same.written if same else {}), **change.send}),
        "written_at": now,
        "name_source": item.name_source,
        "lane": item.lane,
        "site": item.site or "",
        "kind": item.kind,
        "cloud_only": item.cloud_only,
        "retired_at": _retired_at(change, same, now),
        "first_seen": seen_at,
        "last_seen": seen_at,
        "missing_reads": 0,
    }


def _retired_at(change: ItemChange, same: KnownItem | None, now: datetime) -> datetime | None:
    """Whatever else is written to a retired CI, it stays retired until its status is set back."""
    if change.type is ChangeType.RETIRE:
        return now
    return same.retired_at if same is not None and "install_status" not in change.send else None


def _fingerprint(change: ItemChange, same: KnownItem | None) -> Fingerprint | None:
    """Retiring touches nothing that UniFi tells."""
    return (
        same.fingerprint if same is not None and change.type is ChangeType.RETIRE else fingerprint(change.item.values)
    )


def _relation_row(change: LinkChange, receipt: Receipt, sys_ids: Mapping[str, SysId], now: datetime) -> dict[str, Any]:
    relation = change.relation
    return {
        "relation_key": relation.key,
        "parent": str(relation.parent),
        "child": str(relation.child),
        "type": relation.type,
        "sys_id": receipt.sys_id,
        "state": _LINKED,
        "parent_sys_id": sys_ids.get(str(relation.parent)),
        "child_sys_id": sys_ids.get(str(relation.child)),
        "linked_at": now,
        "ours": receipt.operation is not Operation.UNCHANGED,
        "moved_to": None,
        "moved_reads": 0,
    }


def _item(row: Row[Any]) -> KnownItem:
    written: Mapping[str, str] = decode_document(row.written)
    return KnownItem(
        key=SourceKey.parse(row.key),
        sys_id=SysId(row.sys_id),
        class_name=row.class_name,
        created_by_us=row.created_by_us,
        fingerprint=Fingerprint(row.fingerprint) if row.fingerprint else None,
        written=written,
        written_at=row.written_at,
        name_source=row.name_source,
        send_serial=row.send_serial,
        lane=row.lane,
        site=row.site,
        kind=row.kind,
        cloud_only=row.cloud_only,
        read_at=row.read_at,
        missing_since=row.missing_since,
        missing_reads=row.missing_reads,
        retired_at=row.retired_at,
        mod_count=row.mod_count,
        history={element: tuple(values) for element, values in decode_document(row.history).items()},
    )


def _relation(row: Row[Any]) -> KnownRelation:
    return KnownRelation(
        relation_key=row.relation_key,
        parent=SourceKey.parse(row.parent),
        child=SourceKey.parse(row.child),
        type=row.type,
        sys_id=_sys_id(row.sys_id),
        parent_sys_id=_sys_id(row.parent_sys_id),
        child_sys_id=_sys_id(row.child_sys_id),
        linked_at=row.linked_at,
        ours=row.ours,
        moved_to=SourceKey.parse(row.moved_to) if row.moved_to else None,
        moved_reads=row.moved_reads,
    )


def _sys_id(text: str | None) -> SysId | None:
    return SysId(text) if text else None
