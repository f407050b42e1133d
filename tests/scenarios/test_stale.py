"""Consoles that cannot be read are shown as they were, with their age, and nothing is decided because of it (R6.3,
Q18)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.estate.things import EstateDevice
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from beast_dream_snow_loader.sandbox.servicenow import oracle
from tests.scenarios.conftest import Town
from tests.scenarios.desk import (
    LOAD,
    PLAN,
    RETIRING,
    OpenTown,
    could_write,
    findings,
    keeps,
    key_of,
    keys,
    names,
    unifi_away,
    value,
)

DOWN = Fault(effect=Effect.STATUS, status=503)


@pytest.fixture
def here(town: OpenTown) -> Town:
    """Three consoles, loaded once."""
    opened = town(Estate.generate(seed=5, sites=3, devices=30, consoles=3))
    opened.run.variables |= {"SNOWLOAD_CIRCUIT_BREAKER__FAILURE_THRESHOLD": "1000", "SNOWLOAD_RETRY__MAX_ATTEMPTS": "1"}
    assert opened.run(*LOAD).code == 0
    return opened


def down(town: Town, place: int) -> None:
    """Neither the console's own address nor the cloud answers for it."""
    town.sandbox.consoles[place].server.faults.add(DOWN)
    town.estate.set_reachable(town.estate.consoles()[place].host_id, False)


def up(town: Town, place: int) -> None:
    town.sandbox.consoles[place].server.faults.clear()
    town.estate.set_reachable(town.estate.consoles()[place].host_id, True)


def of(town: Town, place: int) -> list[EstateDevice]:
    return [d for d in town.estate.devices(town.estate.consoles()[place].host_id) if d.adopted and d.listed]


def named(town: Town, place: int) -> EstateDevice:
    """A leaf with a name."""
    above = {device.uplink for device in of(town, place)}
    return next(d for d in of(town, place) if d.name and not d.is_gateway and d.mac not in above)


def rows(town: Town) -> dict[str, dict[str, str]]:
    return {place: dict(row) for place, row in oracle.everything(town.app.instance).items()}


def ci_of(town: Town, device: EstateDevice) -> dict[str, str]:
    return dict(oracle.by_native_key(town.app.instance, "UniFi")[key_of(device)].values)


def test_one_console_away_is_shown_as_it_was_and_the_others_are_loaded(here: Town) -> None:
    down(here, 0)
    away, other = named(here, 0), named(here, 1)
    before = ci_of(here, away)
    here.estate.rename_device(away.mac, "unseen-name")
    here.estate.rename_device(other.mac, "seen-name")
    ended = here.run(*LOAD)
    assert ended.code == 0, ended.err
    [console] = ended.document["stale_consoles"]
    assert console["age_seconds"] == ended.document["stale_source"] >= 0
    assert (console["complete"], console["lacks"], console["devices"]) == (True, [], len(of(here, 0)))
    assert ended.document["source"]["consoles"] == 3
    [told] = findings(ended, "source.stale")
    assert (told["severity"], console["console"] in told["record"], "seconds old" in told["message"]) == (
        "warning",
        True,
        True,
    )
    assert "seen-name" in names(here)
    assert ci_of(here, away) == before
    keeps(ended.document)


def test_why_a_console_stands_in_ends_with_one_full_stop(here: Town) -> None:
    here.sandbox.consoles[0].server.faults.add(Fault(effect=Effect.STATUS, status=401, body='{"code":"unauthorized"}'))
    here.estate.set_reachable(here.estate.consoles()[0].host_id, False)
    told = [one["message"] for one in here.run(*LOAD).document["findings"] if one["rule"] == "source.stale"]
    assert told
    assert not [one for one in told if ".." in one]


def test_strict_makes_a_stale_console_partial(here: Town) -> None:
    down(here, 0)
    assert here.run(*LOAD, "--strict").code == 3


def test_only_people_who_ask_a_lost_console_find_its_age_everywhere(here: Town) -> None:
    down(here, 0)
    device = named(here, 0)
    plan = here.run(*PLAN, "--json")
    assert (plan.document["stale_source"] is not None, len(plan.document["stale_consoles"])) == (True, 1)
    keeps(plan.document)
    explained = here.run("explain", device.mac, "--env", "testing", "--json")
    assert explained.document["fetch"]["stale_seconds"] >= 0
    assert (explained.document["fetch"]["shown"], explained.document["plan"]["rule"]) == (True, "plan.stale")
    live = here.run("explain", named(here, 1).mac, "--env", "testing", "--json")
    assert live.document["fetch"]["stale_seconds"] is None
    checked = here.run("validate", "--env", "testing", "--json")
    assert (checked.code, len(checked.document["stale_consoles"])) == (0, 1)
    keeps(checked.document)
    text = here.run("load", "--env", "testing").out
    assert "1 of 3 consoles as of up to" in text
    run = here.run("runs", "list", "--env", "testing", "--json").document["runs"][0]
    assert run["stale_source"] >= 0


def test_without_site_manager_what_only_it_lists_stays_as_it_was(here: Town) -> None:
    here.sandbox.site_manager.faults.add(DOWN)
    before = rows(here)
    ended = here.run(*LOAD)
    assert (ended.code, here.run(*LOAD, "--strict").code) == (0, 3), ended.err
    assert all(console["cloud_only"] for console in ended.document["stale_consoles"])
    assert ended.document["plan"]["retire"] == ended.document["plan"]["create"] == 0
    assert rows(here) == before


def test_the_last_line_counts_only_what_is_shown_from_memory_and_what_was_written_besides(here: Town) -> None:
    """Site Manager and one console of three are away: two were read now."""
    down(here, 0)
    here.sandbox.site_manager.faults.add(DOWN)
    here.estate.rename_device(named(here, 1).mac, "seen-name")
    out = here.run("load", "--env", "testing").out
    assert "seen-name" in names(here)
    [last] = [line for line in out.splitlines() if line.startswith("load: ")]
    assert last.startswith("load: ok, 1 of 3 consoles and what only Site Manager lists on 2 more as of up to"), out
    assert last.endswith("ago: nothing of that is written")


def test_when_everything_is_away_everything_is_stale_and_nothing_is_sent(here: Town) -> None:
    here.estate.rename_device(named(here, 1).mac, "unseen-name")
    unifi_away(here)
    sent = len(could_write(here))
    before = rows(here)
    for arguments in ((), ("--full",)):
        ended = here.run(*LOAD, *arguments)
        assert (ended.code, len(ended.document["stale_consoles"])) == (0, 3), ended.err
        assert ended.document["attendance"] == {}
    assert (len(could_write(here)), rows(here)) == (sent, before)


def test_a_console_that_answers_again_is_read_and_remembered_anew(here: Town) -> None:
    down(here, 0)
    device = named(here, 0)
    first = here.run(*LOAD).document["stale_consoles"][0]
    here.estate.rename_device(device.mac, "renamed-meanwhile")
    up(here, 0)
    back = here.run(*LOAD)
    assert (back.code, back.document["stale_source"], back.document["stale_consoles"]) == (0, None, [])
    assert [f["record"] for f in findings(back, "source.warmed")] == [f"console/{first['console']}"]
    assert value(here, key_of(device), "name") == "renamed-meanwhile"
    assert not findings(here.run(*LOAD), "source.warmed")
    down(here, 0)
    again = here.run(*LOAD).document["stale_consoles"][0]
    assert again["taken_at"] >= first["taken_at"]
    assert again["age_seconds"] < (datetime.now(UTC) - datetime.fromisoformat(first["taken_at"])).total_seconds()


def test_a_snapshot_that_is_too_old_stands_in_no_more(here: Town) -> None:
    down(here, 0)
    too_old = here.run(*LOAD, SNOWLOAD_UNIFI__STALE_MAX_AGE="0s")
    assert (too_old.code, too_old.document["stale_source"]) == (3, None)
    assert len(findings(too_old, "source.too_old")) == 1
    unifi_away(here)
    nothing = here.run(*LOAD, SNOWLOAD_UNIFI__STALE_MAX_AGE="0s")
    assert nothing.code == 5
    assert "unifi.stale_max_age" in nothing.err + nothing.out


def test_nobody_of_a_stale_console_is_missed_or_retired(here: Town) -> None:
    gone, other = named(here, 0), named(here, 1)
    here.estate.remove_device(gone.mac)
    here.estate.remove_device(other.mac)
    down(here, 0)
    for _ in range(3):
        ended = here.run(*LOAD, **RETIRING)
    assert key_of(gone) in keys(here)
    assert (value(here, key_of(gone), "install_status"), value(here, key_of(other), "install_status")) == ("1", "7")
    assert ended.document["attendance"]["missing"] == 0
    up(here, 0)
    assert here.run(*LOAD, **RETIRING).document["attendance"]["missing"] == 1


def test_a_move_that_only_memory_shows_is_never_confirmed(here: Town) -> None:
    """Two complete reads move an edge: the same snapshot read twice is not two reads."""
    leaf = named(here, 0)
    elsewhere = next(d for d in of(here, 0) if d.mac not in (leaf.mac, leaf.uplink) and d.model_code.startswith("US"))
    here.estate.change_uplink(leaf.mac, elsewhere.mac)
    assert here.run(*LOAD).code == 0
    before = rows(here)
    down(here, 0)
    for _ in range(3):
        assert here.run(*LOAD).document["plan"]["unlink"] == 0
    assert rows(here) == before
    up(here, 0)
    back = here.run(*LOAD)
    assert back.document["written"]["unlinked"] == 1, (back.document["stale_consoles"], back.document["findings"])


def test_a_device_that_roamed_to_another_console_is_shown_once_and_there(here: Town) -> None:
    device = named(here, 0)
    here.estate.move_device(device.mac, here.estate.sites()[1].legacy_id)
    down(here, 0)
    ended = here.run(*LOAD)
    assert ended.code == 0, ended.err
    assert ended.document["stale_consoles"][0]["devices"] == len(of(here, 0))
    assert ended.document["attendance"]["moved"] == 1
    explained = here.run("explain", device.mac, "--env", "testing", "--json").document
    assert explained["fetch"]["stale_seconds"] is None
    assert not oracle.duplicate_keys(here.app.instance)


def test_what_site_manager_shows_now_of_a_console_that_does_not_answer_is_no_memory(here: Town) -> None:
    """Its door alone is shut: the cloud still sees its devices."""
    device = named(here, 0)
    here.sandbox.consoles[0].server.faults.add(DOWN)
    here.estate.rename_device(device.mac, "seen-by-the-cloud")
    ended = here.run(*LOAD, SNOWLOAD_UNIFI__USE_CONNECTOR="false")
    assert (ended.code, len(ended.document["stale_consoles"])) == (0, 1), ended.err
    assert ended.document["stale_consoles"][0]["devices"] < len(of(here, 0))
    assert value(here, key_of(device), "name") == "seen-by-the-cloud"


def test_a_partial_read_is_kept_beside_the_complete_one_and_says_what_it_lacks(here: Town) -> None:
    site = here.sandbox.consoles[0].server
    site.faults.add(Fault(effect=Effect.STATUS, status=500, path="*/clients*"))
    site.faults.add(Fault(effect=Effect.STATUS, status=500, path="*/stat/*sta*"))
    partial = here.run(*LOAD)
    assert partial.code == 3, partial.err
    site.faults.clear()
    down(here, 0)
    [console] = here.run(*LOAD).document["stale_consoles"]
    assert (console["complete"], console["lacks"]) == (True, [])


UNACCEPTED = Fault(effect=Effect.STATUS, status=401, body='{"code":"unauthorized","message":"unauthorized"}')


def shut_outside(town: Town, fault: Fault) -> None:
    """At its own address, not through Site Manager."""
    town.sandbox.consoles[0].server.faults.add(fault)


def test_a_console_shut_at_its_own_address_and_read_through_site_manager_is_a_lesser_matter_than_a_stale_one(
    here: Town,
) -> None:
    device = named(here, 0)
    here.estate.rename_device(device.mac, "seen-through-site-manager")
    shut_outside(here, DOWN)
    ended = here.run(*LOAD)
    assert (ended.code, ended.document["stale_source"]) == (0, None), ended.err
    assert value(here, key_of(device), "name") == "seen-through-site-manager"
    reasons = [one["code"] for one in ended.document["degradation"]["reasons"]]
    assert (ended.document["degradation"]["level"], reasons) == ("reduced", ["source.detour"])
    keeps(ended.document)


@pytest.mark.parametrize("command", [LOAD, ("validate", "--env", "testing", "--json")])
@pytest.mark.parametrize("others_away", [False, True], ids=["the consoles answer", "nothing answers"])
def test_a_key_that_is_not_accepted_is_said_and_ends_with_7_whatever_memory_stands_in(
    here: Town, others_away: bool, command: tuple[str, ...]
) -> None:
    if others_away:
        unifi_away(here)
        here.sandbox.site_manager.faults.clear()
    here.sandbox.site_manager.faults.add(UNACCEPTED)
    ended = here.run(*command)
    assert (ended.code, ended.document["error"]["code"]) == (7, "auth.not_authenticated"), ended.err
    assert "401" in ended.document["error"]["message"]
    assert "UNIFI_API_KEY" in ended.err
    assert "snowload doctor" in ended.err
