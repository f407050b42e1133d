"""``health`` and ``metrics`` where the state is held, hangs or is damaged: one cause, told in time."""

from __future__ import annotations

import json
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from tests.conftest import Snowload
from tests.scenarios.conftest import Town
from tests.scenarios.desk import LOAD, OpenTown, file_of, looked, row, rows
from tests.scenarios.in_process import InProcess


@pytest.fixture
def snowload(tmp_path: Path) -> Snowload:
    return InProcess(tmp_path, far_apart=False)


@pytest.fixture
def here(town: OpenTown) -> Town:
    return town(Estate.generate(seed=3, sites=1, devices=4))


@contextmanager
def held(town: Town, *statements: str) -> Iterator[None]:
    """Another connection keeps the state of the town."""
    looked(town, "--check", "database")
    with closing(sqlite3.connect(file_of(town), isolation_level=None)) as holder:
        for statement in statements:
            holder.execute(statement)
        yield


ALONE = ("PRAGMA locking_mode = exclusive", "BEGIN EXCLUSIVE", "CREATE TABLE z (a)")


@contextmanager
def silent() -> Iterator[str]:
    """The address of a server that accepts and says nothing."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield f"postgresql+psycopg://postgres@127.0.0.1:{server.getsockname()[1]}/test"


def damage(town: Town, table: str) -> None:
    """The first page of a table is no page any more."""
    with closing(sqlite3.connect(file_of(town))) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        (size,) = database.execute("PRAGMA page_size").fetchone()
    with file_of(town).open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xa5" * size)


def test_a_state_that_another_process_keeps_for_itself_is_the_one_cause_within_the_time_limit(here: Town) -> None:
    """R4.1, X7."""
    with held(here, *ALONE):
        began = time.monotonic()
        ended = looked(here, "--timeout", "2s")
        assert time.monotonic() - began < 20, "not as long as a load waits"
    assert (ended.code, ended.document["causes"]) == (2, ["database"])
    assert "another process" in rows(ended)["database"]["message"]
    assert rows(ended)["queue"]["explained_by"] == "database"
    assert rows(ended)["servicenow.rights"]["status"] == rows(ended)["unifi[site-manager]"]["status"] == "healthy"


def test_a_server_of_the_state_that_accepts_and_says_nothing_costs_no_more_than_the_time_limit(here: Town) -> None:
    """R4.1."""
    with silent() as url:
        began = time.monotonic()
        ended = looked(here, "--timeout", "1s", "--check", "queue", "--check", "system", SNOWLOAD_STATE_URL=url)
        assert time.monotonic() - began < 8, "libpq alone waits for longer"
    assert ended.document["causes"] == ["database"]
    assert "did not open within 1 s" in rows(ended)["database"]["message"]
    assert rows(ended)["system"]["status"] == "healthy"


def test_metrics_of_a_state_that_another_process_keeps_are_refused_before_a_scrape_is_given_up(here: Town) -> None:
    """R4.5."""
    with held(here, *ALONE):
        began = time.monotonic()
        ended = here.run("metrics", "--env", "testing")
        assert time.monotonic() - began < 20
    assert ended.code != 0
    assert "another process" in ended.err


@pytest.mark.parametrize("table", ["meta", "instance_facts", "runs"])
def test_a_damaged_page_is_told_once_by_the_database_whatever_met_it(here: Town, table: str) -> None:
    """X7."""
    assert here.run(*LOAD).code == 0
    damage(here, table)
    ended = looked(here)
    assert (ended.code, ended.document["causes"]) == (2, ["database"])
    assert "damaged" in rows(ended)["database"]["message"]
    assert rows(ended)["servicenow"]["status"] == "healthy"


def test_a_directory_of_the_state_that_is_none_is_one_cause_too(here: Town, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    ended = looked(here, SNOWLOAD_STATE_DIR=str(file))
    assert ended.document["causes"] == ["database"]
    assert {rows(ended)[name]["explained_by"] for name in ("files", "system", "queue")} == {"database"}


def test_consoles_are_not_blamed_for_a_writer_that_keeps_the_state(here: Town) -> None:
    """X7: what a look cannot keep, it goes on without."""
    with held(here, "BEGIN EXCLUSIVE"):
        ended = looked(here, "--timeout", "4s")
    ill = {name: one["message"] for name, one in rows(ended).items() if one["status"] != "healthy"}
    assert ill == {}


def test_a_console_that_takes_no_more_logins_says_so_though_that_cannot_be_kept(here: Town) -> None:
    """X7: several waits for the writer are shorter than the time limit, together."""
    (only,) = json.loads(here.run.variables["SNOWLOAD_UNIFI__CONSOLES"])
    account = {"url": only["url"], "username": "snowload", "password": "canary"}
    here.sandbox.consoles[0].server.faults.add(Fault(effect=Effect.STATUS, status=429, path="*login"))
    with held(here, "BEGIN EXCLUSIVE"):
        ended = looked(here, "--timeout", "2s", "--check", "unifi", SNOWLOAD_UNIFI__CONSOLES=json.dumps([account]))
    (found,) = [one for name, one in rows(ended).items() if name.startswith("unifi[127")]
    assert "takes no more logins" in found["message"], "or it would have no answer within its time"


def test_of_a_read_that_got_no_answer_it_is_not_said_that_it_may_have_taken_effect(here: Town) -> None:
    here.sandbox.site_manager.faults.add(Fault(effect=Effect.CUT_BODY, path="*"))
    told = row(here, "unifi[site-manager]")["message"]
    assert ("nothing changed" in told, "taken effect" in told) == (True, False), told


def test_a_time_limit_of_milliseconds_is_told_as_it_was_given(here: Town) -> None:
    looked(here, "--check", "database")
    assert "within 0.001 s" in row(here, "system", "--timeout", "1ms")["message"]
