"""Rows of the ledger as the values they stand for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Row, select

from beast_dream_snow_loader.core.identity import Fingerprint, SourceKey, SysId
from beast_dream_snow_loader.core.known import KnownItem, KnownRelation
from beast_dream_snow_loader.state.codec import decode_document
from beast_dream_snow_loader.state.schema import ledger_items
from beast_dream_snow_loader.state.statements import portions
from beast_dream_snow_loader.state.unread import from_table

LINKED = "linked"
REMOVED = "removed"
"""By hand: it stays known, so that it is not drawn again."""


def items_of(connection: Connection, keys: Iterable[str]) -> dict[str, KnownItem]:
    found: dict[str, KnownItem] = {}
    for portion in portions(keys):
        for row in connection.execute(select(ledger_items).where(ledger_items.c.key.in_(portion))):
            found[row.key] = item_of(row)
    return found


@from_table("ledger_items")
def item_of(row: Row[Any]) -> KnownItem:
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


@from_table("ledger_relations")
def relation_of(row: Row[Any]) -> KnownRelation:
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
        removed=row.state == REMOVED,
    )


def _sys_id(text: str | None) -> SysId | None:
    return SysId(text) if text else None
