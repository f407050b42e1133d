"""The ledger: what we wrote and still believe in. Its only writer but for forgetting and seeing is the journal."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, delete, func, literal, or_, select, update

from beast_dream_snow_loader.core.changes import ChangeType, ItemChange, LinkChange, UnlinkChange
from beast_dream_snow_loader.core.fingerprint import fingerprint
from beast_dream_snow_loader.core.identity import Fingerprint, SourceKey, SysId
from beast_dream_snow_loader.core.known import KnownItem, KnownRelation, KnownState
from beast_dream_snow_loader.core.ports import Settlement
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

    def forget(self, keys: Iterable[SourceKey]) -> None:
        """The CMDB no longer holds these CIs, nor then any edge of theirs: all will be planned as new."""
        parent, child = ledger_relations.c.parent, ledger_relations.c.child
        with writing(self._engine) as connection:
            for portion in portions(map(str, keys)):
                connection.execute(delete(ledger_items).where(ledger_items.c.key.in_(portion)))
                connection.execute(delete(ledger_relations).where(or_(parent.in_(portion), child.in_(portion))))

    def seen(self, keys: Iterable[SourceKey], complete: bool, at: datetime) -> None:
        """These were in the source at ``at``. ``complete``: everything else known was looked for and is missing."""
        c = ledger_items.c
        with writing(self._engine) as connection:
            if complete:
                connection.execute(
                    update(ledger_items).values(
                        missing_reads=c.missing_reads + 1,
                        missing_since=func.coalesce(c.missing_since, literal(at, UtcTime)),
                    )
                )
            for portion in portions(map(str, keys)):
                found = update(ledger_items).where(c.key.in_(portion))
                connection.execute(found.values(last_seen=at, missing_since=None, missing_reads=0))


def record(connection: Connection, settlements: Sequence[Settlement], now: datetime) -> None:
    """Take over what is DONE, in the transaction of ``connection``."""
    done = [s for s in settlements if s.receipt.outcome is Outcome.DONE]
    items = {s.change.subject: (s.change, s.receipt) for s in done if isinstance(s.change, ItemChange)}
    links = {s.change.subject: (s.change, s.receipt) for s in done if isinstance(s.change, LinkChange)}
    unlinked = [s.change.subject for s in done if isinstance(s.change, UnlinkChange)]
    before = _before(connection, items)
    rows = [_item_row(change, receipt, before.get(key), now) for key, (change, receipt) in items.items()]
    upsert(connection, ledger_items, [row for row in rows if row], kept=_ONLY_AT_INSERT)
    _record_links(connection, links.values(), now)
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
        "fingerprint": fingerprint(item.values),
        "written": encode_document({**(same.written if same else {}), **change.send}),
        "written_at": now,
        "name_source": item.name_source,
        "lane": item.lane,
        "site": item.site or "",
        "retired_at": now if change.type is ChangeType.RETIRE else None,
        "first_seen": seen_at,
        "last_seen": seen_at,
        "missing_reads": 0,
    }


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
