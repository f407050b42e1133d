"""The ledger: what we wrote and still believe in. The journal writes what was done, the ledger itself what was seen."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Row, bindparam, delete, func, literal, or_, select, update

from beast_dream_snow_loader.core.changes import ChangeType, ItemChange, LinkChange, UnlinkChange
from beast_dream_snow_loader.core.fingerprint import of_ci
from beast_dream_snow_loader.core.flapping import remembered, restored
from beast_dream_snow_loader.core.identity import Fingerprint, SourceKey, SysId
from beast_dream_snow_loader.core.keeping import still_unkept
from beast_dream_snow_loader.core.known import KnownItem, KnownRelation, KnownState
from beast_dream_snow_loader.core.names import name_source
from beast_dream_snow_loader.core.ports import Settlement
from beast_dream_snow_loader.core.presence import Attendance, Mark
from beast_dream_snow_loader.core.receipts import Operation, Outcome, Receipt
from beast_dream_snow_loader.state.codec import decode_document, encode_document
from beast_dream_snow_loader.state.columns import UtcTime
from beast_dream_snow_loader.state.engine import reading, writing
from beast_dream_snow_loader.state.schema import ledger_items, ledger_relations
from beast_dream_snow_loader.state.statements import portions, upsert

_LINKED = "linked"
_REMOVED = "removed"
"""By hand: it stays known, so that it is not drawn again."""
_MINE = ledger_items.c.key == bindparam("b_key")
_NOTE = (
    update(ledger_items)
    .where(_MINE, ledger_items.c.sys_id == bindparam("b_sys_id"))
    .values(
        class_name=bindparam("new_class"),
        fingerprint=bindparam("new_fingerprint"),
        written=bindparam("new_written"),
        name_source=bindparam("new_source"),
        mod_count=bindparam("new_count"),
        overridden=bindparam("new_overridden"),
        unkept=bindparam("new_unkept"),
        contested=bindparam("new_contested"),
    )
)
_FOLLOW = (
    update(ledger_items)
    .where(_MINE)
    .values(
        sys_id=bindparam("new_sys_id"),
        class_name=bindparam("new_class"),
        created_by_us=False,
        fingerprint=None,
        written="{}",
        written_at=None,
        retired_at=None,
        mod_count=None,
        adapter=False,
        history="{}",
        overridden="{}",
        unkept="{}",
        contested="{}",
    )
)
_CHECKED = update(ledger_items).where(_MINE).values(mod_count=bindparam("new_count"), checked_at=bindparam("new_at"))
_UNKEPT = update(ledger_items).where(_MINE).values(unkept=bindparam("new_unkept"))
_ONLY_AT_INSERT = frozenset({"first_seen", "last_seen", "missing_reads"})


class SqlLedger:
    """The Ledger port on a database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def known(self) -> KnownState:
        """Everything we wrote and still believe in, as of one moment."""
        linked = select(ledger_relations).where(ledger_relations.c.state.in_((_LINKED, _REMOVED)))
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

    def note(self, items: Iterable[KnownItem]) -> None:
        """What was found out about these CIs without writing them. One that is another CI by now is left alone."""
        rows = [_noted(item) for item in items]
        if rows:
            with writing(self._engine) as connection:
                connection.execute(_NOTE, rows)

    def follow(self, items: Iterable[KnownItem]) -> None:
        """These records are other CIs from now on; their edges are to be drawn anew."""
        rows = [_followed(item) for item in items]
        if not rows:
            return
        with writing(self._engine) as connection:
            connection.execute(_FOLLOW, rows)
            _forget_edges(connection, [row["b_key"] for row in rows])

    def checked(self, counts: Mapping[SourceKey, int | None], at: datetime) -> None:
        """These were looked at; ``counts`` are their ``sys_mod_count`` as far as compared."""
        rows = [{"b_key": str(key), "new_count": count, "new_at": at} for key, count in counts.items()]
        if rows:
            with writing(self._engine) as connection:
                connection.execute(_CHECKED, rows)

    def read_back(self, fields: Mapping[SourceKey, Mapping[str, str | None]]) -> None:
        """What became of fields just written: kept (None), or what the CMDB holds in their place."""
        with writing(self._engine) as connection:
            rows = [
                {"b_key": key, "new_unkept": encode_document(after)}
                for key, before in _unkept(connection, map(str, fields))
                if (after := still_unkept(before, fields[SourceKey.parse(key)])) != before
            ]
            if rows:
                connection.execute(_UNKEPT, rows)

    def forget(self, keys: Iterable[SourceKey]) -> None:
        """The CMDB no longer holds these CIs, nor then any edge of theirs: all will be planned as new."""
        with writing(self._engine) as connection:
            _forget(connection, map(str, keys))

    def watch(self, edges: Iterable[KnownRelation]) -> None:
        """Where these edges seem to be moving, in how many reads that was seen; whether their rows are there, which
        they are, and when they were looked for."""
        rows = [
            {
                "edge": edge.relation_key,
                "to": str(edge.moved_to) if edge.moved_to else None,
                "reads": edge.moved_reads,
                "checked": edge.checked_at,
                "new_state": _REMOVED if edge.removed else _LINKED,
                "new_sys_id": edge.sys_id,
                "mine": edge.ours,
            }
            for edge in edges
        ]
        if rows:
            with writing(self._engine) as connection:
                connection.execute(_WATCH, rows)

    def forget_relations(self, relation_keys: Iterable[str]) -> None:
        """The CMDB no longer holds these edges, or they are none of ours."""
        with writing(self._engine) as connection:
            _remove(connection, relation_keys)

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


def _unkept(connection: Connection, keys: Iterable[str]) -> list[tuple[str, dict[str, str]]]:
    columns = select(ledger_items.c.key, ledger_items.c.unkept)
    rows = (
        row for portion in portions(keys) for row in connection.execute(columns.where(ledger_items.c.key.in_(portion)))
    )
    return [(row.key, decode_document(row.unkept)) for row in rows]


def _forget(connection: Connection, keys: Iterable[str]) -> None:
    gone = list(keys)
    for portion in portions(gone):
        connection.execute(delete(ledger_items).where(ledger_items.c.key.in_(portion)))
    _forget_edges(connection, gone)


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


_WATCH = (
    update(ledger_relations)
    .where(ledger_relations.c.relation_key == bindparam("edge"))
    .values(
        moved_to=bindparam("to"),
        moved_reads=bindparam("reads"),
        checked_at=bindparam("checked"),
        state=bindparam("new_state"),
        sys_id=bindparam("new_sys_id"),
        ours=bindparam("mine"),
    )
)


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
    _forget_edges(
        connection, [r["key"] for r in rows if r and r["key"] in before and before[r["key"]].sys_id != r["sys_id"]]
    )
    upsert(connection, ledger_items, [row for row in rows if row], kept=_ONLY_AT_INSERT)
    _record_links(connection, links.values(), now)
    _forget(connection, deleted)
    _remove(connection, unlinked)


def _remove(connection: Connection, relation_keys: Iterable[str]) -> None:
    for portion in portions(relation_keys):
        connection.execute(delete(ledger_relations).where(ledger_relations.c.relation_key.in_(portion)))


def _forget_edges(connection: Connection, keys: Iterable[str]) -> None:
    """Edges of a CI that is another one now were drawn to the old one."""
    parent, child = ledger_relations.c.parent, ledger_relations.c.child
    for portion in portions(keys):
        connection.execute(delete(ledger_relations).where(or_(parent.in_(portion), child.in_(portion))))


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
    ours = inserted or bool(same and same.created_by_us)
    written = {**(same.written if same else {}), **change.send}
    return {
        "key": str(item.key),
        "sys_id": sys_id,
        "class_name": receipt.class_name or item.class_name or (same.class_name if same else ""),
        "created_by_us": ours,
        "send_serial": change.send_serial,
        "adapter": change.adapter or bool(same and same.adapter),
        "fingerprint": _fingerprint(change, same, ours=ours),
        "written": encode_document(written),
        "written_at": now,
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


def _retired_at(change: ItemChange, same: KnownItem | None, now: datetime) -> datetime | None:
    """Whatever else is written to a retired CI, it stays retired until its status is set back."""
    if change.type is ChangeType.RETIRE:
        return now
    return same.retired_at if same is not None and "install_status" not in change.send else None


def _fingerprint(change: ItemChange, same: KnownItem | None, *, ours: bool) -> Fingerprint | None:
    """Retiring touches nothing that UniFi tells."""
    if same is not None and change.type is ChangeType.RETIRE:
        return same.fingerprint
    return of_ci(change.item.values, created_by_us=ours)


def _noted(item: KnownItem) -> dict[str, Any]:
    return {
        "b_key": str(item.key),
        "b_sys_id": item.sys_id,
        "new_class": item.class_name,
        "new_fingerprint": item.fingerprint,
        "new_written": encode_document(item.written),
        "new_source": item.name_source,
        "new_count": item.mod_count,
        "new_overridden": encode_document(item.overridden),
        "new_unkept": encode_document(item.unkept),
        "new_contested": encode_document(item.contested),
    }


def _followed(item: KnownItem) -> dict[str, Any]:
    return {"b_key": str(item.key), "new_sys_id": item.sys_id, "new_class": item.class_name}


def _relation_row(change: LinkChange, receipt: Receipt, known: Mapping[str, SysId], now: datetime) -> dict[str, Any]:
    relation = change.relation
    sys_ids = {**known, str(relation.lower): change.lower_sys_id} if change.lower_sys_id else known
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
        "checked_at": now,
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
        adapter=row.adapter,
        lane=row.lane,
        site=row.site,
        kind=row.kind,
        cloud_only=row.cloud_only,
        read_at=row.read_at,
        missing_since=row.missing_since,
        missing_reads=row.missing_reads,
        retired_at=row.retired_at,
        mod_count=row.mod_count,
        checked_at=row.checked_at,
        overridden=decode_document(row.overridden),
        unkept=decode_document(row.unkept),
        contested=decode_document(row.contested),
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
        checked_at=row.checked_at,
        removed=row.state == _REMOVED,
    )


def _sys_id(text: str | None) -> SysId | None:
    return SysId(text) if text else None
