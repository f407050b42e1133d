"""A damaged or full database is told as such, with the way back, and never as a traceback of a driver."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from beast_dream_snow_loader.core.facts import InstanceFacts
from beast_dream_snow_loader.core.observed import Console
from beast_dream_snow_loader.core.remembered import Part
from beast_dream_snow_loader.core.run import Run
from beast_dream_snow_loader.errors import StateDamaged, StateError, StateLocked
from beast_dream_snow_loader.state import engine as state_engine
from beast_dream_snow_loader.state.backup import back_up
from beast_dream_snow_loader.state.store import open_store

PAGE = 4096


def filled(url, clock):
    with open_store(url, clock) as store:
        for number in range(400):
            store.memory.start_run(
                Run(
                    id=f"run-{number}",
                    command="load",
                    environment="testing",
                    target="dev1",
                    started_at=clock.now(),
                    report={"text": "x" * 300},
                )
            )


def overwritten(file, start, count):
    with file.open("r+b") as opened:
        opened.seek(start)
        opened.write(b"\xa5" * count)


def reports_overwritten(file):
    """Every page that holds nothing but reports of runs: no other is met before they are read."""
    pages = file.read_bytes()
    found = [start for start in range(0, len(pages), PAGE) if pages[start : start + PAGE].count(b"x" * 300) > 5]
    assert len(found) > 10
    for start in found:
        overwritten(file, start, PAGE)


def sql(file, statement):
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(statement)


def test_a_file_that_is_no_database_is_damaged_and_the_way_back_is_to_start_afresh(file, url, clock):
    file.parent.mkdir(parents=True, mode=0o700)
    file.write_bytes(b"\x00\x01 not a database at all" * 100)
    with pytest.raises(StateDamaged) as damaged:
        open_store(url, clock)
    assert f"mv {file} {file}.damaged" in damaged.value.next_step
    assert "snowload load" in damaged.value.next_step


def test_where_there_is_a_backup_the_newest_is_the_way_back(file, url, clock):
    filled(url, clock)
    backups = file.parent / "backups"
    backups.mkdir(mode=0o700)
    for name in ("state-0009-20261101T000000Z.sqlite", "state-0010-20261102T000000Z.sqlite"):
        (backups / name).touch()
    overwritten(file, 0, 100)
    with pytest.raises(StateDamaged, match=r"cp .*state-0010-20261102T000000Z\.sqlite"):
        open_store(url, clock)


def test_a_backup_that_was_cut_short_is_no_way_back_and_goes_with_the_next_one(file, url, clock):
    filled(url, clock)
    backups = file.parent / "backups"
    backups.mkdir(mode=0o700)
    (backups / "state-0009-20261101T000000Z.sqlite").touch()
    half = backups / ".state-0010-20261102T000000Z.sqlite"
    half.touch()
    whole = back_up(file, "0010", clock.now())
    assert (whole.exists(), half.exists()) == (True, False)
    half.touch()
    whole.unlink()
    overwritten(file, 0, 100)
    with pytest.raises(StateDamaged, match=r"cp .*/backups/state-0009-20261101T000000Z\.sqlite "):
        open_store(url, clock)


def test_the_check_of_a_database_with_broken_pages_names_the_damage(file, url, clock):
    filled(url, clock)
    reports_overwritten(file)
    with open_store(url, clock) as store:
        check = store.check()
    assert not check.whole
    assert check.problems


def test_reading_over_broken_pages_says_damaged(file, url, clock):
    filled(url, clock)
    reports_overwritten(file)
    with open_store(url, clock) as store, pytest.raises(StateDamaged, match="is damaged"):
        store.memory.runs()


def test_a_stored_value_that_does_not_read_is_damage_and_is_not_shown(file, url, clock):
    filled(url, clock)
    sql(file, "UPDATE runs SET report = '{\"token\": hunter2' WHERE id = 'run-7'")
    with open_store(url, clock) as store, pytest.raises(StateDamaged) as damaged:
        store.memory.run("run-7")
    assert "hunter2" not in str(damaged.value)


MOMENT = "2026-11-24T12:00:00.000000Z"
ITEM = (
    "INSERT INTO ledger_items (key, sys_id, class_name, created_by_us, send_serial, written, name_source, lane,"
    " first_seen, last_seen, missing_reads) VALUES ('device:aa', 'b', 'c', 1, 1, '{}', '', '', '{}', '{}', 0)"
)


@pytest.mark.parametrize(
    ("statement", "where"),
    [
        (
            "INSERT INTO ledger_relations (relation_key, parent, child, type, state)"
            " VALUES ('k', CAST(x'68756e746572ff' AS TEXT), 'b', 't', 'linked')",
            "a text in column parent is not UTF-8",
        ),
        (ITEM.format("{}", MOMENT, "hunter2"), "a time in ledger_items.last_seen does not read"),
        (ITEM.format("{", MOMENT, MOMENT), r"does not read \(table ledger_items\)"),
        ("DROP TABLE ledger_items", "no such table: ledger_items"),
    ],
)
def test_damage_within_the_ledger_is_told_with_its_place_and_the_way_back(file, url, clock, statement, where):
    filled(url, clock)
    sql(file, statement)
    with open_store(url, clock) as store, pytest.raises(StateDamaged, match=where) as damaged:
        store.ledger.known()
    assert f"Database {file} is damaged" in damaged.value.message
    assert f"mv {file} {file}.damaged" in damaged.value.next_step
    assert "hunter" not in str(damaged.value)


def test_a_status_that_no_run_can_have_is_damage_of_its_table(file, url, clock):
    filled(url, clock)
    sql(file, "UPDATE runs SET status = 'zz' WHERE id = 'run-7'")
    with open_store(url, clock) as store, pytest.raises(StateDamaged, match=f"{file}.* a row of table runs") as damaged:
        store.memory.run("run-7")
    assert f"mv {file} {file}.damaged" in damaged.value.next_step


@pytest.mark.parametrize("statement", ["DROP TABLE alembic_version", "DELETE FROM alembic_version"])
def test_tables_without_a_revision_are_damage_and_no_new_database(file, url, clock, statement):
    filled(url, clock)
    sql(file, statement)
    with pytest.raises(StateDamaged, match="no revision in alembic_version"):
        open_store(url, clock)


def test_the_check_names_a_column_that_is_missing_and_the_way_back(file, url, clock):
    filled(url, clock)
    sql(file, "ALTER TABLE leases DROP COLUMN pid")
    with open_store(url, clock) as store:
        check = store.check()
    assert check.problems == ("column pid of table leases is missing",)
    assert f"mv {file} {file}.damaged" in check.way_back


def test_a_snapshot_or_facts_that_do_not_read_count_as_not_there(file, url, clock):
    with open_store(url, clock) as store:
        store.memory.remember([Part(console=Console(key="one", name="HQ"), taken_at=clock.now())])
        facts = InstanceFacts(read_at=clock.now(), classes={}, relation_types=frozenset())
        store.memory.save_facts("dev1", facts)
    sql(file, "UPDATE console_snapshots SET body = x'00'")
    sql(file, "UPDATE instance_facts SET body = '[]'")
    with open_store(url, clock) as store:
        assert store.memory.remembered() == []
        assert store.memory.facts("dev1") is None


def test_a_database_that_cannot_grow_says_so_and_keeps_what_it_has(file, url, clock):
    filled(url, clock)
    run = Run(id="big", command="load", environment="testing", target="dev1", started_at=clock.now())
    engine = state_engine.open_engine(url, clock)
    with state_engine.writing(engine) as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")
        with pytest.raises(StateError, match="disk is full"):
            connection.exec_driver_sql("INSERT INTO meta VALUES ('big', zeroblob(10000000))")
    engine.dispose()
    with open_store(url, clock) as store:
        store.memory.start_run(run)
        assert len(store.memory.runs()) == 401


def test_a_writer_that_waits_too_long_is_told_so_while_readers_go_on(file, url, clock):
    filled(url, clock)
    with (
        open_store(url, clock, busy_seconds=0.2) as store,
        closing(sqlite3.connect(file, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StateLocked, match="another process: "):
            store.memory.start_run(
                Run(id="late", command="load", environment="testing", target="dev1", started_at=clock.now())
            )
        assert store.memory.run("run-1") is not None


def test_every_write_is_synced_before_it_is_believed(url, clock):
    engine = state_engine.open_engine(url, clock)
    with engine.connect() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    engine.dispose()
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000}
