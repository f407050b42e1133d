"""What PostgreSQL needs told, that SQLite does not."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from datetime import datetime, timedelta

import pytest
from sqlalchemy import create_engine, make_url, text

from beast_dream_snow_loader.clock import SystemClock, rfc3339
from beast_dream_snow_loader.errors import StateLocked
from beast_dream_snow_loader.state.engine import open_engine, reading, writing
from beast_dream_snow_loader.state.store import open_store

pytestmark = pytest.mark.postgres

CONTAINED = ("unshare", "--pid", "--fork", "--mount-proc")
HOLDER = """
import sys
from beast_dream_snow_loader.clock import SystemClock
from beast_dream_snow_loader.state.store import open_store
with open_store(sys.argv[1], SystemClock()) as store, store.lease("dev1", "run-1"):
    print("held", flush=True)
    sys.stdin.readline()
"""


def may_contain() -> bool:
    return bool(shutil.which(CONTAINED[0])) and not subprocess.run([*CONTAINED, "true"], check=False).returncode


@pytest.mark.skipif(not may_contain(), reason="needs the right to make containers")
def test_a_holder_in_a_container_of_the_same_name_is_not_taken_for_dead(postgres_url):
    """Its process number means nothing here. Those who share a file share the lock of the system."""
    command = [*CONTAINED, sys.executable, "-c", HOLDER, postgres_url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        with open_store(postgres_url, SystemClock()) as store, pytest.raises(StateLocked), store.lease("dev1", "run-2"):
            pass
        process.communicate("\n")


class Wrong(SystemClock):
    """Of a host whose clock is not right."""

    def __init__(self, off: timedelta) -> None:
        super().__init__()
        self._off = off

    def now(self) -> datetime:
        return super().now() + self._off


@pytest.mark.parametrize("off", [timedelta(hours=1), timedelta(hours=-1)])
@pytest.mark.parametrize("wrong_one_holds", [True, False])
def test_a_host_whose_clock_is_wrong_is_neither_taken_for_dead_nor_takes_another_for_it(
    postgres_url, off, wrong_one_holds
):
    right, wrong = SystemClock(), Wrong(off)
    holding, asking = (wrong, right) if wrong_one_holds else (right, wrong)
    with (
        open_store(postgres_url, holding) as store,
        open_store(postgres_url, asking) as other,
        store.lease("dev1", "run-1"),
    ):
        put(postgres_url, "UPDATE leases SET host = 'another'")
        with pytest.raises(StateLocked), other.lease("dev1", "run-2"):
            pass
        long_ago = rfc3339(right.now() - timedelta(minutes=1))
        put(postgres_url, f"UPDATE leases SET heartbeat_at = '{long_ago}'")
        with other.lease("dev1", "run-2") as fence:
            assert fence.token == 2


def put(url: str, statement: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def test_a_server_set_up_for_speed_is_told_to_keep_every_commit(postgres_url):
    options = str(make_url(postgres_url).query["options"])
    hasty = make_url(postgres_url).update_query_dict({"options": f"{options} -csynchronous_commit=off"})
    engine = open_engine(hasty.render_as_string(hide_password=False), SystemClock())
    with reading(engine) as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "on"
    engine.dispose()


def test_a_url_without_a_driver_means_the_one_we_ship(postgres_url):
    plain = make_url(postgres_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with open_store(plain, SystemClock()) as store:
        assert store.check().kind == "postgresql"


def test_a_writer_that_waits_too_long_is_told_so_while_readers_go_on(postgres_url):
    engine = open_engine(postgres_url, SystemClock())
    with open_store(postgres_url, SystemClock(), busy_seconds=0.2) as store, writing(engine):
        with pytest.raises(StateLocked):
            store.journal.supersede(["device/000000000001"])
        assert not store.ledger.known().items
    engine.dispose()


def test_what_is_read_in_one_look_is_of_one_moment(postgres_url):
    engine = open_engine(postgres_url, SystemClock())
    count = "SELECT count(*) FROM meta"

    def write() -> None:
        with writing(engine) as connection:
            connection.exec_driver_sql("INSERT INTO meta VALUES ('new', '1')")

    with reading(engine) as connection:
        before = connection.exec_driver_sql(count).scalar_one()
        other = threading.Thread(target=write)
        other.start()
        other.join()
        assert connection.exec_driver_sql(count).scalar_one() == before
    with reading(engine) as connection:
        assert connection.exec_driver_sql(count).scalar_one() == before + 1
    engine.dispose()
