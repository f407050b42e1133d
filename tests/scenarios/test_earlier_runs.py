"""What a load left out, told in a file and tried again; what a stopped load did not get to, finished (R6.2, L7)."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from beast_dream_snow_loader.sandbox.servicenow import oracle
from beast_dream_snow_loader.sandbox.servicenow.ire.options import IreOptions
from tests.conftest import Ended
from tests.scenarios.conftest import Town
from tests.scenarios.desk import (
    LOAD,
    WRITES,
    OpenTown,
    clean,
    keeps,
    keys,
    names,
    one_switch,
    refuse,
    running,
    when,
)

SMALL = {"SNOWLOAD_SERVICENOW__BATCH_SIZE": "4", "SNOWLOAD_SERVICENOW__BATCH_SIZE_MAX": "4"}


@pytest.fixture
def here(town: OpenTown) -> Town:
    return town(Estate.generate(seed=3, sites=2, devices=16))


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("ascii").splitlines()]


def test_every_record_that_was_not_written_is_one_line_of_the_errors_file(here: Town, tmp_path: Path) -> None:
    file, poison = tmp_path / "errors.ndjson", one_switch(here.estate)
    refuse(here, poison)
    load = here.run(*LOAD, "--errors", str(file))
    assert load.code == 3
    told = lines(file)
    (failed,) = [line for line in told if line["what"] == "failed" and line["change"] == "create"]
    assert (failed["key"], failed["code"]) == (poison, "MISSING_MATCHING_ATTRIBUTES")
    assert load.document["run_id"] in failed["next_step"]
    assert all(line["key"] and line["code"] and line["message"] and line["next_step"] for line in told)
    created = {item for item in keys(here) if item != poison}
    assert len(created) + 1 == load.document["source"]["devices"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_errors_file_is_empty_when_everything_was_written(here: Town, tmp_path: Path) -> None:
    file = tmp_path / "errors.ndjson"
    file.write_text("from an earlier run\n")
    assert here.run(*LOAD, "--errors", str(file)).code == 0
    assert file.read_text() == ""


def test_a_load_that_fails_as_a_whole_says_so_in_the_errors_file(here: Town, tmp_path: Path) -> None:
    file = tmp_path / "errors.ndjson"
    for server in here.sandbox.servers.values():
        server.faults.add(Fault(effect=Effect.STATUS, status=503))
    load = here.run(*LOAD, "--errors", str(file))
    assert load.code == 5
    (line,) = lines(file)
    assert (line["what"], line["key"], line["code"]) == ("run", None, load.document["error"]["code"])


def test_only_what_failed_is_tried_again_when_that_is_asked_for(here: Town) -> None:
    poison = one_switch(here.estate)
    refuse(here, poison)
    first = here.run(*LOAD)
    assert first.code == 3
    here.app.backend.set_options(ire=IreOptions())
    other = next(d for d in here.estate.devices(here.estate.consoles()[0].host_id) if not d.model_code.startswith("US"))
    here.estate.rename_device(other.mac, "renamed-meanwhile")
    again = here.run(*LOAD, "--retry-failed")
    assert (again.code, again.document["written"]["created"], again.document["written"]["updated"]) == (0, 1, 0)
    assert poison in keys(here)
    assert "renamed-meanwhile" not in names(here)
    keeps(again.document)
    by_name = here.run(*LOAD, "--retry-failed", first.document["run_id"])
    assert (by_name.code, by_name.document["written"]["created"]) == (0, 0)
    assert here.run(*LOAD).document["written"]["updated"] == 1
    clean(here)


def test_what_a_load_undid_because_something_failed_is_told_and_tried_again_with_it(here: Town, tmp_path: Path) -> None:
    file, poison = tmp_path / "errors.ndjson", one_switch(here.estate)
    refuse(here, poison)
    load = here.run("load", "--env", "testing", "--on-failure", "rollback", "--errors", str(file))
    undone = {line["key"]: line for line in lines(file) if line["what"] == "undone"}
    assert load.code == 3
    assert poison not in undone
    assert set(undone) == keys(here)
    assert len(undone) > 3
    assert f"{len(undone)} records written by it undone" in load.err
    assert "undone by run" in load.out
    assert f"retired {len(keys(here))}" in load.out
    assert "then write all of it with: snowload load\n" in load.err
    here.app.backend.set_options(ire=IreOptions())
    again = here.run(*LOAD, "--retry-failed")
    assert again.code == 0, again.err
    assert not any(here.run(*LOAD).document["written"].values())
    clean(here)


UNDOING = (*LOAD, "--on-failure", "rollback")


def ended_while_writing(here: Town, file: Path) -> Ended:
    """A load that is to undo itself, one record of which is refused, ended by a signal when a part was written."""
    here.run.variables |= SMALL
    refuse(here, one_switch(here.estate))
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.LATENCY, path=WRITES, seconds=1))
    load = running(here, *UNDOING, "--errors", str(file))
    when(lambda: in_the_second_write(here), "nothing was written")
    load.terminate()
    out, err = load.communicate(timeout=60)
    here.sandbox.servicenow.faults.clear()
    return Ended(code=load.returncode, out=out, err=err)


def test_a_load_that_was_to_undo_itself_says_after_a_signal_what_stays_and_how_to_undo_it(
    here: Town, tmp_path: Path
) -> None:
    file = tmp_path / "errors.ndjson"
    ended = ended_while_writing(here, file)
    run = ended.document["run_id"]
    assert (ended.code, "rollback" in ended.document, bool(keys(here))) == (143, False, True)
    (stays,) = ended.document["not_undone"]
    assert (stays["run_id"], stays["written"]) == (run, sum(ended.document["written"].values()))
    (line,) = [line for line in lines(file) if line["what"] == "not_undone"]
    assert (line["run_id"], line["next_step"]) == (run, f"Undo it with: snowload rollback {run}")
    assert f"What run {run} wrote stays" in ended.err
    assert f"snowload rollback {run}" in ended.err
    keeps(ended.document)
    assert here.run("rollback", run, "--created", "delete", "--env", "testing").code == 0
    assert not keys(here)


def test_a_resumed_load_that_undoes_itself_says_that_what_the_stopped_one_wrote_stays(
    here: Town, tmp_path: Path
) -> None:
    run = ended_while_writing(here, tmp_path / "errors.ndjson").document["run_id"]
    before = keys(here)
    again = here.run(*UNDOING, "--resume", run)
    assert (again.code, again.document["rollback"]["status"]) == (3, "ok")
    assert [one["run_id"] for one in again.document["not_undone"]] == [run]
    assert f"What run {run} wrote stays" in again.err
    assert before <= keys(here)
    assert here.run("rollback", run, "--created", "delete", "--env", "testing").code == 0
    assert not before & keys(here)
    assert here.run(*UNDOING, "--resume", again.document["run_id"]).code == 2


@pytest.mark.parametrize("option", ["--retry-failed", "--resume"])
def test_there_must_be_something_to_go_back_to(here: Town, option: str) -> None:
    assert here.run(*LOAD, option).code == 2
    assert here.run(*LOAD).code == 0
    for arguments in ((option,), (option, "20260101T000000Z-000000"), ("--resume", "--retry-failed"), (f"{option}=x",)):
        ended = here.run(*LOAD, *arguments)
        assert (ended.code, ended.document["error"]["code"]) == (2, "usage.bad_argument"), arguments
        assert ended.document["error"]["next_step"]


def in_the_second_write(town: Town) -> bool:
    """Whether the journal holds changes that are done and others that are on their way."""
    database = next(town.run.home.rglob("state.sqlite"), None)
    if database is None:
        return False
    with contextlib.suppress(sqlite3.Error), sqlite3.connect(f"file:{database}?mode=ro", uri=True) as reading:
        return {"done", "open"} <= {state for (state,) in reading.execute("select state from journal")}
    return False


def killed(town: Town, *more: str) -> str:
    """A load killed while a write of it hangs, which the instance carries out all the same. Returns its id."""
    hang = Fault(effect=Effect.HANG, path=WRITES, seconds=20, nth=2, acts=True)
    town.sandbox.servicenow.faults.add(hang)
    command = [sys.executable, "-m", "beast_dream_snow_loader", *LOAD, *more]
    with subprocess.Popen(command, env=town.run.environment(SMALL), stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while not in_the_second_write(town) and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(1)
        process.kill()
    town.sandbox.servicenow.faults.clear()
    runs: list[dict[str, Any]] = town.run("runs", "list", "--env", "testing", "--json").document["runs"]
    return str(runs[0]["run_id"])


def test_a_killed_load_is_finished_by_resume_which_says_what_it_found(here: Town) -> None:
    run = killed(here)
    done = here.run(*LOAD, "--resume")
    assert done.code == 0, done.err
    resumes = done.document["resumes"]
    assert resumes["run_id"] == run
    assert resumes["written_before"] >= 1
    assert resumes["unknown"] >= resumes["found_done"] >= 1
    keeps(done.document)
    clean(here)
    assert not any(here.run(*LOAD).document["written"].values())
    again = here.run(*LOAD, "--resume", run)
    assert (again.code, f"finished by run {done.document['run_id']}" in again.err) == (2, True)


def test_resume_is_about_the_records_that_the_stopped_run_was_about(here: Town) -> None:
    site = here.estate.sites()[0].name
    run = killed(here, "--site", site)
    done = here.run(*LOAD, "--resume", run)
    assert done.code in (0, 3), done.err
    assert done.document["asked"]["sites"] == [site]
    there = {item.values.get("name") for item in oracle.config_items(here.app.instance, "UniFi") if item.native_keys}
    assert 0 < len(there) < done.document["source"]["devices"]


def test_what_a_killed_load_wrote_can_be_undone(here: Town) -> None:
    run = killed(here, "--on-failure", "rollback")
    assert keys(here)
    ended = here.run("rollback", run, "--created", "delete", "--env", "testing")
    assert ended.code == 0, ended.out + ended.err
    assert not keys(here)
