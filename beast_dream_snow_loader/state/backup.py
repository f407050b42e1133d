"""Copies of a SQLite database, made before it is changed for good."""

from __future__ import annotations

import os
import re
import shlex
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path

from beast_dream_snow_loader.state.faults import undone
from beast_dream_snow_loader.state.private_files import private_directory

FOLDER = "backups"
KEPT = 5
"""So many of the newest copies stay: one for each of the last migrations."""


def back_up(file: Path, revision: str, now: datetime) -> Path:
    """A whole, checked copy of ``file`` as last committed, mode 0600: ``backups/state-0001-20261124T150000Z.sqlite``.

    The copy appears under its name only when it is complete; what a killed one left behind goes, and then what is older
    than the newest ``KEPT``, both of this database alone: others may have theirs in the same folder. For one process at
    a time. StateError when it cannot be made.
    """
    copy = file.parent / FOLDER / f"{file.stem}-{revision}-{now:%Y%m%dT%H%M%SZ}.sqlite"
    beside = copy.with_name(f".{copy.name}")
    private_directory(copy.parent)
    try:
        _remove(_copies(file, cut_short=True))
        os.close(os.open(beside, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600))
        beside.chmod(0o600)
        _copy(file, beside)
        beside.replace(copy)
        _remove(_newest_first(file)[KEPT:])
    except (OSError, sqlite3.Error) as error:
        beside.unlink(missing_ok=True)
        mend = "Free space or mend the rights there, then run the command again."
        raise undone(f"Database {file} was not migrated: its backup {copy} cannot be written", error, mend) from None
    return copy


def way_back(file: Path) -> str:
    """What to do when ``file`` is damaged: the newest backup, or a fresh start."""
    named, log = shlex.quote(str(file)), (shlex.quote(f"{file}-wal"), shlex.quote(f"{file}-shm"))
    aside = f"Move it aside (`mv {named} {shlex.quote(f'{file}.damaged')}; rm -f {' '.join(log)}`)"
    if backups := _newest_first(file):
        put_back = f"`cp {shlex.quote(str(backups[0]))} {named}`"
        return f"{aside}, put back the newest backup ({put_back}) and run `snowload load --full`."
    return f"{aside} and run `snowload load`: what is in the CMDB is found again by its native keys."


def backups_of(file: Path) -> Iterator[Path]:
    """Whole ones of this database: of a copy that was cut short the name still begins with a dot."""
    return _copies(file, cut_short=False)


def _copies(file: Path, *, cut_short: bool) -> Iterator[Path]:
    """By name: what is before the revision is the whole name of the database, and not how that of another begins."""
    name = re.compile(rf"{'[.]' * cut_short}{re.escape(file.stem)}-[^-]+-[0-9]{{8}}T[0-9]{{6}}Z[.]sqlite")
    return (copy for copy in (file.parent / FOLDER).glob("*.sqlite") if name.fullmatch(copy.name))


def _remove(copies: Iterable[Path]) -> None:
    """One that cannot go takes up space, and is no reason not to migrate."""
    for copy in copies:
        with suppress(OSError):
            copy.unlink()


def _newest_first(file: Path) -> list[Path]:
    """By the time in their names: a copy that was put back or moved keeps it."""
    return sorted(backups_of(file), key=lambda copy: copy.name.rpartition("-")[2], reverse=True)


def _copy(file: Path, copy: Path) -> None:
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
        target.execute("PRAGMA journal_mode=DELETE")
        (verdict,) = target.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
    descriptor = os.open(copy, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
