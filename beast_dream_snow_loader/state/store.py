"""The state of one environment behind one door."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from types import TracebackType

from sqlalchemy import URL, Engine, select, text

from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.core.parking import QueueLimits
from beast_dream_snow_loader.core.standing import Standing
from beast_dream_snow_loader.errors import StateDamaged
from beast_dream_snow_loader.state.audit_key import FileKeys, Keys, NoKeys, named_after
from beast_dream_snow_loader.state.audit_log import Signing, SqlAuditLog
from beast_dream_snow_loader.state.breakers import SqlBreakers
from beast_dream_snow_loader.state.damage import damaged, lacking, way_back_from
from beast_dream_snow_loader.state.engine import BUSY_SECONDS, is_sqlite, open_engine, reading, writing
from beast_dream_snow_loader.state.journal import SqlJournal
from beast_dream_snow_loader.state.kept_checks import SqlKeptChecks
from beast_dream_snow_loader.state.lease import Fence, at_work, confirm, leased, release_dead, standing
from beast_dream_snow_loader.state.ledger import SqlLedger
from beast_dream_snow_loader.state.memory import SqlMemory
from beast_dream_snow_loader.state.migrating import PACKAGED, Migrations, revision_of
from beast_dream_snow_loader.state.notices import SqlNotices
from beast_dream_snow_loader.state.on_sqlite import fold_log
from beast_dream_snow_loader.state.pacing import SqlPacing
from beast_dream_snow_loader.state.patience import Patience
from beast_dream_snow_loader.state.private_files import COMPANIONS
from beast_dream_snow_loader.state.retention import (
    Retention,
    Sweeper,
    Swept,
    forgotten_until,
    half_gone,
    sweeping_time,
)
from beast_dream_snow_loader.state.schema import EntryState, ledger_items, meta
from beast_dream_snow_loader.state.standing import standing as standing_now
from beast_dream_snow_loader.state.statements import upsert

_PROBLEMS_SHOWN = 5


class Bond(StrEnum):
    """What a state belongs to; by these names in ``meta``."""

    DATA_SOURCE = "data_source"
    """The discovery source under which the ledger's CIs carry our native keys."""
    INSTANCE = "instance"
    """Whose sys_ids ledger, journal and queue hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreCheck:
    """How the database is. ``problems`` are its own words, empty when it is whole, and ``way_back`` says what to do
    about them. ``open``, ``unknown`` and
    ``later`` count the journal's waiting entries, ``dead`` the dead letters."""

    kind: str
    revision: str
    size_bytes: int
    log_bytes: int = 0
    """Of that SQLite's write-ahead log."""
    open: int = 0
    unknown: int = 0
    later: int = 0
    dead: int = 0
    problems: tuple[str, ...] = ()
    way_back: str = ""

    @property
    def whole(self) -> bool:
        return not self.problems


class Store:
    """Journal, audit trail, ledger, memory and breakers on one database. Close it, or use it as a context."""

    def __init__(self, engine: Engine, clock: Clock, audit: SqlAuditLog, limits: QueueLimits = QueueLimits()) -> None:
        self._engine, self._clock = engine, clock
        self.audit = audit
        self.journal = SqlJournal(engine, clock, audit, limits=limits)
        self.ledger = SqlLedger(engine)
        self.memory = SqlMemory(engine, clock)
        self.breakers = SqlBreakers(engine, clock)
        self.kept_checks = SqlKeptChecks(engine)
        self.notices = SqlNotices(engine, clock)

    def check(self, *, pages: bool = True) -> StoreCheck:
        """Read the whole database once: seconds for gigabytes. Without ``pages`` only its revision, its tables and the
        counts of what waits, however large it is. Does not raise for damage, which is in ``problems``."""
        try:
            with reading(self._engine) as connection:
                revision = revision_of(connection) or ""
            pending = self.journal.pending()
            dead = self.journal.queue.counts().get(EntryState.DEAD, 0)
            problems = self._problems(pages=pages)
        except StateDamaged as damage:
            return self._damaged((damage.message,), damage.next_step)
        if problems:
            return self._damaged(problems, way_back_from(self._engine.url), revision)
        size, log = self._size(), self._log_size()
        return StoreCheck(
            kind=self._kind,
            revision=revision,
            size_bytes=size,
            log_bytes=log,
            dead=dead,
            problems=(),
            way_back="",
            **pending,
        )

    def bonds(self) -> Mapping[Bond, str]:
        """What this state belongs to, as far as remembered."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(meta.c.key, meta.c.value).where(meta.c.key.in_(list(Bond))))
            return {Bond(row.key): row.value for row in rows}

    def bind(self, bonds: Mapping[Bond, str]) -> None:
        with writing(self._engine) as connection:
            upsert(connection, meta, [{"key": bond.value, "value": name} for bond, name in bonds.items()])

    @property
    def untouched(self) -> bool:
        """Nothing was ever written, as far as known here, nor is anything on its way."""
        pending = self.journal.pending()
        with reading(self._engine) as connection:
            known = connection.scalar(select(ledger_items.c.key).limit(1))
        return known is None and not (pending["open"] or pending["unknown"])

    @property
    def nothing_waits(self) -> bool:
        """No write is queued or parked."""
        counts = self.journal.queue.counts()
        return not (counts.get(EntryState.LATER) or counts.get(EntryState.DEAD))

    def holder(self, target: str) -> tuple[str, bool] | None:
        """Who holds the lease on ``target``, for people, and whether they are alive; None when nobody does."""
        return standing(self._engine, self._clock, target)

    def at_work(self, target: str) -> str | None:
        """The run that holds ``target`` and is alive; None when nobody does."""
        return at_work(self._engine, self._clock, target)

    def release_dead(self, target: str) -> str | None:
        """The lease on ``target`` is given back for a holder that is dead: who that was; None: nobody, or it lives."""
        return release_dead(self._engine, self._clock, target)

    def pacing(self, target: str) -> SqlPacing:
        """What processes that ask ``target`` tell each other."""
        return SqlPacing(self._engine, self._clock, target)

    def lease(
        self, target: str, run_id: str, patience: Patience | None = None, meanwhile: Callable[[], None] = lambda: None
    ) -> AbstractContextManager[Fence]:
        """The lease on ``target`` for as long as the block runs. Raises as :func:`leased`."""
        return leased(self._engine, self._clock, target, run_id, patience or Patience.of(self._clock), meanwhile)

    def confirm(self, fence: Fence) -> None:
        """That its holder still is one. Raises as :func:`~.lease.confirm`."""
        confirm(fence, self._engine)

    def standing(self) -> Standing:
        """The CIs we keep, counted, and the uplinks of the largest site."""
        return standing_now(self._engine)

    def sweep(self, target: str, holder: str, rule: Retention, stopping: Callable[[], bool]) -> Swept:
        """Remove what need not be kept any longer, while the run ``holder`` has the lease on ``target``."""
        now = sweeping_time(self._engine, target, holder, self._clock.now())
        sweeper = Sweeper(engine=self._engine, target=target, holder=holder, now=now, rule=rule)
        return sweeper.sweep(stopping)

    def forgotten_until(self, target: str) -> datetime | None:
        """When the newest run against ``target`` began that is no longer kept."""
        return forgotten_until(self._engine, target)

    def half_gone(self, target: str, run_id: str) -> bool:
        """Whether a sweep was cut short in the middle of this run: it cannot be undone whole any more."""
        return half_gone(self._engine, target, run_id)

    @property
    def directory(self) -> Path | None:
        """Where SQLite's file is; None for a server, whose disk is not seen from here."""
        return Path(str(self._engine.url.database)).parent if is_sqlite(self._engine.url) else None

    @property
    def size_bytes(self) -> int:
        """On disk, SQLite's log included."""
        return self._size()

    def fold_log(self) -> bool:
        """SQLite's log into its file, as far as nobody has to be waited for; whether all of it went."""
        return is_sqlite(self._engine.url) and fold_log(self._engine)

    def recover(self) -> None:
        """After a process was killed: SQLite's log is folded into its file, and all is read once. PostgreSQL does both
        by itself. StateDamaged, with the way back, when it is not whole."""
        if not is_sqlite(self._engine.url):
            return
        fold_log(self._engine)
        if problems := self._problems():
            raise damaged(self._engine.url, problems[0])

    def close(self) -> None:
        """Give back every connection; SQLite then folds its write-ahead log into the file."""
        self._engine.dispose()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _kind(self) -> str:
        return self._engine.url.get_backend_name()

    def _damaged(self, problems: tuple[str, ...], back: str, revision: str = "") -> StoreCheck:
        return StoreCheck(kind=self._kind, revision=revision, size_bytes=self._size(), problems=problems, way_back=back)

    def _problems(self, *, pages: bool = True) -> tuple[str, ...]:
        """PostgreSQL keeps page checksums itself and has no check that a client may run: of it only the schema."""
        with reading(self._engine) as connection:
            missing = [] if revision_of(connection) else ["its revision is gone (table alembic_version)"]
            missing += lacking(connection)
            if missing or not pages or not is_sqlite(self._engine.url):
                return tuple(missing[:_PROBLEMS_SHOWN])
            said = [str(word) for word in connection.scalars(text(f"PRAGMA integrity_check({_PROBLEMS_SHOWN})"))]
        return () if said == ["ok"] else tuple(said)

    def _log_size(self) -> int:
        if not is_sqlite(self._engine.url):
            return 0
        log = Path(f"{self._engine.url.database}-wal")
        return log.stat().st_size if log.exists() else 0

    def _size(self) -> int:
        """Bytes on disk, SQLite's log included."""
        if is_sqlite(self._engine.url):
            file = Path(str(self._engine.url.database))
            files = (file, *(file.with_name(file.name + suffix) for suffix in COMPANIONS))
            return sum(one.stat().st_size for one in files if one.exists())
        with reading(self._engine) as connection:
            return int(connection.scalar(text("SELECT pg_database_size(current_database())")) or 0)


def open_store(
    url: str,
    clock: Clock,
    migrations: Migrations = PACKAGED,
    busy_seconds: float = BUSY_SECONDS,
    limits: QueueLimits = QueueLimits(),
    signing: Signing = Signing(),
    *,
    make: bool = True,
) -> Store:
    """The store behind ``url``: ``sqlite:////path/state.sqlite`` or ``postgresql+psycopg://user@host/database``.

    Makes (unless ``make`` is False) and migrates what is needed. Raises as :func:`open_engine`.
    """
    engine = open_engine(url, clock, migrations, busy_seconds, make=make)
    audit = SqlAuditLog(engine, clock, signing, signing.keys or _key_file(engine.url, signing.directory))
    return Store(engine, clock, audit, limits)


def _key_file(url: URL, directory: Path | None) -> Keys:
    """By the database's name: beside its file, or in ``directory`` with a digest of which one it is on which server."""
    if is_sqlite(url):
        file = Path(str(url.database))
        return FileKeys(file.with_name(named_after(file.name)))
    if directory is None:
        return NoKeys()
    there = repr((url.host, url.port, url.database, sorted(url.query.items())))
    digest = hashlib.sha256(there.encode()).hexdigest()[:12]
    return FileKeys(directory / named_after(f"{url.get_backend_name()}-{digest}"))
