"""A state that cannot be written, or in which a row or a table is damaged, is told as that, with the way out (X4)."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from itertools import takewhile
from pathlib import Path

import pytest

from beast_dream_snow_loader.clock import SystemClock
from beast_dream_snow_loader.core.run import Run
from beast_dream_snow_loader.state.store import open_store
from tests.cli.logins import CREDENTIALS
from tests.conftest import Ended, Snowload

NOBODY = 65534
READERS = ("queue list", "load --dry-run", "load")
TESTING = ("--env", "testing")


def mounting() -> bool:
    done = subprocess.run(["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"], check=False)
    return done.returncode == 0


needs_mounts = pytest.mark.skipif(
    os.geteuid() != 0 or sys.platform != "linux" or not mounting(), reason="only root mounts"
)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def file(snowload: Snowload) -> Path:
    """A database with one run in it."""
    place = snowload.home / "state" / "testing" / "state.sqlite"
    with open_store(f"sqlite:///{place}", SystemClock()) as store:
        now = SystemClock().now()
        run = Run(id="run-1", command="load", environment="testing", target="dev1", started_at=now)
        store.memory.start_run(run)
    return place


def sql(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def read_only(snowload: Snowload, *arguments: str) -> Ended:
    """The command where the file system of its state is mounted read-only."""
    state = snowload.home / "state"
    return mounted(snowload, f"mount --bind '{state}' '{state}' && mount -o remount,ro,bind '{state}'", *arguments)


def full(snowload: Snowload, free: int, *arguments: str) -> Ended:
    """The command where its state is on a file system of its own with so many KiB left."""
    state, there = snowload.home / "state", snowload.home / "there"
    filled = f"dd if=/dev/zero of='{state}/filler' 2>/dev/null; truncate -s -{free}K '{state}/filler'"
    moved = f"mount -t tmpfs -o size=4m,mode=700 none '{state}' && cp -a '{there}'/. '{state}'"
    return mounted(snowload, f"cp -a '{state}' '{there}' && {moved} && {{ {filled}; }}", *arguments)


def mounted(snowload: Snowload, how: str, *arguments: str) -> Ended:
    command = (sys.executable, "-m", "beast_dream_snow_loader", *arguments)
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", f'{how} && exec "$@"', "sh", *command],
        env=snowload.environment(CREDENTIALS),
        cwd=snowload.home,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return Ended(code=done.returncode, out=done.stdout, err=done.stderr)


def as_nobody(state: Path) -> str:
    """What a process of another user is told who opens the state."""
    script = (
        "import os, sys\n"
        "from beast_dream_snow_loader.clock import SystemClock\n"
        "from beast_dream_snow_loader.core.exit_codes import exit_code_of\n"
        "from beast_dream_snow_loader.state.store import open_store\n"
        f"os.setuid({NOBODY})\n"
        "try:\n    open_store(sys.argv[1], SystemClock())\n"
        "except Exception as error:\n    print(int(exit_code_of(error)), error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, f"sqlite:///{state / 'state.sqlite'}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout


@needs_mounts
@pytest.mark.usefixtures("file")
@pytest.mark.parametrize("command", READERS)
def test_a_read_only_file_system_is_a_disk_that_fails_and_no_defect(snowload: Snowload, command: str) -> None:
    ended = read_only(snowload, *command.split(), *TESTING)
    assert ended.code == 5, ended.err
    assert str(snowload.home / "state") in ended.err
    assert "Read-only file system" in ended.err
    assert "remount,rw" in ended.err


@needs_mounts
@pytest.mark.usefixtures("file")
def test_health_on_a_read_only_file_system_is_unhealthy_and_says_why(snowload: Snowload) -> None:
    ended = read_only(snowload, "health", "--check", "database", *TESTING, "--json")
    (check,) = ended.document["checks"]
    assert (ended.code, check["status"], check["details"]["code"]) == (2, "unhealthy", "state.unavailable")
    assert "Read-only file system" in check["message"]


@needs_mounts
@pytest.mark.usefixtures("file")
@pytest.mark.parametrize("free", [0, 20, 40])
@pytest.mark.parametrize("command", ["queue list", "runs list", "load"])
def test_a_disk_without_room_is_full_however_little_is_left(snowload: Snowload, command: str, free: int) -> None:
    ended = full(snowload, free, *command.split(), *TESTING)
    assert "disk I/O error" not in ended.err
    if ended.code:
        assert (ended.code, "the disk is full" in ended.err) == (5, True), ended.err
    else:
        assert free >= 40


@pytest.mark.parametrize("name", ["state.sqlite", "state.sqlite.opening"])
def test_a_directory_in_the_place_of_a_file_of_the_state_is_told_as_that(
    snowload: Snowload, file: Path, name: str
) -> None:
    there = file.with_name(name)
    there.unlink(missing_ok=True)
    there.mkdir()
    ended = snowload("runs", "list", *TESTING, **CREDENTIALS)
    assert ended.code == 6, ended.err
    assert f"{there}" in ended.err
    assert "a directory is in its place" in ended.err
    assert "Move that directory aside" in ended.err
    assert "the right to write" not in ended.err


@needs_root
@pytest.mark.parametrize("present", ["nothing", "lock", "database"])
def test_a_directory_that_may_not_be_written_is_a_matter_of_rights(tmp_path: Path, present: str) -> None:
    ours = takewhile(lambda above: above.name.startswith(("pytest-", "popen-")), tmp_path.parents)
    for above in (tmp_path, *ours):
        above.chmod(0o755)
    state = tmp_path / "state"
    state.mkdir(mode=0o755)
    (state / "other").touch()
    if present != "nothing":
        (state / "state.sqlite.opening").touch()
        os.chown(state / "state.sqlite.opening", NOBODY, NOBODY)
    if present == "database":
        open_store(f"sqlite:///{state / 'state.sqlite'}", SystemClock()).close()
        for one in state.iterdir():
            os.chown(one, NOBODY, NOBODY)
    state.chmod(0o555)
    told = as_nobody(state)
    assert told.startswith("6 "), told
    assert str(state) in told
    assert "right to write there" in told


@pytest.mark.parametrize(
    ("statement", "command", "where"),
    [
        ("UPDATE runs SET started_at = 'zz'", "runs list", "a time in runs.started_at does not read"),
        (
            "INSERT INTO leases VALUES ('http://127.0.0.1:9', 'r', 1, 'h', 1, 1.0, 'garbage')",
            "queue drop 1 --yes",
            "leases.heartbeat_at",
        ),
        ("DELETE FROM alembic_version", "runs list", "no revision in alembic_version"),
    ],
)
def test_damage_within_a_row_or_of_a_table_is_told_with_its_place_and_the_way_back(
    snowload: Snowload, file: Path, statement: str, command: str, where: str
) -> None:
    sql(file, statement)
    ended = snowload(*command.split(), *TESTING, **CREDENTIALS)
    assert ended.code == 12, ended.err
    assert f"Database {file} is damaged" in ended.err
    assert where in " ".join(ended.err.split())
    assert f"mv {file} {file}.damaged" in " ".join(ended.err.split())
    assert "garbage" not in ended.err


LOOKS = ("runs list", "runs show run-1", "report", "queue list", "breakers list", "audit verify", "explain x")


@pytest.mark.parametrize("command", LOOKS)
def test_a_state_that_cannot_be_read_is_not_told_as_an_empty_one(snowload: Snowload, file: Path, command: str) -> None:
    file.write_bytes(b"this is no database\n" * 500)
    ended = snowload(*command.split(), *TESTING, **CREDENTIALS)
    assert (ended.code, ended.out) == (12, "")


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("DROP TABLE ledger_items", "table ledger_items is missing"),
        ("DELETE FROM alembic_version", "no revision"),
    ],
)
def test_the_check_of_the_database_finds_what_its_schema_lacks_and_says_the_way_back(
    snowload: Snowload, file: Path, statement: str, found: str
) -> None:
    sql(file, statement)
    ended = snowload("health", "--check", "database", *TESTING, "--json", **CREDENTIALS)
    (check,) = ended.document["checks"]
    assert (ended.code, check["status"]) == (2, "unhealthy")
    assert found in check["message"]
    assert f"mv {file} {file}.damaged" in check["message"]


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize("command", ["show", "drop --yes"])
def test_a_number_that_no_entry_can_have_is_a_mistake_of_the_arguments(snowload: Snowload, command: str) -> None:
    number = "99999999999999999999999"
    ended = snowload("queue", *command.split(), number, *TESTING, **CREDENTIALS)
    assert ended.code == 2, ended.err
    assert f"There is no queued or parked write {number}" in ended.err


@pytest.mark.parametrize("command", ["breakers list", "queue list", "runs list"])
def test_who_only_reads_waits_for_no_writer(snowload: Snowload, file: Path, command: str) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        ended = snowload(*command.split(), *TESTING, timeout=25, **CREDENTIALS)
    assert ended.code == 0, ended.err
