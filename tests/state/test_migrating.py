"""A database is brought up to date whole or not at all, and never by a program too old for it."""

from __future__ import annotations

import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from beast_dream_snow_loader.core.run import Run
from beast_dream_snow_loader.errors import StateError, StateLocked, StateTooNew
from beast_dream_snow_loader.state.engine import open_engine
from beast_dream_snow_loader.state.migrating import PACKAGED, Migrations
from beast_dream_snow_loader.state.schema import metadata
from beast_dream_snow_loader.state.store import open_store

NEXT = """
import sqlalchemy as sa
from alembic import op

revision = "next"
down_revision = "{down}"

def upgrade():
    op.add_column("runs", sa.Column("added", sa.Text))
    {then}
"""


@pytest.fixture
def later(tmp_path):
    """The packaged revisions and one more, as a later release would have it. ``then`` is its last statement."""

    def scripts(then: str = "pass") -> Migrations:
        place = tmp_path / "later"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(PACKAGED.scripts, place)
        (place / "versions" / "next.py").write_text(NEXT.format(down=PACKAGED.head, then=then))
        return Migrations(scripts=place, head="next")

    return scripts


def asked(file: Path, question: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(question).fetchall()


def a_run(clock) -> Run:
    return Run(id="run-1", command="load", environment="testing", target="dev1", started_at=clock.now())


def test_an_empty_place_becomes_a_database_at_the_newest_revision(url, clock):
    with open_store(url, clock) as store:
        check = store.check()
    assert (check.revision, check.whole, check.problems) == (PACKAGED.head, True, ())
    assert check.size_bytes > 0


def test_the_migrations_make_the_tables_that_the_code_uses(url, clock):
    engine = open_engine(url, clock)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_the_head_is_the_newest_packaged_revision():
    config = Config()
    config.set_main_option("script_location", str(PACKAGED.scripts))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_heads() == [PACKAGED.head]


def test_what_an_older_release_had_looked_for_in_vain_is_doubted(file, url, clock, tmp_path):
    older = tmp_path / "older"
    shutil.copytree(PACKAGED.scripts, older)
    (older / "versions" / "r0014_doubted.py").unlink()
    open_store(url, clock, Migrations(scripts=older, head="0013")).close()
    columns = "run_id, subject, change_type, change, state, intended_at, attempts, code"
    found = ["later", "unknown.not_found"], ["superseded", "unknown.not_found"]
    others = ["later", "transport.not_sent"], ["done", "unknown.not_found"]
    with closing(sqlite3.connect(file)) as connection, connection:
        for number, (state, code) in enumerate((*found, *others)):
            row = ("run-1", f"device/{number}", "update", "{}", state, "2026-11-24T12:00:00.000000Z", 0, code)
            connection.execute(f"INSERT INTO journal ({columns}) VALUES ({', '.join('?' * 8)})", row)
    open_store(url, clock).close()
    assert asked(file, "SELECT subject FROM journal WHERE doubted") == [("device/0",), ("device/1",)]


def test_before_a_migration_a_private_backup_is_made(file, url, clock, later):
    with open_store(url, clock) as store:
        store.memory.start_run(a_run(clock))
    open_store(url, clock, later()).close()
    (backup,) = (file.parent / "backups").iterdir()
    assert backup.name == f"state-{PACKAGED.head}-20261124T120000Z.sqlite"
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert asked(backup, "SELECT id FROM runs") == [("run-1",)]
    assert asked(backup, "SELECT version_num FROM alembic_version") == [(PACKAGED.head,)]
    assert asked(file, "SELECT id, added FROM runs") == [("run-1", None)]


def test_the_newest_five_backups_are_kept_and_older_ones_go_when_the_next_is_whole(file, url, clock, later):
    open_store(url, clock).close()
    backups = file.parent / "backups"
    backups.mkdir(mode=0o700)
    for day in range(10, 17):
        (backups / f"state-00{25 - day}-202611{day}T000000Z.sqlite").touch()
    open_store(url, clock, later()).close()
    assert sorted(copy.name.rpartition("-")[2][6:8] for copy in backups.iterdir()) == ["13", "14", "15", "16", "24"]


def test_the_backups_of_another_database_in_the_same_directory_stay(file, url, clock, later):
    open_store(url, clock).close()
    backups = file.parent / "backups"
    backups.mkdir(mode=0o700)
    others = [f"state-2-0009-202611{day}T000000Z.sqlite" for day in range(10, 17)]
    others += [f"other-0010-202612{day}T000000Z.sqlite" for day in range(10, 17)]
    others += [".other-0010-20261210T000000Z.sqlite"]  # its migration is under way
    for name in others:
        (backups / name).touch()
    open_store(url, clock, later()).close()
    mine = f"state-{PACKAGED.head}-20261124T120000Z.sqlite"
    assert sorted(copy.name for copy in backups.iterdir()) == sorted([*others, mine])


def test_an_old_backup_that_cannot_be_removed_is_no_reason_not_to_migrate(file, url, clock, later):
    open_store(url, clock).close()
    old = [file.parent / "backups" / f"state-0001-2026110{day}T000000Z.sqlite" for day in range(1, 7)]
    for copy in old:
        copy.mkdir(parents=True, mode=0o700)
    open_store(url, clock, later()).close()
    assert all(copy.exists() for copy in old)
    assert asked(file, "SELECT version_num FROM alembic_version") != [(PACKAGED.head,)]


def test_an_up_to_date_database_is_not_backed_up(file, url, clock):
    for _ in range(2):
        open_store(url, clock).close()
    assert not (file.parent / "backups").exists()


def test_a_newer_database_is_refused_untouched_with_the_version_that_made_it(file, url, clock, later):
    open_store(url, clock, later()).close()
    before = file.read_bytes()
    with pytest.raises(
        StateTooNew, match=rf"at revision next; this program knows revisions up to {PACKAGED.head}.*0\.1\.0"
    ):
        open_store(url, clock)
    assert file.read_bytes() == before


def test_a_database_is_not_migrated_under_a_run_at_work(file, url, clock, later):
    with open_store(url, clock) as store, store.lease("dev1", "run-1"):
        with pytest.raises(StateLocked, match=r"of an earlier release, and run run-1 \(process \d+"):
            open_store(url, clock, later())
        assert asked(file, "SELECT version_num FROM alembic_version") == [(PACKAGED.head,)]
        assert not (file.parent / "backups").exists()
    open_store(url, clock, later()).close()
    assert asked(file, "SELECT version_num FROM alembic_version") == [("next",)]


def test_a_migration_that_fails_half_way_leaves_the_database_as_it_was(file, url, clock, later):
    open_store(url, clock).close()
    with pytest.raises(StateError):
        open_store(url, clock, later("op.execute('SELECT nothing FROM nowhere')"))
    assert asked(file, "SELECT version_num FROM alembic_version") == [(PACKAGED.head,)]
    assert "added" not in [column[1] for column in asked(file, "PRAGMA table_info(runs)")]
    open_store(url, clock, later()).close()
    assert asked(file, "SELECT version_num FROM alembic_version") == [("next",)]


def test_a_program_killed_while_it_migrates_leaves_the_database_as_it_was(file, url, clock, later):
    open_store(url, clock).close()
    scripts = later("import os; os.kill(os.getpid(), 9)")
    program = (
        "import sys; from pathlib import Path; from beast_dream_snow_loader.clock import SystemClock;"
        "from beast_dream_snow_loader.state.migrating import Migrations;"
        "from beast_dream_snow_loader.state.store import open_store;"
        "open_store(sys.argv[1], SystemClock(), Migrations(scripts=Path(sys.argv[2]), head='next'))"
    )
    killed = subprocess.run([sys.executable, "-c", program, url, str(scripts.scripts)], check=False)
    assert killed.returncode == -9
    with open_store(url, clock) as store:
        assert store.check().whole
        assert store.check().revision == PACKAGED.head


def test_a_backup_that_cannot_be_written_stops_the_migration(file, url, clock, later):
    open_store(url, clock).close()
    (file.parent / "backups").touch()
    with pytest.raises(StateError, match="backups"):
        open_store(url, clock, later())
    assert asked(file, "SELECT version_num FROM alembic_version") == [(PACKAGED.head,)]
