"""Whatever a run changes in ServiceNow is in the audit trail, and who changes the trail is found out (R5.2)."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from beast_dream_snow_loader.sandbox.servicenow import oracle
from tests.conftest import Ended
from tests.scenarios.conftest import Town
from tests.scenarios.desk import HELD_BACK, LOAD, REPLAY, OpenTown, edges, keeps, small, switch
from tests.scenarios.in_process import InProcess

REFUSING = Path("/proc/self/oom_score_adj")
VERIFY = ("audit", "verify", "--env", "testing", "--json")
ROWS = {"SNOWLOAD_MAPPING": '{"create_manufacturer": true, "create_models": true}'}


@pytest.fixture
def heads(tmp_path: Path) -> Path:
    return tmp_path / "heads.jsonl"


@pytest.fixture
def here(town: OpenTown, heads: Path) -> Town:
    here = town(small())
    here.run.variables["SNOWLOAD_AUDIT__HEAD_FILE"] = str(heads)
    return here


def exported(here: Town, *arguments: str) -> list[dict[str, Any]]:
    file = here.run.home / "audit.jsonl"
    ended = here.run("audit", "export", str(file), "--env", "testing", "--json", *arguments)
    assert ended.code == 0, ended.err
    keeps(ended.document)
    assert file.stat().st_mode & 0o777 == 0o600
    return [json.loads(line) for line in file.read_text("ascii").splitlines()]


def done(entries: list[dict[str, Any]], *changes: str) -> list[dict[str, Any]]:
    return [one for one in entries if one.get("outcome") == "done" and (not changes or one["change"] in changes)]


def altered(here: Town, statement: str) -> None:
    with closing(sqlite3.connect(next(here.run.home.rglob("state.sqlite")))) as database, database:
        database.execute(statement)


def test_all_that_a_load_makes_has_its_entry_and_the_trail_verifies_where_nothing_else_is_set_up(
    here: Town, heads: Path
) -> None:
    loaded = here.run(*LOAD, **ROWS)
    keeps(loaded.document)
    assert json.loads(heads.read_text()) == loaded.document["audit"]["head"]
    found = InProcess(here.run.home)(*VERIFY, "--head", str(heads))
    assert found.code == 0, found.err
    assert (found.document["whole"], found.document["proven"], found.document["heads"]["agree"]) == (True, True, 1)
    entries = exported(here)
    items = {item.sys_id for item in oracle.config_items(here.app.instance, "UniFi") if item.native_keys}
    assert {one["sys_id"] for one in done(entries, "create")} == items
    assert len(done(entries, "link")) == len(edges(here))
    assert done(entries, "make_row")
    assert {one["by"]["account"] for one in entries} == {"snowload"}
    assert {one["run"] for one in entries} == {loaded.document["run_id"]}
    names = {item.name for item in oracle.config_items(here.app.instance, "UniFi")}
    assert not [name for name in names if len(name) > 5 and name in json.dumps(entries)]


@pytest.mark.parametrize(("status", "outcome"), [(403, "refused"), (500, "unknown"), (429, "later")])
def test_a_row_that_was_not_made_is_settled_as_what_the_answer_says(here: Town, status: int, outcome: str) -> None:
    fault = Fault(effect=Effect.STATUS, status=status, path="/api/now/table/*", method="POST")
    here.sandbox.servicenow.faults.add(fault)
    here.run(*LOAD, **ROWS, SNOWLOAD_RETRY__MAX_ATTEMPTS="1")
    settled = [one for one in exported(here) if one.get("change") == "make_row" and one["kind"] == "settled"]
    assert {one["outcome"] for one in settled} == {outcome}


def test_queued_writes_are_in_it_once_they_are_sent_and_so_is_what_a_rollback_does(here: Town) -> None:
    first = here.run(*LOAD)
    here.estate.rename_device(switch(here.estate).mac, "renamed")
    assert here.run(*LOAD, **HELD_BACK).document["audit"]["entries"] == 0
    sent = here.run(*REPLAY)
    assert [one["change"] for one in done(exported(here, "--run", sent.document["run_id"]))] == ["update"]
    undone = here.run(
        "rollback", first.document["run_id"], "--env", "testing", "--json", SNOWLOAD_ROLLBACK__CREATED="delete"
    )
    entries = exported(here, "--run", undone.document["run_id"])
    assert len(done(entries, "delete")) == undone.document["deleted"] > 0
    assert {one["key"] for one in done(entries, "sweep")} == {one["sys_id"] for one in done(entries, "delete")}
    assert len(done(entries, "unlink")) == undone.document["written"]["unlinked"]
    assert exported(here, "--since", "2099-01-01T00:00:00Z") == []
    assert here.run(*VERIFY).code == 0


def test_what_hung_on_a_deleted_ci_and_may_be_there_still_is_not_called_gone(here: Town) -> None:
    first = here.run(*LOAD)
    kept = Fault(effect=Effect.STATUS, status=403, method="DELETE", path="/api/now/table/cmdb_serial_number/*")
    here.sandbox.servicenow.faults.add(kept)
    run = first.document["run_id"]
    undone = here.run("rollback", run, "--env", "testing", "--json", SNOWLOAD_ROLLBACK__CREATED="delete")
    entries = exported(here, "--run", undone.document["run_id"])
    left = {row["cmdb_ci"] for row in here.app.instance.rows("cmdb_serial_number")}
    unsure = {one["key"] for one in entries if one.get("change") == "sweep" and one.get("outcome") == "unknown"}
    assert unsure == left
    assert left


@pytest.mark.parametrize(
    ("statement", "bad"),
    [
        ("UPDATE audit_log SET body = replace(body, 'create', 'update') WHERE number = 7", 7),
        ("DELETE FROM audit_log WHERE number = 9", 9),
    ],
)
def test_the_first_bad_entry_is_named_with_exit_code_12(here: Town, statement: str, bad: int) -> None:
    here.run(*LOAD)
    altered(here, statement)
    found = here.run(*VERIFY)
    _refused(found, bad)


@pytest.mark.parametrize("body", ["x'ff00'", "CAST(x'ffc3' AS TEXT)", "printf('%.*c', 200000, '[')", "'garbage'"])
def test_an_entry_that_does_not_read_is_exported_as_it_is_and_named(here: Town, body: str) -> None:
    loaded = here.run(*LOAD).document["audit"]["head"]["number"]
    altered(here, f"UPDATE audit_log SET body = {body} WHERE number = 7")
    _refused(here.run(*VERIFY), 7)
    entries = exported(here)
    assert [one["number"] for one in entries if "unread" in one] == [7]
    assert len(entries) == loaded


@pytest.mark.parametrize(
    "words", ['{"at":"2026-01-01T00:00:00Z","chain":"x","number":Infinity,"digest":"d"}', "[" * 10**5]
)
def test_a_file_that_holds_no_head_is_a_usage_error(here: Town, tmp_path: Path, words: str) -> None:
    here.run(*LOAD)
    (tmp_path / "no.head").write_text(words)
    found = here.run(*VERIFY, "--head", str(tmp_path / "no.head"))
    assert (found.code, "no head" in found.err) == (2, True)


def test_a_newest_seal_that_does_not_read_ends_a_load_with_exit_code_12(here: Town) -> None:
    last = here.run(*LOAD).document["audit"]["head"]["number"]
    altered(here, f"UPDATE audit_log SET body = 'garbage' WHERE number = {last}")
    ended = here.run(*LOAD)
    assert (ended.code, "snowload audit verify" in ended.err) == (12, True)


def test_entries_cut_off_the_end_are_seen_with_a_head_and_said_to_be_unseen_without(here: Town, heads: Path) -> None:
    here.run(*LOAD)
    plain = here.run(*VERIFY)
    assert "cut off the end" in plain.document["caveats"][0]
    here.estate.rename_device(switch(here.estate).mac, "renamed")
    here.run(*LOAD)
    altered(here, f"DELETE FROM audit_log WHERE number > {plain.document['last']}")
    next(here.run.home.rglob("*.audit.key")).unlink()
    found = here.run(*VERIFY)
    assert (found.code, found.document["unsealed"]) == (0, 0)
    assert [one for one in found.document["caveats"] if "The key is not here" in one]
    _refused(here.run(*VERIFY, "--head", str(heads)), plain.document["last"] + 1)


def test_after_a_lost_key_no_load_changes_anything_until_somebody_begins_a_new_chain(here: Town, heads: Path) -> None:
    here.run(*LOAD)
    next(here.run.home.rglob("*.audit.key")).unlink()
    here.estate.rename_device(switch(here.estate).mac, "renamed")
    writes = here.writes()
    stopped = here.run(*LOAD)
    assert (stopped.code, stopped.document["error"]["code"], here.writes()) == (12, "audit.damaged", writes)
    begun = here.run("audit", "begin", "--env", "testing", "--yes", "--json")
    assert begun.code == 0, begun.err
    assert json.loads(heads.read_text().splitlines()[-1]) == begun.document["head"]
    keeps(begun.document)
    assert here.run(*LOAD).document["written"]["updated"] == 1
    assert here.run(*VERIFY).code == 12
    assert here.run(*VERIFY, "--known", str(begun.document["begun"])).code == 0


def test_a_trail_that_cannot_be_sealed_ends_a_load_that_changed_nothing_with_12(here: Town) -> None:
    here.run(*LOAD)
    altered(here, "DELETE FROM audit_log WHERE number = (SELECT max(number) FROM audit_log)")
    next(here.run.home.rglob("*.audit.key")).unlink()
    ended = here.run(*LOAD)
    keeps(ended.document)
    assert (ended.code, ended.document["status"], ended.document["error"]["code"]) == (12, "failed", "audit.damaged")
    assert "key of the audit trail is not here" in ended.err


@pytest.mark.skipif(not REFUSING.exists(), reason="a file of Linux that takes no text")
def test_a_head_that_could_not_be_written_is_a_warning_and_the_next_load_writes_it(here: Town, heads: Path) -> None:
    loaded = here.run(*LOAD, SNOWLOAD_AUDIT__HEAD_FILE=str(REFUSING))
    keeps(loaded.document)
    (told,) = [one for one in loaded.document["findings"] if one["rule"] == "audit.unsealed"]
    assert (loaded.code, told["severity"]) == (0, "warning")
    assert str(REFUSING) in told["message"]
    again = here.run(*LOAD)
    assert again.document["audit"]["entries"] == 0
    assert json.loads(heads.read_text()) == again.document["audit"]["head"] == loaded.document["audit"]["head"]
    here.run(*LOAD)
    assert len(heads.read_text().splitlines()) == 1


def test_a_head_file_that_is_none_is_refused_before_anything_is_written(here: Town, heads: Path) -> None:
    os.mkfifo(heads)
    ended = here.run(*LOAD)
    assert (ended.code, here.writes()) == (6, 0)
    assert "audit.head_file" in ended.err


def test_heads_are_for_their_owner_only_whoever_made_the_file(here: Town, heads: Path) -> None:
    heads.touch(mode=0o666)
    here.run(*LOAD)
    assert heads.stat().st_mode & 0o777 == 0o600


def test_a_key_kept_elsewhere_is_read_before_the_load_and_its_use_is_told(here: Town) -> None:
    refused = here.run(*LOAD, SNOWLOAD_AUDIT__KEY="env:NOT_THERE")
    assert (refused.code, here.writes()) == (6, 0)
    assert "audit.key" in refused.err
    kept = {"SNOWLOAD_AUDIT__KEY": "env:ELSEWHERE", "ELSEWHERE": "correct horse battery staple"}
    loaded = here.run(*LOAD, SNOWLOAD_LOGGING__LEVEL="DEBUG", **kept)
    assert loaded.code == 0, loaded.err
    lines = [json.loads(one) for one in next(here.run.home.rglob("snowload.jsonl")).read_text().splitlines()]
    told = [one["success"] for one in lines if one.get("setting") == "audit.key"]
    assert told == [False, True]


def _refused(found: Ended, bad: int) -> None:
    keeps(found.document)
    assert (found.code, found.document["first_bad"]["number"]) == (12, bad)
    assert f"entry is {bad}" in found.err
