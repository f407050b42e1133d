"""What others do to our CIs between two loads and during one: noticed, kept, taken over (cmdb-model 6.9, X5)."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping

import pytest

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.estate.things import EstateDevice
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from beast_dream_snow_loader.sandbox.servicenow import oracle
from beast_dream_snow_loader.sandbox.servicenow.ire.options import IreOptions, SilentField
from tests.scenarios.conftest import Town
from tests.scenarios.desk import LOAD, OpenTown, ci, clean, decided, insert, key_of, stored, switch


@pytest.fixture
def here(town: OpenTown) -> Town:
    """Loaded once."""
    opened = town(Estate.generate(seed=5, sites=1, devices=6))
    assert opened.run(*LOAD).code == 0
    return opened


def edit(town: Town, device: EstateDevice, **values: str) -> None:
    item = ci(town, device)
    assert item is not None
    with town.app.instance.lock, town.app.instance.acting_as("admin"):
        town.app.instance.update(item.class_name, item.sys_id, values)


def held(town: Town, device: EstateDevice) -> Mapping[str, str]:
    item = ci(town, device)
    assert item is not None
    return item.values


def quiet(town: Town) -> bool:
    """Nothing is written by one more load."""
    ended = town.run(*LOAD)
    return ended.code in (0, 3) and not any(ended.document["written"].values())


def test_a_hand_edit_is_noticed_though_nothing_changed_in_unifi_and_told_by_every_run(here: Town) -> None:
    device = switch(here.estate)
    edit(here, device, model_number="seen on the box", firmware_version="0.0.1", short_description="mine")
    for _ in range(3):
        assert "field.overridden_by_hand" in decided(here.run(*LOAD), device)
    now = held(here, device)
    assert (now["model_number"], now["short_description"]) == ("seen on the box", "mine")
    assert now["firmware_version"] != "0.0.1"
    assert quiet(here)


def test_a_hand_edit_is_undone_where_the_operator_says_so(here: Town) -> None:
    device = switch(here.estate)
    before = held(here, device)["model_number"]
    edit(here, device, model_number="seen on the box")
    overwriting = {"SNOWLOAD_MAPPING": '{"on_manual_change": "overwrite"}'}
    assert here.run(*LOAD, **overwriting).document["written"]["updated"] == 1
    assert held(here, device)["model_number"] == before


def test_a_hand_edit_in_the_middle_of_a_load_is_compared_once_more_before_the_write(here: Town) -> None:
    device = switch(here.estate)
    here.estate.rename_device(device.mac, "renamed-in-unifi")
    here.estate.upgrade_device(device.mac, "9.9.9.1")
    here.sandbox.log.clear()
    here.sandbox.servicenow.faults.add(
        Fault(effect=Effect.LATENCY, path="/api/now/table/cmdb_ci", from_request=2, seconds=4)
    )
    command = [sys.executable, "-m", "beast_dream_snow_loader", *LOAD]
    variables = {"SNOWLOAD_SERVICENOW__RECHECK_SECONDS": "0"}
    with subprocess.Popen(command, env=here.run.environment(variables), stdout=subprocess.PIPE) as process:
        deadline = time.monotonic() + 60
        while "/api/now/table/cmdb_ci" not in here.servicenow_reads() and time.monotonic() < deadline:
            time.sleep(0.05)
        edit(here, device, name="named by a person")
        out = process.communicate(timeout=60)[0]
    assert b"change.replanned" in out
    assert (held(here, device)["name"], held(here, device)["firmware_version"]) == ("named by a person", "9.9.9")


def test_a_deleted_ci_whose_source_row_stays_is_made_again_with_its_edges_and_told_by_name(here: Town) -> None:
    device = switch(here.estate)
    before = oracle.edges(here.app.instance, "UniFi")
    item = ci(here, device)
    assert item is not None
    with here.app.instance.lock:
        here.app.instance.delete(item.class_name, item.sys_id)
        for row in (*here.app.instance.find("cmdb_serial_number", cmdb_ci=item.sys_id),):
            here.app.instance.delete("cmdb_serial_number", row["sys_id"])
    load = here.run(*LOAD)
    gone = next(f for f in load.document["findings"] if f["rule"] == "ledger.gone")
    assert (gone["record"], device.name in gone["message"]) == (key_of(device), True)
    assert load.document["written"]["created"] == 1
    assert oracle.edges(here.app.instance, "UniFi") == before
    assert quiet(here)


@pytest.mark.parametrize("row_follows", [True, False])
def test_a_merged_ci_is_followed_to_the_one_that_survives(here: Town, row_follows: bool) -> None:
    device = switch(here.estate)
    item = ci(here, device)
    assert item is not None
    survivor = insert(here, name="theirs", serial_number="BOX-1", model_number="theirs")
    with here.app.instance.lock, here.app.instance.acting_as("admin"):
        here.app.instance.update("cmdb_ci", item.sys_id, {"duplicate_of": survivor})
        for row in here.app.instance.find("sys_object_source", id=key_of(device)) if row_follows else ():
            here.app.instance.update("sys_object_source", row["sys_id"], {"target_sys_id": survivor})
    load = here.run(*LOAD)
    assert load.code == 0, load.err
    followed = next(f for f in load.document["findings"] if f["rule"] == "ledger.followed")
    assert item.sys_id in followed["message"]
    assert survivor in followed["message"]
    assert load.document["written"]["created"] == 0
    now = ci(here, device)
    assert now is not None
    assert now.sys_id == survivor
    assert (now.name, now.values["serial_number"], now.values["model_number"]) == ("theirs", "BOX-1", "theirs")
    uplinks = [edge for edge in oracle.edges(here.app.instance, "UniFi") if edge.parent == key_of(device)]
    assert uplinks
    assert quiet(here)
    clean(here)


def test_a_reclassified_ci_is_followed_by_the_ledger(here: Town) -> None:
    device = switch(here.estate)
    item = ci(here, device)
    assert item is not None
    with here.app.instance.lock, here.app.instance.acting_as("admin"):
        here.app.instance.change_class("cmdb_ci", item.sys_id, "cmdb_ci_netgear")
    assert "ledger.reclassified" in decided(here.run(*LOAD), device)
    again = here.run(*LOAD)
    assert "ledger.reclassified" not in decided(again, device)
    assert stored(here, item.sys_id)["sys_class_name"] == "cmdb_ci_netgear"
    assert quiet(here)


def test_cis_that_rights_hide_are_not_forgotten(here: Town) -> None:
    empty = Fault(effect=Effect.STATUS, status=200, path="/api/now/table/cmdb_ci", body='{"result":[]}')
    here.sandbox.servicenow.faults.add(empty)
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.STATUS, status=404, path="/api/now/*batch"))
    load = here.run(*LOAD)
    assert "ledger.hidden" in {finding["rule"] for finding in load.document["findings"]}
    assert not any(load.document["written"].values())


def test_a_ci_that_was_only_carried_and_had_gone_comes_back_whole_and_in_the_ledger(here: Town) -> None:
    """It vanishes between the look and the write: an edge needs it in the request, and the engine makes it anew."""
    device = switch(here.estate)
    item = ci(here, device)
    assert item is not None
    below = here.estate.add_device(site=device.site, model="U7PRO", name="new-ap", uplink=device.mac)
    here.sandbox.log.clear()
    here.sandbox.servicenow.faults.add(
        Fault(effect=Effect.LATENCY, path="/api/now/identifyreconcile/enhanced", first=1, seconds=4)
    )
    command = [sys.executable, "-m", "beast_dream_snow_loader", *LOAD]
    with subprocess.Popen(command, env=here.run.environment(), stdout=subprocess.PIPE) as process:
        deadline = time.monotonic() + 60
        while not _intended(here, key_of(below)) and time.monotonic() < deadline:
            time.sleep(0.05)
        with here.app.instance.lock:
            here.app.instance.delete(item.class_name, item.sys_id)
            for row in here.app.instance.find("sys_object_source", id=key_of(device)):
                here.app.instance.delete("sys_object_source", row["sys_id"])
            for row in here.app.instance.find("cmdb_serial_number", cmdb_ci=item.sys_id):
                here.app.instance.delete("cmdb_serial_number", row["sys_id"])
        out = process.communicate(timeout=60)[0]
    assert b"ire.recreated" in out
    now = held(here, device)
    assert {"firmware_version", "install_status", "model_number"} <= {name for name, value in now.items() if value}
    assert here.run(*LOAD).document["written"]["created"] == 0
    assert quiet(here)
    assert not oracle.duplicate_keys(here.app.instance)
    assert not oracle.duplicate_serials(here.app.instance)


def _intended(town: Town, subject: str) -> bool:
    database = next(town.run.home.rglob("state.sqlite"))
    with contextlib.suppress(sqlite3.Error), sqlite3.connect(f"file:{database}?mode=ro", uri=True) as reading:
        return bool(reading.execute("select count(*) from journal where subject = ?", (subject,)).fetchone()[0])
    return False


def test_a_name_that_unifi_gave_meanwhile_is_told_and_is_what_overwriting_writes(here: Town) -> None:
    device = switch(here.estate)
    edit(here, device, name="HAND")
    here.estate.rename_device(device.mac, "uni-A")
    for _ in range(3):
        found = here.run(*LOAD).document["findings"]
        assert [f["message"] for f in found if f["rule"] == "field.overridden_by_hand"] == [
            "name was changed by hand to HAND and stays so; UniFi says uni-A."
        ]
    told_of = here.run("explain", key_of(device), "--env", "testing", "--json").document
    assert {f["field"]: (f["rule"], f["unifi"]) for f in told_of["fields"]}["name"] == (
        "field.overridden_by_hand",
        "uni-A",
    )
    overwriting = {"SNOWLOAD_MAPPING": '{"on_manual_change": "overwrite"}'}
    assert here.run(*LOAD, **overwriting).document["written"]["updated"] == 1
    assert held(here, device)["name"] == "uni-A"
    assert quiet(here)


def test_what_the_instance_did_not_keep_is_explained_as_that_and_as_no_persons_edit(here: Town) -> None:
    device = switch(here.estate)
    cut = SilentField(element="name", native_key=key_of(device), keep=3)
    dropped = frozenset({"Managed by::Manages"})
    here.app.backend.set_options(ire=IreOptions(silent_fields=(cut,), dropped_relations=dropped))
    here.estate.rename_device(device.mac, "core-01")
    added = here.estate.add_device(site=device.site, model="U7PRO", name="new-ap", uplink=device.mac)
    assert here.run(*LOAD).code == 3
    shown = here.run("explain", key_of(device), "--env", "testing", "--json").document
    fields = {field["field"]: field for field in shown["fields"]}
    assert (fields["name"]["rule"], fields["name"]["servicenow"]) == ("field.not_kept", "cor")
    edges = here.run("explain", key_of(added), "--env", "testing", "--json").document["relations"]
    assert {edge["rule"] for edge in edges if edge["edge"].startswith("managed_by")} == {"relation.to_draw"}
    here.app.backend.set_options(ire=IreOptions())
    assert here.run(*LOAD).code == 0
    assert held(here, device)["name"] == "core-01"
    assert quiet(here)
