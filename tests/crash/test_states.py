"""A look at the state that can see nothing does not pass for one that sees nothing wrong."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests.contracts.conftest import LOCAL_POSTGRES, own_schema
from tests.crash.states import FileState, ServerState, State


@pytest.fixture(params=["sqlite", "postgresql"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[State]:
    if request.param == "sqlite":
        yield FileState(tmp_path)
        return
    with own_schema(LOCAL_POSTGRES) as url, closing(ServerState(tmp_path, url)) as opened:
        yield opened


def a_table(state: State) -> None:
    (state.directory / "testing").mkdir()
    state.change("CREATE TABLE journal (id INTEGER, subject TEXT)")


def test_before_there_is_a_table_it_has_no_rows(state: State) -> None:
    assert state.rows("SELECT subject FROM journal") == []
    a_table(state)
    assert state.rows("SELECT subject FROM journal") == state.rows("SELECT run_id FROM runs") == []


@pytest.mark.parametrize("query", ["SELECT nothing FROM journal", "SELECT subject FROM journal WHERE", "SELEKT 1"])
def test_a_wrong_query_is_an_error_and_not_an_empty_answer(state: State, query: str) -> None:
    a_table(state)
    with pytest.raises((sqlite3.OperationalError, psycopg.Error)):
        state.rows(query)


def test_a_database_that_cannot_be_opened_is_an_error_and_not_an_empty_answer(tmp_path: Path) -> None:
    state = FileState(tmp_path)
    (tmp_path / "testing" / "state.sqlite").mkdir(parents=True)
    with pytest.raises(sqlite3.OperationalError):
        state.rows("SELECT subject FROM journal")
