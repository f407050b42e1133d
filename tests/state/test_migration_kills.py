"""A migration that is killed leaves the old database or the new one, never something between (Q20); in short,
``make migrations`` kills at every statement."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.state.migration_kills import between, earlier, kills, made


@pytest.mark.parametrize("old", [earlier()[0], earlier()[-1]])
def test_a_migration_killed_at_any_statement_leaves_the_old_database_or_the_new_one(old: str) -> None:
    found = dict(kills(old))
    assert len(found) >= 5
    assert not {statement: what for statement, what in found.items() if what}


def test_a_database_between_two_revisions_would_be_found_out(tmp_path: Path) -> None:
    file = made(tmp_path / "state" / "state.sqlite", "0001")
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("ALTER TABLE ledger_items ADD COLUMN site TEXT")
    assert "between 0001" in between(file, "0001")
