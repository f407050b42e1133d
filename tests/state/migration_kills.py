"""Databases of every earlier revision, and migrations of them that are killed between two statements.

``python -m tests.state.migration_kills`` kills at every statement of every migration; the suite runs some of them.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, event

from beast_dream_snow_loader.clock import SystemClock
from beast_dream_snow_loader.state.migrating import PACKAGED
from beast_dream_snow_loader.state.on_sqlite import sqlite_engine
from beast_dream_snow_loader.state.store import open_store

_ROWS = (
    "INSERT INTO runs (id, command, environment, target, started_at, status, report)"
    " VALUES ('run-1', 'load', 'testing', 'dev1', '2026-01-01T00:00:00.000000Z', 'running', '{}')",
    "INSERT INTO journal (run_id, subject, change_type, change, state, intended_at, attempts)"
    " VALUES ('run-1', 'device/a', 'create', '{}', 'open', '2026-01-01T00:00:00.000000Z', 0)",
    "INSERT INTO ledger_items (key, sys_id, class_name, created_by_us, send_serial, written, name_source, lane,"
    " first_seen, last_seen, missing_reads) VALUES ('device/00005e005301', 'a1', 'cmdb_ci_ip_switch', 1, 1, '{}', '',"
    " 'c', '2026-01-01T00:00:00.000000Z', '2026-01-01T00:00:00.000000Z', 0)",
)


def earlier() -> list[str]:
    """Every packaged revision but the newest, oldest first."""
    scripts = ScriptDirectory.from_config(_config())
    return sorted(script.revision for script in scripts.walk_revisions() if script.revision != PACKAGED.head)


def made(file: Path, revision: str) -> Path:
    """A database as the release of that revision left it, with a row in each table that matters."""
    from sqlalchemy import make_url

    file.parent.mkdir(mode=0o700, parents=True)
    file.touch(mode=0o600)
    engine = sqlite_engine(make_url(f"sqlite:///{file}"), file, 5)
    with engine.begin() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        for row in _ROWS:
            connection.exec_driver_sql(row)
    engine.dispose()
    return file


def killed_at(file: Path, statement: int) -> bool:
    """Migrate in a process that is killed before that statement or commit; False when it came to its end before."""
    child = os.fork()
    if not child:
        _migrate_until(file, statement)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def _migrate_until(file: Path, statement: int) -> None:
    done = 0

    def step(*_: object) -> None:
        nonlocal done
        if done == statement:
            os.kill(os.getpid(), signal.SIGKILL)
        done += 1

    event.listen(Engine, "before_cursor_execute", step)
    event.listen(Engine, "commit", step)
    open_store(f"sqlite:///{file}", SystemClock()).close()
    os._exit(0)


def between(file: Path, old: str) -> str:
    """What is wrong with a database whose migration from ``old`` was killed; empty when it is the old or the new one,
    and the program makes the new one of it with every row."""
    with closing(sqlite3.connect(file)) as connection:
        found, tables = _form(connection)
    forms = {revision: _form_of(revision) for revision in (old, PACKAGED.head)}
    if forms.get(found) != tables:
        return f"between {old} and {PACKAGED.head}: revision {found}, tables {sorted(tables)}"
    with open_store(f"sqlite:///{file}", SystemClock()) as store:
        check = store.check()
        kept = (store.memory.run("run-1") is not None, check.open, len(store.ledger.known().items))
        return "" if check.whole and kept == (True, 1, 1) else f"{check.problems}, kept {kept}"


_FORMS: dict[str, frozenset[str]] = {}


def _form_of(revision: str) -> frozenset[str]:
    if revision not in _FORMS:
        with (
            tempfile.TemporaryDirectory() as home,
            closing(sqlite3.connect(made(_under(home), revision))) as connection,
        ):
            _FORMS[revision] = _form(connection)[1]
    return _FORMS[revision]


def _form(connection: sqlite3.Connection) -> tuple[str, frozenset[str]]:
    (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    rows = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'")
    return str(revision), frozenset(sql for (sql,) in rows)


def _under(home: str | Path) -> Path:
    return Path(home) / "state" / "state.sqlite"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(PACKAGED.scripts))
    config.set_main_option("path_separator", "os")
    return config


def kills(old: str) -> Iterator[tuple[int, str]]:
    """Every statement at which the migration from ``old`` was killed, with what was wrong afterwards."""
    with tempfile.TemporaryDirectory() as home:
        template = made(_under(home), old)
        for statement in range(1000):
            file = Path(home) / str(statement) / "state" / "state.sqlite"
            shutil.copytree(template.parent, file.parent)
            file.parent.chmod(0o700)
            if not killed_at(file, statement):
                return
            yield statement, between(file, old)
            shutil.rmtree(file.parent.parent)


def main() -> int:
    wrong = 0
    for old in earlier():
        found = list(kills(old))
        bad = [f"  at statement {statement}: {what}" for statement, what in found if what]
        wrong += len(bad)
        print(f"from {old}: killed {len(found)} times, {len(bad)} times neither old nor new", *bad, sep="\n")  # noqa: T201
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
