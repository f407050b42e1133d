"""The rows of the audit trail: the newest ones that matter, what is old enough to go, and what does not read (R5.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import orjson
from sqlalchemy import Connection, func, select

from beast_dream_snow_loader.clock import parse_rfc3339
from beast_dream_snow_loader.core.audit import Head, Kind, Link
from beast_dream_snow_loader.errors import AuditDamaged
from beast_dream_snow_loader.operations.audit import ORIGIN
from beast_dream_snow_loader.state.schema import MARKS, audit_log

PRUNED_AT_ONCE = 20_000
_SEALS_LOOKED_AT = 50
_c = audit_log.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The newest entry that says which public key comes next."""

    link: Link
    chain: str
    first: int
    public: str

    @classmethod
    def of(cls, link: Link) -> Mark:
        told = orjson.loads(link.body)
        public = told["next"] if link.kind == Kind.SEALED else told["key"]
        return cls(link=link, chain=told["chain"], first=told["first"], public=public)


@contextmanager
def whatever_it_is(connection: Connection) -> Iterator[None]:
    """SQLite keeps any bytes as text. What is no UTF-8 is read with marks in its place, and so does not verify."""
    raw: Any = connection.connection.driver_connection
    if connection.dialect.name != "sqlite":
        yield
        return
    raw.text_factory = partial(str, encoding="utf-8", errors="replace")
    try:
        yield
    finally:
        raw.text_factory = str


def head_of(link: Link) -> Head:
    """The head that a sealed entry is. AuditDamaged where it does not read."""
    try:
        told = orjson.loads(link.body)
        at = parse_rfc3339(told["at"])
        return Head(
            chain=told["chain"], number=link.number, digest=link.digest, at=at, run_id=told["run"], key=told["key"]
        )
    except (ValueError, KeyError, TypeError):
        raise _unread() from None


def open_segment(head: Link) -> int:
    return head.segment + 1 if head.kind == Kind.SEALED else head.segment


def last_entry(connection: Connection) -> Link:
    row = connection.execute(select(audit_log).order_by(_c.number.desc()).limit(1)).one_or_none()
    return link_of(row) if row is not None else ORIGIN


def newest(connection: Connection, *kinds: Kind) -> Link | None:
    query = select(audit_log).where(MARKS, _c.kind.in_(kinds)).order_by(_c.number.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return link_of(row) if row is not None else None


def newest_mark(connection: Connection) -> Mark | None:
    link = newest(connection, Kind.BEGUN, Kind.SEALED)
    try:
        return Mark.of(link) if link is not None else None
    except (ValueError, KeyError, TypeError):
        raise _unread() from None


def _unread() -> AuditDamaged:
    return AuditDamaged(
        "A seal of the audit trail does not read: nothing more is written.",
        next_step="See `snowload audit verify`; when you know why, go on with `snowload audit begin`.",
    )


def prunable(connection: Connection, before: datetime) -> Link | None:
    """The newest of the oldest seals that is old enough, and not the newest of all."""
    seals = select(audit_log).where(MARKS, _c.kind == Kind.SEALED).order_by(_c.number).limit(_SEALS_LOOKED_AT)
    first = connection.scalar(select(func.min(_c.number))) or 0
    found = [link_of(row) for row in connection.execute(seals)]
    old = [link for link in found[:-1] if link.number - first < PRUNED_AT_ONCE and head_of(link).at < before]
    return old[-1] if old else None


def insert(connection: Connection, links: Sequence[Link]) -> None:
    connection.execute(audit_log.insert(), [link._asdict() for link in links])


link_of = Link._make
"""The columns of the table are the parts of a link, in that order."""
