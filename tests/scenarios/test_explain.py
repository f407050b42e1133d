"""``snowload explain``: one device through every step, by the rules that decide it."""

from __future__ import annotations

from typing import Any

import pytest

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.servicenow import oracle
from tests.scenarios.conftest import Town
from tests.scenarios.desk import (
    LOAD,
    PLAN,
    OpenTown,
    away,
    by_hand,
    could_write,
    keeps,
    key_of,
    small,
    switch,
    unifi_away,
)


@pytest.fixture
def here(town: OpenTown) -> Town:
    return town(small())


def explained(here: Town, key: str, **variables: str) -> dict[str, Any]:
    ended = here.run("explain", key, "--env", "testing", "--json", **variables)
    assert ended.code == 0, ended.err
    keeps(ended.document)
    return ended.document


def by_name(entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    (found,) = [entry for entry in entries if entry["field"] == name]
    return found


def test_a_device_is_found_by_every_spelling_of_what_it_is_known_by(here: Town) -> None:
    assert here.run(*LOAD).code == 0
    device = switch(here.estate)
    mac = device.mac.upper()
    dashed = "-".join(mac[at : at + 2] for at in range(0, 12, 2))
    sys_id = oracle.by_native_key(here.app.instance, "UniFi")[key_of(device)].sys_id
    for asked, by in ((dashed, "MAC"), (key_of(device), "native key"), (sys_id, "sys_id"), (device.name or "", "name")):
        document = explained(here, asked)
        assert (document["key"], document["meant_by"]) == (key_of(device), by)
    serial = by_name(document["mapping"]["fields"], "serial_number")["value"]
    assert explained(here, serial)["key"] == key_of(device)


def test_a_refused_login_is_told_and_ends_with_its_code_though_the_rest_is_explained(here: Town) -> None:
    ended = here.run("explain", switch(here.estate).mac, "--env", "testing", "--json", SERVICENOW_PASSWORD="wrong")
    assert ended.code == 7, ended.err
    assert ended.document["mapping"]["fields"]


def test_a_row_that_another_record_lacks_is_no_reason_of_this_one(here: Town) -> None:
    devices = [
        device for site in here.estate.sites() for device in here.estate.site_devices(site.legacy_id) if device.adopted
    ]
    for device in devices[:4]:
        line = by_name(explained(here, device.mac)["mapping"]["fields"], "model_id")
        assert line["value"] or (line["source"] or "") in line["why"], (device.model, line)


def test_what_names_nobody_is_refused_with_the_nearest_and_what_names_several_with_all(here: Town) -> None:
    device = switch(here.estate)
    nobody = here.run("explain", f"{device.name}x", "--env", "testing", "--json")
    assert (nobody.code, device.name in nobody.err) == (2, True)
    other = next(d for d in here.estate.devices(device.host_id) if d.adopted and d.mac != device.mac)
    here.estate.rename_device(other.mac, device.name)
    several = here.run("explain", device.name or "", "--env", "testing", "--json")
    assert several.code == 2
    assert key_of(device) in several.err
    assert key_of(other) in several.err


def test_a_new_device_is_explained_as_the_plan_has_it_with_every_field_it_lacks(here: Town) -> None:
    device = switch(here.estate)
    planned = here.run(*PLAN, "--json").document["changes"]
    (change,) = [c for c in planned if c["record"] == key_of(device) and c["change"] == "create"]
    here.sandbox.log.clear()
    document = explained(here, key_of(device))
    assert document["plan"]["change"] == "create"
    shown = {field["field"]: field["new"] for field in document["plan"]["fields"]}
    assert shown == {field["field"]: field["new"] for field in change["fields"]}
    assert document["match"]["rule"] == "identity.new"
    assert [step["usable"] for step in document["mapping"]["chain"]] == [True]
    assert by_name(document["mapping"]["fields"], "owned_by")["rule"] == "mapping.no_source"
    assert "controller" in document["fetch"]["apis"]
    assert could_write(here) == []
    simulated = [line for line in here.sandbox.log.lines("servicenow") if line.path.endswith("queryEnhanced")]
    assert len(simulated) <= 2  # one may ask whether the account may use the engine at all


def test_a_hand_edit_is_shown_three_ways_with_the_rule_that_keeps_it(here: Town) -> None:
    """cmdb-model 6.9."""
    assert here.run(*LOAD).code == 0
    device = switch(here.estate)
    here.estate.rename_device(device.mac, "renamed-in-unifi")
    by_hand(here, key_of(device), name="by-a-person")
    document = explained(here, device.mac)
    field = by_name(document["fields"], "name")
    assert (field["written"], field["unifi"], field["servicenow"]) == (device.name, "renamed-in-unifi", "by-a-person")
    assert (field["sent"], field["rule"]) == (False, "field.overridden_by_hand")
    assert document["match"]["rule"] == "ledger.known"
    assert document["match"]["engine"][0]["rule"] == "identity.by_source"
    assert {"relation.drawn"} == {relation["rule"] for relation in document["relations"]}
    create = next(write for write in document["writes"] if write["change"] == "create")
    assert (create["outcome"], "name" in create["fields"]) == ("done", True)


def test_a_name_that_is_somebody_elses_and_a_record_that_is_held_are_told_with_their_candidates(here: Town) -> None:
    """cmdb-model 2.4."""
    device = switch(here.estate)
    with here.app.instance.lock, here.app.instance.acting_as("admin"):
        row = here.app.instance.insert("cmdb_ci_ip_switch", {"name": device.name, "serial_number": "FOREIGN1"})
    first, second = explained(here, device.mac)["match"]["engine"]
    assert (first["decision"], first["rule"]) == ("next_name", "identity.name_taken")
    assert (second["decision"], second["rule"]) == ("new", "identity.new")
    with here.app.instance.lock, here.app.instance.acting_as("admin"):
        here.app.instance.update("cmdb_ci_ip_switch", row["sys_id"], {"serial_number": ""})
    held = explained(here, device.mac)
    assert (held["plan"]["rule"], held["match"]["rule"]) == ("plan.held", "identity.name_only")
    assert held["match"]["candidates"][0]["sys_id"] == row["sys_id"]


def test_what_the_state_knows_is_told_while_either_end_is_away(here: Town) -> None:
    device = switch(here.estate)
    assert here.run(*LOAD).code == 0
    away(here)
    without_cmdb = explained(here, device.mac)
    assert without_cmdb["troubles"]
    assert by_name(without_cmdb["fields"], "name")["servicenow"] is None
    assert by_name(without_cmdb["fields"], "name")["written"] == device.name
    unifi_away(here)
    without_both = explained(here, device.mac)
    assert len(without_both["troubles"]) >= 2
    assert without_both["fetch"]["stale_seconds"] >= 0
    assert without_both["writes"]
    text = here.run("explain", device.mac, "--env", "testing")
    assert (text.code, "from state only" in text.out) == (0, True)


def test_a_device_that_unifi_no_longer_shows_is_explained_from_the_ledger(here: Town) -> None:
    device = switch(here.estate)
    assert here.run(*LOAD).code == 0
    here.estate.remove_device(device.mac)
    assert here.run(*LOAD).code == 0
    document = explained(here, key_of(device))
    assert (document["fetch"]["rule"], document["mapping"]["rule"]) == ("fetch.not_shown", "fetch.not_shown")
    assert (document["presence"]["rule"], document["presence"]["missing_reads"]) == ("presence.missing", 1)
    unifi_away(here)
    assert explained(here, key_of(device))["presence"]["rule"] == "presence.as_remembered"


def test_a_client_is_told_that_clients_are_off(town: OpenTown) -> None:
    here = town(Estate.demo())
    client = next(
        client for site in here.estate.sites() for client in here.estate.clients(site.legacy_id) if client.mac
    )
    document = explained(here, f"client/{client.mac.lower()}")
    assert (document["mapping"]["rule"], document["plan"]["rule"]) == ("clients.mode_off", "plan.not_written")
