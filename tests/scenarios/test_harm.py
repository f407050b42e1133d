"""What must never happen to a CMDB: lost answers, hand edits, hidden rows, outages in the middle (Q3, Q8, R6)."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from beast_dream_snow_loader.sandbox.servicenow import oracle
from tests.scenarios.conftest import Town
from tests.scenarios.desk import (
    LOAD,
    REPLAY,
    WRITES,
    OpenTown,
    away,
    by_hand,
    ci,
    clean,
    decided,
    key_of,
    names,
    sql,
    switch,
    value,
)


@pytest.fixture
def here(town: OpenTown) -> Town:
    return town(Estate.generate(seed=3, sites=2, devices=40))


@pytest.mark.parametrize("effect", [Effect.RESET_AFTER, Effect.RESET_BEFORE, Effect.CUT_JSON])
def test_a_lost_answer_to_the_first_write_costs_neither_a_duplicate_nor_the_ownership(
    here: Town, effect: Effect
) -> None:
    here.sandbox.servicenow.faults.add(Fault(effect=effect, path=WRITES, first=1))
    first = here.run(*LOAD)
    assert first.code == 0, first.err
    assert first.document["written"]["created"] == first.document["source"]["devices"]
    clean(here)
    device = switch(here.estate)
    here.estate.rename_device(device.mac, "renamed-afterwards")
    assert here.run(*LOAD).document["plan"]["update"] == 1
    assert "renamed-afterwards" in names(here)


def test_a_write_that_fails_with_a_503_once_is_sent_again_in_the_same_run(here: Town) -> None:
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.STATUS, status=503, path=WRITES, first=1))
    first = here.run(*LOAD)
    assert (first.code, first.document["queued"]) == (0, 0), first.err
    assert not any(here.run(*LOAD).document["written"].values())
    clean(here)


def test_an_outage_in_the_middle_of_a_load_loses_nothing(here: Town) -> None:
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.STATUS, status=503, path=WRITES))
    first = here.run(*LOAD)
    assert first.code == 8, first.err
    assert first.document["queued"] > 0
    here.sandbox.servicenow.faults.clear()
    assert here.run("replay-queue", "--env", "testing", "--json").code == 0
    assert here.run(*LOAD).code == 0
    assert not any(here.run(*LOAD).document["written"].values())
    clean(here)


def test_a_hand_edit_survives_a_rename_in_unifi_and_is_told(here: Town) -> None:
    """cmdb-model 6.9."""
    assert here.run(*LOAD).code == 0
    device = switch(here.estate)
    key = key_of(device)
    by_hand(here, key, name="named by a person")
    here.estate.rename_device(device.mac, "renamed-in-unifi")
    second = here.run(*LOAD)
    assert value(here, key, "name") == "named by a person"
    assert "field.overridden_by_hand" in {finding["rule"] for finding in second.document["findings"]}


def test_a_hand_edit_survives_a_neighbour_being_linked_to_it(here: Town) -> None:
    """An edge needs both its ends in the request; naming the far end again must not write it over."""
    assert here.run(*LOAD).code == 0
    device = switch(here.estate)
    key = key_of(device)
    by_hand(here, key, name="named by a person", model_number="seen on the box")
    here.estate.add_device(site=device.site, model="U7PRO", name="new-ap", uplink=device.mac)
    second = here.run(*LOAD)
    assert second.document["written"]["created"] == 1, second.document["failed"]
    assert value(here, key, "name") == "named by a person"
    assert value(here, key, "model_number") == "seen on the box"


def test_a_full_load_keeps_hand_edits_too(here: Town) -> None:
    assert here.run(*LOAD).code == 0
    key = key_of(switch(here.estate))
    by_hand(here, key, name="named by a person")
    assert here.run(*LOAD, "--full").code == 0
    assert value(here, key, "name") == "named by a person"


def test_an_away_target_is_never_called_a_success(here: Town) -> None:
    """Q8: nothing to queue and nothing checked is not ok."""
    assert here.run(*LOAD).code == 0
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.STATUS, status=503, path="/api/*"))
    assert here.run(*LOAD).code == 5


def test_reads_that_are_refused_after_the_writes_do_not_make_a_failure_of_them(here: Town) -> None:
    here.sandbox.servicenow.faults.add(
        Fault(effect=Effect.STATUS, status=403, path="/api/now/table/cmdb_ci", body='{"error":{"message":"x"}}')
    )
    first = here.run(*LOAD)
    assert first.code == 0, first.err
    assert "verify.skipped" in {finding["rule"] for finding in first.document["findings"]}


def test_a_foreign_ci_with_our_serial_is_only_enriched_even_when_it_cannot_be_read(here: Town) -> None:
    device = switch(here.estate)
    with here.app.instance.lock:
        foreign = here.app.instance.insert(
            "cmdb_ci_ip_switch",
            {
                "name": "theirs",
                "serial_number": device.mac.upper(),
                "discovery_source": "ServiceNow",
                "install_status": "7",
            },
        )
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.STATUS, status=403, path="/api/now/table/cmdb_ci"))
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.STATUS, status=403, path="/api/now/*batch"))
    here.run(*LOAD)
    now = here.app.instance.get("cmdb_ci_ip_switch", foreign["sys_id"])
    assert (now["name"], now["install_status"]) == ("theirs", "7")


def test_queued_changes_of_a_console_that_cannot_be_read_stay_queued(town: OpenTown) -> None:
    here = town(Estate.generate(seed=3, sites=2, devices=40, consoles=2))
    assert here.run(*LOAD).code == 0
    here.estate.rename_device(switch(here.estate).mac, "renamed-and-queued")
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.STATUS, status=503, path="/api/*"))
    assert here.run(*LOAD).code == 8
    here.sandbox.servicenow.faults.clear()
    # Site Manager and the console that told of the change are away; the other console is read.
    unread = (here.sandbox.site_manager, here.sandbox.consoles[0].server)
    for server in unread:
        server.faults.add(Fault(effect=Effect.STATUS, status=503))
    partial = here.run(*LOAD)
    assert (partial.code, len(partial.document["stale_consoles"])) == (0, 2), partial.err
    assert "renamed-and-queued" not in names(here)
    for server in here.sandbox.servers.values():
        server.faults.clear()
    here.run("replay-queue", "--env", "testing", "--json")
    assert "renamed-and-queued" in names(here)


def test_a_killed_run_is_called_interrupted_by_the_next_one(here: Town) -> None:
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.HANG, path=WRITES, seconds=20, first=1))
    command = [sys.executable, "-m", "beast_dream_snow_loader", *LOAD]
    with subprocess.Popen(command, env=here.run.environment(), stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 30
        while not here.writes_begun() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.kill()
    here.sandbox.servicenow.faults.clear()
    assert here.run(*LOAD).code == 0
    runs = here.run("runs", "list", "--env", "testing", "--json").document["runs"]
    assert [run["status"] for run in runs] == ["ok", "interrupted"]
    clean(here)


def test_a_killed_run_that_began_in_our_future_is_called_interrupted_too(here: Town) -> None:
    """The clock was set back since, or it began while we waited for the target."""
    assert here.run(*LOAD).code == 0
    sql(here, "UPDATE runs SET status = 'running', started_at = '2099-01-01T00:00:00.000000Z'")
    assert here.run(*LOAD).code == 0
    runs = here.run("runs", "list", "--env", "testing", "--json").document["runs"]
    assert [run["status"] for run in runs] == ["ok", "interrupted"]


def test_what_a_person_put_back_after_a_load_was_killed_stays_theirs_and_is_told(here: Town) -> None:
    assert here.run(*LOAD).code == 0
    device = switch(here.estate)
    before = device.name or ""
    here.estate.rename_device(device.mac, "renamed-and-killed")
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.DRIP, path=WRITES, seconds=60, first=1))
    command = [sys.executable, "-m", "beast_dream_snow_loader", *LOAD]
    with subprocess.Popen(command, env=here.run.environment(), stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while "renamed-and-killed" not in names(here) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.kill()
    here.sandbox.servicenow.faults.clear()
    by_hand(here, key_of(device), name=before)
    load = here.run(*LOAD)
    assert before in names(here)
    assert "field.overridden_by_hand" in decided(load, device)


def test_a_name_that_is_somebody_elses_is_reported_with_whose_it_is(here: Town) -> None:
    device = switch(here.estate)
    with here.app.instance.lock:
        here.app.instance.insert("cmdb_ci_ip_switch", {"name": device.name or "", "serial_number": "FOREIGN1"})
    findings = here.run(*LOAD).document["findings"]
    told = [finding for finding in findings if finding["rule"] == "name.taken"]
    assert [finding["record"] for finding in told] == [key_of(device)]
    assert device.name in told[0]["message"]


def test_an_empty_source_is_refused_on_a_first_load_too(here: Town) -> None:
    here.sandbox.servicenow.faults.clear()
    for server in (here.sandbox.site_manager, *(console.server for console in here.sandbox.consoles)):
        server.faults.add(Fault(effect=Effect.STATUS, status=200, body='{"data":[],"meta":{"rc":"ok"}}'))
    assert here.run(*LOAD).code == 4
    assert here.writes() == 0


def test_guessed_facts_are_asked_for_again_by_the_next_run(here: Town) -> None:
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.STATUS, status=403, path="/api/now/cmdb/meta/*"))
    assert here.run(*LOAD).code in (0, 3)
    here.sandbox.servicenow.faults.clear()
    here.sandbox.log.clear()
    here.run(*LOAD)
    assert any("/cmdb/meta/" in path for path in here.servicenow_reads())


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("report", "--since", "banana"), 2),
        (("runs", "show", "nosuch"), 2),
        (("health", "--check", "nosuch"), 3),
        (("config", "check"), 6),
    ],
)
def test_arguments_and_settings_that_cannot_be_are_told_apart(
    here: Town, arguments: tuple[str, ...], code: int
) -> None:
    ended = here.run(*arguments, "--env", "testing", "--json", SERVICENOW_DATA_SOURCE="a^b" if code == 6 else "UniFi")
    assert (ended.code, bool(ended.document)) == (code, True)


def test_a_damaged_database_is_unhealthy(here: Town) -> None:
    assert here.run(*LOAD).code == 0
    next(here.run.home.rglob("state.sqlite")).write_bytes(b"not a database" * 100)
    ill = here.run("health", "--env", "testing", "--json")
    assert (ill.code, ill.document["checks"][0]["name"]) == (2, "database")


def test_two_devices_named_alike_and_five_unnamed_ones_stay_seven_cis_of_seven_names(town: OpenTown) -> None:
    """cmdb-model 2.4: the demo estate has both; the engine would merge them by name."""
    here = town(Estate.demo())
    document = here.run(*LOAD).document
    devices = [d for console in here.estate.consoles() for d in here.estate.devices(console.host_id) if d.adopted]
    alike = {key_of(d) for d in devices if d.name == "Access Point"}
    unnamed = {key_of(d) for d in devices if d.name is None}
    assert (len(alike), len(unnamed) >= 5) == (2, True)
    there = oracle.by_native_key(here.app.instance, "UniFi")
    assert len({there[key].name for key in alike | unnamed}) == len(alike | unnamed)
    told = {finding["record"] for finding in document["findings"] if finding["rule"].startswith("name.")}
    assert alike | unnamed <= told


def test_a_replay_tells_what_became_of_the_ci_meanwhile_and_reads_back_what_it_wrote(here: Town) -> None:
    """R3.2: as a load does."""
    assert here.run(*LOAD).code == 0
    device = switch(here.estate)
    here.estate.rename_device(device.mac, "renamed-during-an-outage")
    away(here)
    assert here.run(*LOAD).code == 8
    here.sandbox.servicenow.faults.clear()
    item = ci(here, device)
    assert item is not None
    with here.app.instance.lock:
        here.app.instance.delete("cmdb_ci", item.sys_id)
    replayed = here.run(*REPLAY)
    assert replayed.code == 0, replayed.err
    assert "ledger.gone" in decided(replayed, device)
    assert replayed.document["verify"]["checked"] > 0
