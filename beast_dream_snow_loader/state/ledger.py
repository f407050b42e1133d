"""The ledger: what we wrote and still believe in. The journal writes what was done, the ledger itself what was seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, bindparam, func, literal, or_, select, update

from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.core.keeping import still_unkept
from beast_dream_snow_loader.core.known import KnownItem, KnownRelation, KnownState
from beast_dream_snow_loader.core.presence import Attendance, Mark
from beast_dream_snow_loader.state.codec import decode_document, encode_document
from beast_dream_snow_loader.state.columns import UtcTime
from beast_dream_snow_loader.state.engine import reading
from beast_dream_snow_loader.state.lease import Fence, writing_under
from beast_dream_snow_loader.state.ledger_rows import LINKED, REMOVED, item_of, relation_of
from beast_dream_snow_loader.state.recording import forget, forget_edges, forget_relations
from beast_dream_snow_loader.state.schema import ledger_items, ledger_relations
from beast_dream_snow_loader.state.statements import portions

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


class SqlLedger:
    """The Ledger port on a database."""

    def __init__(self, engine: Engine, fence: Fence | None = None) -> None:
        """With a ``fence``, StateLocked from every method that writes once another run holds the target."""
        self._engine = engine
        self._fence = fence

    def fenced(self, fence: Fence) -> SqlLedger:
        """The same ledger for the holder of ``fence`` alone."""
        return SqlLedger(self._engine, fence)

    def _writing(self) -> AbstractContextManager[Connection]:
        return writing_under(self._fence, self._engine)

    def known(self) -> KnownState:
        """Everything we wrote and still believe in, as of one moment."""
        linked = select(ledger_relations).where(ledger_relations.c.state.in_((LINKED, REMOVED)))
        with reading(self._engine) as connection:
            items = [item_of(row) for row in connection.execute(select(ledger_items).order_by(ledger_items.c.key))]
            relations = [relation_of(row) for row in connection.execute(linked)]
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
            with self._writing() as connection:
                connection.execute(_NOTE, rows)

    def follow(self, items: Iterable[KnownItem]) -> None:
        """These records are other CIs from now on; their edges are to be drawn anew."""
        rows = [_followed(item) for item in items]
        if not rows:
            return
        with self._writing() as connection:
            connection.execute(_FOLLOW, rows)
            forget_edges(connection, [row["b_key"] for row in rows])

    def checked(self, counts: Mapping[SourceKey, int | None], at: datetime) -> None:
        """These were looked at; ``counts`` are their ``sys_mod_count`` as far as compared."""
        rows = [{"b_key": str(key), "new_count": count, "new_at": at} for key, count in counts.items()]
        if rows:
            with self._writing() as connection:
                connection.execute(_CHECKED, rows)

    def read_back(self, fields: Mapping[SourceKey, Mapping[str, str | None]]) -> None:
        """What became of fields just written: kept (None), or what the CMDB holds in their place."""
        with self._writing() as connection:
            rows = [
                {"b_key": key, "new_unkept": encode_document(after)}
                for key, before in _unkept(connection, map(str, fields))
                if (after := still_unkept(before, fields[SourceKey.parse(key)])) != before
            ]
            if rows:
                connection.execute(_UNKEPT, rows)

    def forget(self, keys: Iterable[SourceKey]) -> None:
        """The CMDB no longer holds these CIs, nor then any edge of theirs: all will be planned as new."""
        with self._writing() as connection:
            forget(connection, map(str, keys))

    def watch(self, edges: Iterable[KnownRelation]) -> None:
        """Where these edges seem to be moving, in how many reads that was seen; whether their rows are there, which
        they are, and when they were looked for."""
        rows = [
            {
                "edge": edge.relation_key,
                "to": str(edge.moved_to) if edge.moved_to else None,
                "reads": edge.moved_reads,
                "checked": edge.checked_at,
                "new_state": REMOVED if edge.removed else LINKED,
                "new_sys_id": edge.sys_id,
                "mine": edge.ours,
            }
            for edge in edges
        ]
        if rows:
            with self._writing() as connection:
                connection.execute(_WATCH, rows)

    def forget_relations(self, relation_keys: Iterable[str]) -> None:
        """The CMDB no longer holds these edges, or they are none of ours."""
        with self._writing() as connection:
            forget_relations(connection, relation_keys)

    def attend(self, attendance: Attendance) -> None:
        """What one read says of each CI. A read older than the one counted last changes nothing."""
        at = attendance.taken_at
        counted = [mark for mark in attendance.marks.values() if mark.read_at == at]
        as_before = [str(mark.key) for mark in counted if mark.here and not mark.new_place]
        moved = [_mark_row(mark, at) for mark in counted if mark.here and mark.new_place]
        away = [_mark_row(mark, at) for mark in counted if not mark.here]
        with self._writing() as connection:
            for portion in portions(as_before):
                found = update(ledger_items).where(ledger_items.c.key.in_(portion), _newer(literal(at, UtcTime)))
                connection.execute(found.values(last_seen=at, read_at=at, missing_since=None, missing_reads=0))
            for statement, rows in ((_MOVED, moved), (_MISSED, away)):
                if rows:
                    connection.execute(statement, rows)

    def settled_without_us(self, keys: Iterable[SourceKey], retired_at: datetime | None) -> None:
        """The status of these CIs is somebody else's doing: found Retired (``retired_at``), or kept by a person though
        they are back (None). It is not asked about again."""
        with self._writing() as connection:
            for portion in portions(map(str, keys)):
                found = update(ledger_items).where(ledger_items.c.key.in_(portion))
                connection.execute(found.values(retired_at=retired_at))


def _unkept(connection: Connection, keys: Iterable[str]) -> list[tuple[str, dict[str, str]]]:
    columns = select(ledger_items.c.key, ledger_items.c.unkept)
    rows = (
        row for portion in portions(keys) for row in connection.execute(columns.where(ledger_items.c.key.in_(portion)))
    )
    return [(row.key, decode_document(row.unkept)) for row in rows]


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
