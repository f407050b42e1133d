"""The queue in the hands of a person: looked at, tried again, given up, taken away as a file (R6.5)."""

from __future__ import annotations

import json
import os
import pty
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.servicenow.ire.options import IreOptions, SilentField
from tests.conftest import Ended
from tests.scenarios.conftest import Town
from tests.scenarios.desk import (
    HELD_BACK,
    LOAD,
    REPLAY,
    OpenTown,
    clean,
    could_write,
    findings,
    keeps,
    leaves,
    names,
    one_switch,
    refuse,
    switch,
    switches,
)

HOSTILE = "evil\x1b[31m\u202etxt"


@pytest.fixture
def here(town: OpenTown) -> Town:
    """A loaded CMDB with one rename in the queue."""
    here = town(Estate.generate(seed=3, sites=1, devices=8))
    here.run.variables["SNOWLOAD_QUEUE__MAX_ATTEMPTS"] = "2"
    assert here.run(*LOAD).code == 0
    here.estate.rename_device(switch(here.estate).mac, HOSTILE)
    assert here.run(*LOAD, **HELD_BACK).document["queued"] == 1
    return here


@pytest.fixture
def parked(here: Town) -> Town:
    """The rename was refused until it was given up."""
    refuse(here, one_switch(here.estate))
    here.run(*LOAD)
    assert len(here.run(*LOAD).document["parked"]) == 1
    here.app.backend.set_options(ire=IreOptions())
    return here


def queue(town: Town, *arguments: str, **variables: str) -> Ended:
    return town.run("queue", *arguments, "--env", "testing", **variables)


def listed(town: Town, *arguments: str) -> dict[str, Any]:
    ended = queue(town, "list", *arguments, "--json")
    assert ended.code == 0, ended.err
    keeps(ended.document)
    return ended.document


def test_what_waits_is_listed_with_its_reason_and_the_next_step(here: Town) -> None:
    document = listed(here)
    assert document["counts"] == {"queued": 1, "unknown": 0, "parked": 0}
    (entry,) = document["entries"]
    assert (entry["state"], entry["change"], entry["attempts"]) == ("queued", "update", 0)
    assert entry["code"] == "servicenow.read_only"
    assert entry["next_step"] == "Send it with: snowload replay-queue"
    assert listed(here, "--state", "parked")["entries"] == []


def test_one_entry_is_shown_field_by_field_and_text_of_devices_escaped(here: Town) -> None:
    (entry,) = listed(here)["entries"]
    shown = queue(here, "show", str(entry["id"]), "--json")
    assert "name" in {field["field"] for field in shown.document["entry"]["what"]["fields"]}
    keeps(shown.document)
    for text in (shown.out, queue(here, "show", str(entry["id"])).out, queue(here, "list").out):
        assert "\x1b[31m" not in text
        assert "\u202e" not in text
    assert "evil" in shown.out


def test_an_entry_that_is_not_there_is_a_bad_argument(here: Town) -> None:
    for command in (("show", "999999"), ("retry", "999999"), ("drop", "999999", "--yes"), ("retry",)):
        ended = queue(here, *command, "--json")
        assert (ended.code, ended.document["error"]["code"]) == (2, "usage.bad_argument"), command
        keeps(ended.document)


def test_a_parked_write_that_is_tried_again_is_sent_by_the_next_load(parked: Town) -> None:
    (entry,) = listed(parked, "--state", "parked")["entries"]
    assert f"snowload queue retry {entry['id']}" in entry["next_step"]
    dry = queue(parked, "retry", "--all", "--dry-run", "--json")
    assert (dry.code, len(dry.document["entries"])) == (0, 1)
    assert parked.run(*LOAD).code == 3
    retried = queue(parked, "retry", str(entry["id"]), "--json")
    assert (retried.code, retried.document["changed"]) == (0, 1)
    assert retried.document["counts"] == {"queued": 1, "unknown": 0, "parked": 0}
    keeps(retried.document)
    load = parked.run(*LOAD)
    assert (load.code, load.document["written"]["updated"], load.document["parked"]) == (0, 1, [])
    clean(parked)


def test_a_newer_write_of_a_record_keeps_the_place_of_the_one_that_waited(here: Town) -> None:
    (first,) = listed(here)["entries"]
    here.estate.rename_device(switches(here.estate)[1].mac, "second")
    here.run(*LOAD, **HELD_BACK)
    here.estate.rename_device(switch(here.estate).mac, "first-again")
    here.run(*LOAD, **HELD_BACK)
    entries = listed(here)["entries"]
    assert [entry["key"] == first["key"] for entry in entries] == [True, False]
    assert (entries[0]["id"] != first["id"], entries[0]["queued_at"]) == (True, first["queued_at"])
    assert here.run(*REPLAY, "--limit", "1").document["sent"] == 1
    assert "first-again" in names(here)
    assert "second" not in names(here)


def test_a_write_that_waits_is_still_the_newest_after_edges_of_its_ci_were_drawn(town: OpenTown) -> None:
    """The engine compares whole seconds: the edges are drawn in a later one than that of the rename (Q6)."""
    here = town(Estate.generate(seed=3, sites=1, devices=8))
    here.run(*LOAD, **HELD_BACK)
    waiting = [entry["change"] for entry in listed(here)["entries"]]
    creates, links = waiting.count("create"), waiting.count("link")
    assert here.run(*REPLAY, "--limit", str(creates)).document["sent"] == creates
    here.estate.rename_device(switch(here.estate).mac, "renamed-while-waiting")
    here.run(*LOAD, **HELD_BACK)
    assert [entry["change"] for entry in listed(here)["entries"]] == ["link"] * links + ["update"]
    time.sleep(1.1)
    assert here.run(*REPLAY, "--limit", str(links)).document["sent"] == links
    assert here.run(*REPLAY).code == 0
    assert "renamed-while-waiting" in names(here)
    clean(here)


def test_a_dropped_write_is_gone_recorded_and_planned_anew_by_a_load(parked: Town) -> None:
    (entry,) = listed(parked)["entries"]
    dropped = queue(parked, "drop", str(entry["id"]), "--yes", "--json")
    assert (dropped.code, dropped.document["changed"]) == (0, 1)
    keeps(dropped.document)
    assert listed(parked)["counts"] == {"queued": 0, "unknown": 0, "parked": 0}
    recorded = parked.run("runs", "show", dropped.document["run_id"], "--env", "testing", "--json").document["run"]
    assert (recorded["command"], recorded["report"]["entries"][0]["key"]) == ("queue", entry["key"])
    assert parked.run(*LOAD).document["written"]["updated"] == 1


def test_a_write_is_dropped_only_when_somebody_says_yes(here: Town) -> None:
    (entry,) = listed(here)["entries"]
    unasked = queue(here, "drop", str(entry["id"]), "--json")
    assert (unasked.code, "--yes" in unasked.err) == (2, True)
    assert queue(here, "drop", str(entry["id"]), "--dry-run").code == 0
    assert asked(here, entry["id"], b"n\n") == 2
    assert listed(here)["counts"]["queued"] == 1
    assert asked(here, entry["id"], b"y\n") == 0
    assert listed(here)["counts"]["queued"] == 0


def asked(town: Town, number: int, answer: bytes) -> int:
    """``queue drop`` with a person at a terminal."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "beast_dream_snow_loader", "queue", "drop", str(number), "--env", "testing"]
    with subprocess.Popen(command, env=town.run.environment(), stdin=theirs, stdout=-3, stderr=-3) as process:
        os.write(ours, answer)
        code = process.wait(60)
    os.close(ours)
    os.close(theirs)
    return code


def test_the_export_holds_every_entry_whole_for_the_owner_only(parked: Town, tmp_path: Path) -> None:
    parked.estate.rename_device(switch(parked.estate).mac, "another-name")
    parked.run(*LOAD, "--full", **HELD_BACK)
    file = tmp_path / "queue.ndjson"
    ended = queue(parked, "export", str(file), "--json")
    assert (ended.code, ended.document["file"]) == (0, str(file))
    keeps(ended.document)
    lines = [json.loads(line) for line in file.read_text("ascii").splitlines()]
    assert len(lines) == ended.document["exported"] == sum(listed(parked)["counts"].values())
    assert all(line["body"]["type"] == line["change"] and line["key"] for line in lines)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.glob(".queue.ndjson*")) == []


def test_the_queue_is_looked_after_without_any_login(here: Town) -> None:
    for name in [name for name in here.run.variables if name.startswith(("SERVICENOW_", "UNIFI_"))]:
        if name != "SERVICENOW_INSTANCE":
            del here.run.variables[name]
    assert listed(here)["counts"]["queued"] == 1


def test_a_replay_asks_once_whether_the_instance_is_there_and_sends_nothing_while_it_is_not(here: Town) -> None:
    here.app.backend.set_options(hibernating=True)
    here.sandbox.log.clear()
    away = here.run(*REPLAY)
    assert (away.code, away.document["left"]) == (8, 1), away.err
    assert len([path for path in here.servicenow_reads() if "oauth" not in path]) == 1
    load = here.run(*LOAD)
    assert (load.code, load.document["queued"]) == (8, 1)
    assert could_write(here) == []
    here.app.backend.set_options(hibernating=False)
    assert here.run(*REPLAY).document["sent"] == 1


def test_a_relation_whose_end_was_given_up_makes_a_replay_partial_and_says_the_way_on(here: Town) -> None:
    assert here.run(*REPLAY).code == 0
    leaf = leaves(here)[0]
    site = here.estate.sites()[0].legacy_id
    here.estate.add_device(site=site, model=leaf.model_code, name="added", mac="00005E000001", uplink=leaf.uplink)
    assert here.run(*LOAD, **HELD_BACK).code == 8
    entries = json.loads(queue(here, "list", "--json").out)["entries"]
    (made,) = [one["id"] for one in entries if one["change"] == "create"]
    assert queue(here, "drop", str(made), "--yes").code == 0
    replayed = here.run(*REPLAY)
    told = findings(replayed, "relation.end_dropped")
    assert (replayed.code, len(told)) == (3, 2), replayed.err
    assert "snowload queue drop" in told[0]["message"]
    assert here.run(*LOAD).code == 0
    assert here.run(*REPLAY).code == 0
    clean(here)


def test_a_queued_write_that_is_older_than_what_another_state_wrote_is_told_as_left_aside(
    here: Town, tmp_path: Path
) -> None:
    """The instance says nothing of it: only that nothing of the item was written tells it from a field it cut."""
    other = {"SNOWLOAD_STATE_DIR": str(tmp_path / "other")}
    time.sleep(1.1)  # the instance keeps whole seconds
    assert here.run(*LOAD, **other).code == 0
    ended = here.run(*REPLAY)
    (told,) = findings(ended, "cmdb.write_not_kept")
    assert (ended.code, told["record"], told["field"]) == (3, one_switch(here.estate), "name")
    assert "left the whole item aside" in told["message"]
    assert "source_recency_timestamp" in told["message"]
    assert "changed or cut" not in told["message"]
    assert here.run(*LOAD).code == 0
    assert not findings(here.run(*LOAD), "cmdb.write_not_kept")


@pytest.mark.parametrize("left", [0, 3])
def test_a_field_that_the_instance_dropped_or_cut_is_told_as_that(here: Town, left: int) -> None:
    silent = SilentField(element="name", native_key=one_switch(here.estate), keep=left)
    here.app.backend.set_options(ire=IreOptions(silent_fields=(silent,)))
    time.sleep(1.1)  # a sign of life of the same second would change nothing either
    here.estate.rename_device(switch(here.estate).mac, "renamed")
    here.run(*LOAD, **HELD_BACK)
    (told,) = findings(here.run(*REPLAY), "cmdb.write_not_kept")
    assert "by the instance. Look for an ACL, a business rule or a dictionary entry" in told["message"]
    assert "aside" not in told["message"]


def test_a_queued_relation_is_given_up_once_a_load_sees_the_device_hang_elsewhere(town: OpenTown) -> None:
    here = town(Estate.generate(seed=3, sites=1, devices=8))
    assert here.run(*LOAD, **HELD_BACK).code == 8
    *_, moving = (device for device in switches(here.estate) if device.uplink)
    elsewhere = next(d for d in switches(here.estate) if d.mac not in (moving.mac, moving.uplink))
    here.estate.change_uplink(moving.mac, elsewhere.mac)
    assert here.run(*LOAD).code == 0
    assert listed(here)["entries"] == []
    replayed = here.run(*REPLAY).document
    assert (replayed["sent"], replayed["left"]) == (0, 0)
    clean(here)
