"""A damaged state is said to be so, and the way back that the message names leads to a CMDB without duplicates."""

from __future__ import annotations

import re
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from beast_dream_snow_loader.clock import SystemClock
from beast_dream_snow_loader.sandbox.messages import HttpAnswer, HttpRequest
from beast_dream_snow_loader.state.backup import back_up
from tests.conftest import Snowload
from tests.scenarios.conftest import Town
from tests.scenarios.desk import LOAD, OpenTown, clean, edges, keys, names, small, switch

PAGE = 4096


@pytest.fixture
def here(town: OpenTown) -> Town:
    opened = town(small())
    assert opened.run(*LOAD).code == 0
    return opened


def database(here: Town) -> Path:
    return next(here.run.home.rglob("state.sqlite"))


def overwritten(file: Path, start: int, count: int) -> None:
    with file.open("r+b") as opened:
        opened.seek(start)
        opened.write(Random(1).randbytes(count))


def header(file: Path) -> None:
    overwritten(file, 0, 100)


def middle(file: Path) -> None:
    """The page at which the ledger begins."""
    with closing(sqlite3.connect(file)) as connection:
        query = "SELECT rootpage FROM sqlite_master WHERE name = 'ledger_items'"
        (page,) = connection.execute(query).fetchone()
    overwritten(file, (page - 1) * PAGE, PAGE)


def truncated(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.truncate(3 * PAGE)


def emptied(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.truncate(0)


DAMAGES: tuple[Callable[[Path], None], ...] = (header, middle, truncated, emptied)


def follow(step: str) -> None:
    """The commands of the message, as a person would copy them."""
    for command in re.findall(r"`([^`]+)`", step):
        if not command.startswith("snowload"):
            subprocess.run(["sh", "-c", command], check=True)


def loads_right(here: Town, *arguments: str) -> None:
    """The next load mends what the damage cost, and the one after has nothing to do."""
    mended = here.run(*LOAD, *arguments)
    assert mended.code == 0, mended.err
    assert mended.document["written"]["created"] == 0
    clean(here)
    writes = here.writes()
    assert here.run(*LOAD).code == 0
    assert here.writes() == writes


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_database_is_said_and_the_way_back_makes_nothing_twice(
    here: Town, damage: Callable[[Path], None]
) -> None:
    there, drawn = keys(here), sorted(edges(here))
    damage(database(here))
    refused = here.run(*LOAD)
    assert refused.code == 12, refused.out + refused.err
    error = refused.document["error"]
    assert error["code"] == "state.damaged"
    follow(error["next_step"])
    here.estate.rename_device(switch(here.estate).mac, "renamed-meanwhile")
    loads_right(here)
    assert (keys(here), sorted(edges(here))) == (there, drawn)
    assert "renamed-meanwhile" not in names(here)  # whose CI it was is lost with the ledger: it counts as found


@pytest.mark.parametrize("damage", [header, middle])
def test_an_old_backup_leads_back_too(here: Town, damage: Callable[[Path], None]) -> None:
    """What was made since the backup is found again by its native key."""
    back_up(database(here), "0006", SystemClock().now())
    site = here.estate.sites()[0].legacy_id
    here.estate.add_device(site=site, model="USL16LP", name="made-since")
    assert here.run(*LOAD).document["written"]["created"] == 1
    there = keys(here)
    damage(database(here))
    error = here.run(*LOAD).document["error"]
    assert "snowload load --full" in error["next_step"]
    follow(error["next_step"])
    loads_right(here, "--full")
    assert (keys(here), names(here).count("made-since")) == (there, 1)


def test_rubbish_in_the_log_costs_nothing_that_was_in_the_file(here: Town) -> None:
    there = keys(here)
    file = database(here)
    file.with_name(f"{file.name}-wal").write_bytes(Random(2).randbytes(10 * PAGE))
    loads_right(here)
    assert keys(here) == there


def test_a_deep_look_of_health_reads_the_whole_file_and_names_the_damage_and_a_cheap_one_does_not(here: Town) -> None:
    middle(database(here))
    assert here.run("health", "--env", "testing", "--check", "database").code == 0, "however large it is"
    ended = here.run("health", "--env", "testing", "--check", "database.pages", "--json")
    assert (ended.code, ended.document["causes"]) == (2, ["database.pages"])


def test_a_database_of_a_newer_release_is_refused_untouched(here: Town) -> None:
    file = database(here)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    before = file.read_bytes()
    refused = here.run(*LOAD)
    assert (refused.code, refused.document["error"]["code"]) == (12, "state.too_new")
    assert file.read_bytes() == before


class Moving:
    """ServiceNow, and a person who moves the database away while the first write is answered."""

    def __init__(self, here: Town) -> None:
        self.instance, self.file, self.moved = here.app, database(here), False

    def answer(self, request: HttpRequest) -> HttpAnswer:
        if request.path.endswith("/identifyreconcile/enhanced") and not self.moved:
            self.moved = True
            self.file.rename(self.file.with_name("elsewhere.sqlite"))
        return self.instance.answer(request)


def test_a_state_that_is_moved_away_in_the_middle_of_a_load_is_told_and_put_back_it_goes_on(here: Town) -> None:
    here.estate.rename_device(switch(here.estate).mac, "renamed-meanwhile")
    here.sandbox.servicenow.application = person = Moving(here)
    load = Snowload.__call__(here.run, *LOAD)  # in a process of its own: it holds the target until it ends
    error = load.document["error"]
    assert (load.code, error["code"]) == (5, "state.unavailable"), load.err
    assert str(person.file) in error["message"]
    assert "snowload load" in error["next_step"]
    assert not person.file.exists()
    person.file.with_name("elsewhere.sqlite").rename(person.file)
    loads_right(here)
    assert "renamed-meanwhile" in names(here)
