"""Two programs on one database, and one that dies, lose nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from beast_dream_snow_loader.errors import StateAbsent
from beast_dream_snow_loader.operations.audit_check import Check
from beast_dream_snow_loader.state.store import open_store
from tests.contracts.conftest import Place

PROGRAM = """
import sys, time
from beast_dream_snow_loader.clock import SystemClock
from beast_dream_snow_loader.core.changes import ChangeType, ItemChange
from beast_dream_snow_loader.core.desired import ConfigItem
from beast_dream_snow_loader.core.identity import SourceKey
from pathlib import Path
from beast_dream_snow_loader.state.audit_key import FileKeys
from beast_dream_snow_loader.state.audit_log import Signing
from beast_dream_snow_loader.state.store import open_store

def change(number):
    item = ConfigItem(key=SourceKey("device", f"{number:012x}"), kind="switch", lane="console-1", site=None,
                      class_chain=("cmdb_ci_ip_switch",), values={"name": f"sw-{number}"}, name_forms=())
    return ItemChange(type=ChangeType.CREATE, item=item, send=item.values)

url, key, run, start, batches, then = sys.argv[1:]
store = open_store(url, SystemClock(), signing=Signing(keys=FileKeys(Path(key))))
for batch in range(int(batches)):
    first = int(start) + batch * 20
    store.journal.intend(run, [change(number) for number in range(first, first + 20)])
print("intended", flush=True)
if then == "wait":
    time.sleep(60)
"""


def program(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments], stdout=subprocess.PIPE, text=True)


def test_a_program_killed_between_intent_and_receipt_leaves_its_entries_to_be_looked_up(place, make):
    killed = program(place.url, str(place.key), "run-1", "0", "1", "wait")
    assert killed.stdout is not None
    assert killed.stdout.readline() == "intended\n"
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    with place.open() as store:
        assert {entry.change.item.key for entry in store.journal.unknown()} == {make.key(n) for n in range(20)}


def test_programs_that_start_at_once_on_an_empty_database_lose_nothing(place):
    running = [program(place.url, str(place.key), f"run-{n}", str(n * 1000), "15", "end") for n in range(3)]
    assert [one.wait(timeout=60) for one in running] == [0, 0, 0]
    with place.open() as store:
        entries = store.journal.unknown()
        with store.audit.links() as (_, links):
            trail = Check(key=store.audit.key()).run(links)
    assert len(entries) == 3 * 15 * 20
    assert (trail.whole, trail.proven, trail.entries) == (True, True, 3 * 15 * 20 + 1)
    assert [entry.id for entry in entries] == sorted({entry.id for entry in entries})


def test_programs_that_intend_the_same_subjects_leave_each_pending_once(place):
    with place.open():
        pass
    running = [program(place.url, str(place.key), f"run-{n}", "0", "10", "end") for n in range(3)]
    assert [one.wait(timeout=60) for one in running] == [0, 0, 0]
    with place.open() as store:
        subjects = [entry.change.subject for entry in store.journal.unknown()]
    assert len(subjects) == len(set(subjects)) == 200


@pytest.mark.parametrize("threads", [8])
def test_lanes_that_settle_side_by_side_all_arrive(store, make, threads):
    def lane(number):
        for batch in range(5):
            numbers = range(number * 1000 + batch * 10, number * 1000 + batch * 10 + 10)
            store.journal.intend("run-1", [make.change(one) for one in numbers])
            store.journal.settle("run-1", [make.inserted(one) for one in numbers])

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lane, range(threads)))
    assert len(store.ledger.known().items) == threads * 50
    assert store.journal.pending() == {"open": 0, "unknown": 0, "later": 0}


def test_who_only_looks_makes_no_state_and_opens_one_that_is_there(place: Place) -> None:
    """R4.5."""
    for _ in range(2):
        with pytest.raises(StateAbsent):
            open_store(place.url, place.clock, signing=place.signing, make=False)
    place.open().close()
    with open_store(place.url, place.clock, signing=place.signing, make=False) as store:
        assert store.check().whole
