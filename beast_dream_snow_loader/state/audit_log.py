"""The audit trail in the database (R5.2): written in the transaction of what it records, or nothing is written at all.

One chain for all that writes to this database: every transaction of a writer excludes the others, so the last entry it
finds is the last one there is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, Engine, delete, event, select

from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.core.audit import Author, Deed, Head, Kind, Link
from beast_dream_snow_loader.errors import AuditDamaged
from beast_dream_snow_loader.operations.audit import (
    ORIGIN,
    AuditKey,
    Body,
    Circumstances,
    begun,
    entries,
    extended,
    pruned,
    sealed,
)
from beast_dream_snow_loader.operations.audit_check import first_bad
from beast_dream_snow_loader.operations.correlation import correlation_id
from beast_dream_snow_loader.state.audit_key import Keys
from beast_dream_snow_loader.state.audit_rows import (
    Mark,
    head_of,
    insert,
    last_entry,
    link_of,
    newest,
    newest_mark,
    open_segment,
    prunable,
    whatever_it_is,
)
from beast_dream_snow_loader.state.engine import reading, writing
from beast_dream_snow_loader.state.lease import Fence, writing_under
from beast_dream_snow_loader.state.schema import audit_log, meta
from beast_dream_snow_loader.state.statements import upsert

_PAGE = 2000
_TOLD = "audit_head_told"
"""In ``meta``: the digest of the head that was told last."""
_c = audit_log.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """Who is written into the trail, and where its key is: without ``keys`` in a file beside the SQLite file, and for
    a database on a server in ``directory``. After ``segment`` entries it is sealed though the run goes on."""

    author: Author = field(default_factory=Author)
    keys: Keys | None = None
    directory: Path | None = None
    segment: int = 10_000


class SqlAuditLog:
    """Safe for several threads: transactions exclude each other. ``written`` counts the entries that this process
    committed."""

    def __init__(self, engine: Engine, clock: Clock, signing: Signing, keys: Keys) -> None:
        self._engine, self._clock, self._keys = engine, clock, keys
        self._author, self._segment = signing.author, signing.segment
        self._key: AuditKey | None = None
        self._marked = 0
        self.written = 0

    def write(self, connection: Connection, run_id: str, target: str, kind: Kind, deeds: Sequence[Deed]) -> None:
        """In the transaction of ``connection``; once in each. AuditDamaged, and the transaction must fail, when the
        trail cannot be gone on with."""
        if not deeds:
            return
        around = self._around(run_id, target)
        head = last_entry(connection)
        key, added = self._ready(connection, head, around)
        added += entries(key, kind, deeds, around)
        if head.number + len(added) - self._marked >= self._segment:
            added.append(sealed(key, around))
        insert(connection, extended(key, head, added))
        event.listen(connection, "commit", partial(self._count, len(deeds)), once=True)

    def trail(self, fence: Fence | None, target: str) -> Trail:
        """For modifications that are in no journal."""
        return Trail(self._engine, self, fence, target)

    def seal(self, run_id: str, target: str = "") -> Head | None:
        """Sign everything so far, and let the key go by which it was made. The head; None when nothing was ever
        written."""
        with writing(self._engine) as connection:
            head = last_entry(connection)
            if head.number and head.kind != Kind.SEALED:
                around = self._around(run_id, target)
                key, added = self._ready(connection, head, around)
                links = extended(key, head, [*added, sealed(key, around)])
                insert(connection, links)
                head = links[-1]
        if not head.number:
            return None
        self._let_go(head)
        return head_of(head)

    def is_new(self, head: Head) -> bool:
        """Whether it was not told to the outside yet, whichever process sealed it."""
        with reading(self._engine) as connection:
            return connection.scalar(select(meta.c.value).where(meta.c.key == _TOLD)) != head.digest

    def told(self, head: Head) -> None:
        """It is where the operator wants heads to be."""
        with writing(self._engine) as connection:
            upsert(connection, meta, [{"key": _TOLD, "value": head.digest}])

    def begin(self, run_id: str) -> Head:
        """A new chain, because the operator says so: the key is lost, or the trail is damaged. Sealed at once."""
        with writing(self._engine) as connection:
            head = last_entry(connection)
            key = self._keys.new(head.segment + 1, "asked", self._present(connection))
            self._keys.save(key)
            around = self._around(run_id, "")
            links = extended(key, head, [begun(key, around), sealed(key, around)])
            insert(connection, links)
        self._key = key
        self._let_go(links[-1])
        return head_of(links[-1])

    def prune(self, before: datetime, run_id: str, target: str = "") -> int:
        """Remove sealed segments that ended before ``before``, a bounded part at a time, and say so in the trail.
        Returns how many entries went; the newest sealed one always stays."""
        with writing(self._engine) as connection:
            last = prunable(connection, before)
            if last is None:
                return 0
            around, head = self._around(run_id, target), last_entry(connection)
            key, added = self._ready(connection, head, around)
            insert(connection, extended(key, head, [*added, pruned(last, around)]))
            return connection.execute(delete(audit_log).where(_c.number <= last.number)).rowcount

    @contextmanager
    def links(self) -> Iterator[tuple[Link | None, Iterator[Link]]]:
        """The newest pruned entry, which says what was before the first one, and every entry in order; of one
        moment."""
        with reading(self._engine) as connection, whatever_it_is(connection):
            anchor = newest(connection, Kind.PRUNED)
            rows = connection.execution_options(yield_per=_PAGE).execute(select(audit_log).order_by(_c.number))
            yield anchor, map(link_of, rows)

    def key(self) -> AuditKey | None:
        """The present key, for a check; None when it is not here."""
        with reading(self._engine) as connection, suppress(AuditDamaged):
            mark = None
            mark = newest_mark(connection)
        return self._loaded(mark)

    def _count(self, deeds: int, _connection: Connection) -> None:
        self.written += deeds

    def _around(self, run_id: str, target: str) -> Circumstances:
        correlation = correlation_id() or run_id
        return Circumstances(
            at=self._clock.now(), run_id=run_id, correlation_id=correlation, target=target, author=self._author
        )

    def _ready(self, connection: Connection, head: Link, around: Circumstances) -> tuple[AuditKey, list[Body]]:
        """The key of the open segment; with a first entry where a chain has to begin."""
        due = open_segment(head)
        if self._key is None or self._key.segment > due or (self._key.segment < due and not self._follows(connection)):
            self._key = self._opened(connection, head, due)
        elif self._key.segment < due:
            self._advance(due, head.number)
        key = self._key
        return key, [begun(key, around)] if _begins(key, head) else []

    def _follows(self, connection: Connection) -> bool:
        """Whether the segments since ours are of our chain."""
        mark = newest_mark(connection)
        return mark is not None and self._key is not None and mark.chain == self._key.chain

    def _opened(self, connection: Connection, head: Link, due: int) -> AuditKey:
        mark = newest_mark(connection)
        key = self._loaded(mark)
        if key is None:
            if head.number:
                raise _lost(self._keys.place)
            return self._fresh(ORIGIN, "first", None)
        if _begins(key, head):
            self._marked = head.number
            return key
        if mark is None or (key.chain == mark.chain and key.segment > due):
            return self._fresh(head, "emptied" if mark is None else "set_back", key)
        if key.chain != mark.chain or not key.reaches(due) or key.at(due).public != mark.public:
            raise _other(self._keys.place, mark)
        key = key.at(due)
        self._refuse_altered(connection, key, mark.link)
        self._marked = mark.link.number
        return key

    def _loaded(self, mark: Mark | None) -> AuditKey | None:
        return self._keys.load(mark.first, mark.chain) if mark is not None else self._keys.load(1, "")

    def _fresh(self, head: Link, reason: str, before: AuditKey | None) -> AuditKey:
        """Kept before it is used: a chain whose key is lost could not be gone on with."""
        key = self._keys.new(head.segment + 1, reason, before)
        self._keys.save(key)
        self._marked = head.number
        return key

    @staticmethod
    def _refuse_altered(connection: Connection, key: AuditKey, start: Link) -> None:
        """What a killed run left unsealed is looked at before anything is built, and in the end signed, on it."""
        rows = connection.execute(select(audit_log).where(_c.number > start.number).order_by(_c.number))
        bad = first_bad(key, start, map(link_of, rows))
        if bad is not None:
            raise AuditDamaged(
                f"The audit trail is not what was written, from entry {bad} on: nothing more is written.",
                next_step="See `snowload audit verify`; when you know why, go on with `snowload audit begin`.",
            )

    def _advance(self, segment: int, number: int) -> None:
        if self._key is not None and self._key.segment < segment:
            self._key = self._key.at(segment)
            self._keys.save(self._key)
        self._marked = number

    def _let_go(self, seal: Link) -> None:
        """Of the key that made it, once the seal is there for good; kept by one process at a time, as every key is."""
        if self._key is not None and self._key.segment <= seal.segment:
            with writing(self._engine):
                self._advance(seal.segment + 1, seal.number)

    def _present(self, connection: Connection) -> AuditKey | None:
        try:
            return self._loaded(newest_mark(connection))
        except AuditDamaged:
            return None


class Trail:
    """The Audit port: modifications that no journal row stands for, each in a transaction of its own."""

    def __init__(self, engine: Engine, log: SqlAuditLog, fence: Fence | None, target: str) -> None:
        self._engine, self._log, self._fence, self._target = engine, log, fence, target

    def intend(self, run_id: str, deeds: Sequence[Deed]) -> None:
        """Before the request leaves."""
        self._write(run_id, Kind.INTENDED, deeds)

    def settle(self, run_id: str, deeds: Sequence[Deed]) -> None:
        """With what came of them."""
        self._write(run_id, Kind.SETTLED, deeds)

    def _write(self, run_id: str, kind: Kind, deeds: Sequence[Deed]) -> None:
        with writing_under(self._fence, self._engine) as connection:
            self._log.write(connection, run_id, self._target, kind, deeds)


def _begins(key: AuditKey, head: Link) -> bool:
    """Whether the chain of this key has no entry yet."""
    return key.segment == key.first == head.segment + 1


def _lost(place: str) -> AuditDamaged:
    return AuditDamaged(
        f"The key of the audit trail is not here ({place}): no change is made without an entry in it.",
        next_step="Put the file back, or name the secret in audit.key; if it is lost, run `snowload audit begin`.",
    )


def _other(place: str, mark: Mark) -> AuditDamaged:
    return AuditDamaged(
        f"The key of the audit trail ({place}) is not that of chain {mark.chain}, which this database holds: no change "
        "is made.",
        next_step="Let all hosts that share the database share audit.key; or run `snowload audit begin`.",
    )
