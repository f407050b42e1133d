"""What becomes of a CI whose device UniFi no longer shows, and what never does (cmdb-model 6.10, L5, Q9)."""

from __future__ import annotations

import pytest

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from beast_dream_snow_loader.sandbox.servicenow import oracle
from tests.scenarios.ageing import pass_time
from tests.scenarios.conftest import Town
from tests.scenarios.desk import (
    IN_SERVICE,
    LOAD,
    RETIRED,
    RETIRING,
    WRITES,
    OpenTown,
    by_hand,
    clean,
    key_of,
    leaves,
    meanwhile,
    remove,
    rules,
    status,
    unifi_away,
    value,
)


@pytest.fixture
def here(town: OpenTown) -> Town:
    """A town loaded once, with retiring on and no time to wait between two reads."""
    opened = town(Estate.generate(seed=3, sites=2, devices=40))
    opened.run.variables |= RETIRING
    assert opened.run(*LOAD).code == 0
    return opened


def test_a_device_goes_from_missing_to_gone_to_retired_and_is_left_alone_from_then_on(here: Town) -> None:
    [key] = remove(here)
    seen = value(here, key, "last_discovered")
    first = here.run(*LOAD)
    assert (first.code, first.document["plan"]["retire"], status(here, key)) == (0, 0, IN_SERVICE), first.err
    assert "presence.missing" in rules(first, key)
    second = here.run(*LOAD)
    assert (second.code, second.document["written"]["retired"]) == (0, 1), second.err
    assert status(here, key) == RETIRED
    assert value(here, key, "last_discovered") == seen
    assert second.document["steps"][-1]["name"] == "retire"
    assert not [edge for edge in oracle.edges(here.app.instance, "UniFi") if key in (edge.parent, edge.child)]
    here.sandbox.log.clear()
    third = here.run(*LOAD)
    assert (third.document["attendance"]["retired"], here.writes()) == (1, 0)
    clean(here)


def test_a_status_changed_by_hand_right_before_the_ci_is_retired_stays(here: Town) -> None:
    [key] = remove(here)
    assert here.run(*LOAD).code == 0
    here.estate.rename_device(leaves(here)[0].mac, "renamed-in-unifi")
    here.sandbox.log.clear()
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.LATENCY, path="/api/now/table/cmdb_ci", seconds=0.7))
    with meanwhile(here.writes, lambda: by_hand(here, key, install_status="3")):
        second = here.run(*LOAD, SNOWLOAD_SERVICENOW__RECHECK_SECONDS="0")
    assert (second.document["plan"]["retire"], second.document["written"]["retired"]) == (1, 0)
    assert "retire.status_by_hand" in rules(second, key)
    assert value(here, key, "install_status") == "3"


def test_nothing_is_retired_unless_somebody_asked_for_it(here: Town) -> None:
    here.run.variables["SNOWLOAD_RETIRE__ENABLED"] = "false"
    [key] = remove(here)
    for _ in range(3):
        ended = here.run(*LOAD)
    assert (ended.code, ended.document["attendance"]["gone"], ended.document["plan"]["retire"]) == (0, 1, 0)
    assert "presence.gone" in rules(ended, key)
    assert status(here, key) == IN_SERVICE


def test_fourteen_days_have_to_pass_however_often_it_is_looked_for(here: Town) -> None:
    here.run.variables["SNOWLOAD_RETIRE__GRACE"] = "14d"
    [key] = remove(here)
    for _ in range(4):
        ended = here.run(*LOAD)
    assert (ended.document["attendance"]["missing"], status(here, key)) == (1, IN_SERVICE)


def test_a_device_that_returns_is_put_back_in_service_as_the_same_ci(here: Town) -> None:
    device = leaves(here)[0]
    [key] = remove(here)
    sys_id = oracle.by_native_key(here.app.instance, "UniFi")[key].sys_id
    for _ in range(2):
        here.run(*LOAD)
    assert status(here, key) == RETIRED
    here.estate.add_device(site=device.site, model=device.model_code, name=device.name, mac=device.mac)
    back = here.run(*LOAD)
    assert (back.code, status(here, key)) == (0, IN_SERVICE), back.err
    assert oracle.by_native_key(here.app.instance, "UniFi")[key].sys_id == sys_id
    assert "presence.returned" in rules(back, key)
    assert here.run(*LOAD).document["attendance"]["returned"] == 0
    clean(here)


def test_a_status_that_a_person_set_after_the_retirement_is_kept_when_the_device_returns(here: Town) -> None:
    device = leaves(here)[0]
    [key] = remove(here)
    for _ in range(2):
        here.run(*LOAD)
    by_hand(here, key, install_status="6", operational_status="5")
    here.estate.add_device(site=device.site, model=device.model_code, name=device.name, mac=device.mac)
    back = here.run(*LOAD)
    assert (back.code, status(here, key)) == (0, ("6", "5"))
    assert "presence.status_kept" in rules(back, key)
    assert "presence.status_kept" not in rules(here.run(*LOAD), key)


def test_a_ci_whose_status_a_person_changed_is_reported_instead_of_retired(here: Town) -> None:
    [key] = remove(here)
    by_hand(here, key, operational_status="3")
    for _ in range(2):
        ended = here.run(*LOAD)
    assert (ended.code, ended.document["plan"]["retire"], status(here, key)) == (0, 0, ("1", "3"))
    assert "retire.status_by_hand" in rules(ended, key)


def test_a_ci_that_a_person_has_retired_already_is_asked_about_no_more(here: Town) -> None:
    [key] = remove(here)
    by_hand(here, key, install_status="7", operational_status="6")
    here.run(*LOAD)
    second = here.run(*LOAD)
    assert (second.document["plan"]["retire"], second.document["attendance"]["retired"]) == (0, 1)
    assert here.run(*LOAD).document["attendance"]["retired"] == 1


def test_six_at_once_are_refused_with_counts_and_the_command_and_the_rest_is_done(here: Town) -> None:
    keys = remove(here, 6)
    renamed = leaves(here, 1)[0]
    here.run(*LOAD)
    here.estate.rename_device(renamed.mac, "renamed-meanwhile")
    refused = here.run(*LOAD)
    assert refused.code == 4, refused.err
    assert refused.document["error"]["code"] == "refused.too_many_retirements"
    assert "6 of " in refused.document["error"]["message"]
    assert refused.document["error"]["next_step"].startswith("Look at them in the report.")
    assert "snowload load --env testing --allow-retire" in refused.err
    assert refused.document["written"]["updated"] == 1
    assert value(here, key_of(renamed), "name") == "renamed-meanwhile"
    assert {status(here, key) for key in keys} == {IN_SERVICE}


def test_the_command_that_the_refusal_names_goes_on(here: Town) -> None:
    keys = remove(here, 6)
    here.run(*LOAD)
    refused = here.run(*LOAD)
    words = refused.document["error"]["next_step"].rpartition("snowload ")[2].split()
    done = here.run(*words, "--json")
    assert (done.code, done.document["written"]["retired"]) == (0, 6), done.err
    assert {status(here, key) for key in keys} == {RETIRED}


def test_a_dry_run_shows_the_retirements_and_counts_nothing(here: Town) -> None:
    [key] = remove(here)
    here.run(*LOAD)
    for _ in range(3):
        planned = here.run(*LOAD, "--dry-run")
    assert (planned.document["plan"]["retire"], status(here, key)) == (1, IN_SERVICE)
    assert {row["field"] for row in planned.document["changes"] if row["change"] == "retire"} == {
        "install_status",
        "operational_status",
    }


@pytest.mark.parametrize("away", ["console", "Site Manager"])
def test_what_could_not_be_read_retires_nothing_until_it_can_be_read_again(here: Town, away: str) -> None:
    here.run.variables["SNOWLOAD_RETIRE__MISSING_READS"] = "1"
    [key] = remove(here)
    console = here.sandbox.consoles[0]
    server = console.server if away == "console" else here.sandbox.site_manager
    here.estate.set_reachable(here.estate.consoles()[0].host_id, away != "console")
    server.faults.add(Fault(effect=Effect.STATUS, status=503, path="/*"))
    for _ in range(2):
        ended = here.run(*LOAD)
        assert (ended.code, ended.document["plan"]["retire"], status(here, key)) == (0, 0, IN_SERVICE), ended.err
        assert ended.document["stale_source"] is not None
    assert "presence.unread" in rules(ended)
    server.faults.clear()
    here.estate.set_reachable(here.estate.consoles()[0].host_id, True)
    assert here.run(*LOAD).document["written"]["retired"] == 1


def test_a_snapshot_that_stands_in_for_unifi_counts_for_nobody_however_often(here: Town) -> None:
    """Missing in one read, then UniFi is away: the old snapshot says the same three times and that is no read; the
    second real one counts."""
    [key] = remove(here)
    first = here.run(*LOAD)
    assert first.document["attendance"]["missing"] == 1
    unifi_away(here)
    for _ in range(3):
        stale = here.run(*LOAD)
        assert stale.document["stale_source"] is not None, stale.err
        assert (stale.document["attendance"], stale.document["plan"]["retire"], status(here, key)) == (
            {},
            0,
            IN_SERVICE,
        )
    for server in here.sandbox.servers.values():
        server.faults.clear()
    again = here.run(*LOAD)
    assert (again.code, again.document["written"]["retired"], status(here, key)) == (0, 1, RETIRED), again.err


def test_a_retirement_that_could_not_be_sent_is_sent_by_a_replay(here: Town) -> None:
    [key] = remove(here)
    here.run(*LOAD)
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.STATUS, status=503, path=WRITES))
    away = here.run(*LOAD)
    assert (away.code, away.document["queued"], status(here, key)) == (8, 1, IN_SERVICE), away.err
    here.sandbox.servicenow.faults.clear()
    replayed = here.run("replay-queue", "--env", "testing", "--json")
    assert (replayed.code, replayed.document["left"], status(here, key)) == (0, 0, RETIRED), replayed.err


def test_a_replay_does_not_retire_what_a_person_has_given_another_status_meanwhile(here: Town) -> None:
    [key] = remove(here)
    here.run(*LOAD)
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.STATUS, status=503, path=WRITES))
    here.run(*LOAD)
    here.sandbox.servicenow.faults.clear()
    by_hand(here, key, operational_status="3")
    replayed = here.run("replay-queue", "--env", "testing", "--json")
    assert (replayed.code, replayed.document["left"], status(here, key)) == (0, 0, ("1", "3")), replayed.err


def test_gear_long_offline_becomes_non_operational_and_operational_again_when_it_is_back(here: Town) -> None:
    here.run.variables["SNOWLOAD_RETIRE__OFFLINE_NONOPERATIONAL_DAYS"] = "30"
    device = leaves(here)[0]
    key = key_of(device)
    here.estate.set_online(device.mac, online=False)
    assert (here.run(*LOAD).code, status(here, key)) == (0, IN_SERVICE)
    pass_time(31 * 86400, here.estate, here.app.instance, here.run.home)
    assert (here.run(*LOAD).code, status(here, key)) == (0, ("1", "2"))
    here.estate.set_online(device.mac, online=True)
    assert (here.run(*LOAD).code, status(here, key)) == (0, IN_SERVICE)


def test_an_operational_status_that_a_person_set_is_kept_however_long_gear_is_offline(here: Town) -> None:
    here.run.variables["SNOWLOAD_RETIRE__OFFLINE_NONOPERATIONAL_DAYS"] = "30"
    device = leaves(here)[0]
    here.estate.set_online(device.mac, online=False)
    by_hand(here, key_of(device), operational_status="3")
    pass_time(31 * 86400, here.estate, here.app.instance, here.run.home)
    assert (here.run(*LOAD).code, status(here, key_of(device))) == (0, ("1", "3"))


def test_a_device_that_moved_is_the_same_ci_and_nobody_is_gone_or_new(here: Town) -> None:
    device = leaves(here)[0]
    before = oracle.by_native_key(here.app.instance, "UniFi")[key_of(device)].sys_id
    here.estate.move_device(device.mac, here.estate.sites()[1].legacy_id)
    moved = here.run(*LOAD)
    assert "presence.moved" in rules(moved, key_of(device))
    assert (moved.document["plan"]["create"], moved.document["attendance"]["missing"]) == (0, 0)
    assert here.run(*LOAD).document["attendance"]["moved"] == 0
    assert oracle.by_native_key(here.app.instance, "UniFi")[key_of(device)].sys_id == before


def test_a_filter_retires_nothing_outside_of_itself(here: Town) -> None:
    keys = [*remove(here, 1, site=0), *remove(here, 1, site=1)]
    for _ in range(3):
        ended = here.run(*LOAD, "--site", here.estate.sites()[1].title)
        assert ended.code == 0, ended.err
    assert [status(here, key) for key in keys] == [IN_SERVICE, RETIRED]
