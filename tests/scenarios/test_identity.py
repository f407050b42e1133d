"""Who a device is in the CMDB: the table of cmdb-model 2.4 line by line, bindings, names; judged by the tables."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.estate.things import EstateDevice
from beast_dream_snow_loader.sandbox.servicenow import oracle
from beast_dream_snow_loader.sandbox.servicenow.by_hand import merge_ci
from tests.scenarios.conftest import Town
from tests.scenarios.desk import LOAD, OpenTown, ci, clean, colons, decided, insert, key_of, stored, switch


@pytest.fixture
def here(town: OpenTown) -> Town:
    return town(Estate.generate(seed=5, sites=1, devices=6))


def others(town: Town, device: EstateDevice) -> list[EstateDevice]:
    return [d for d in town.estate.devices(device.host_id) if d.adopted and d.mac != device.mac]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A CI that is there before us, and what becomes of the device: ``same`` CI, ``own`` new one, or ``held``.

    ``theirs`` may use the device's name, serial, MAC and address; ``adapter`` gives it an adapter with the MAC."""

    outcome: str
    theirs: Mapping[str, str]
    rule: str = ""
    adapter: bool = False
    table: str = "cmdb_ci_ip_switch"
    keeps: Mapping[str, str] = field(default_factory=dict)


LINES = {
    "serial equal": Line(outcome="same", theirs={"name": "theirs", "serial_number": "{serial}"}),
    "serial equal, class on another branch": Line(
        outcome="same",
        theirs={"name": "theirs", "serial_number": "{serial}"},
        table="cmdb_ci_computer",
        rule="class.kept",
        keeps={"sys_class_name": "cmdb_ci_computer"},
    ),
    "name and the CI's MAC equal, another serial": Line(
        outcome="same",
        theirs={"name": "{name}", "serial_number": "PRINTED-1", "mac_address": "{mac}"},
        keeps={"serial_number": "PRINTED-1"},
    ),
    "name and an adapter's MAC equal": Line(
        outcome="same", theirs={"name": "{name}", "serial_number": "PRINTED-1"}, adapter=True
    ),
    "adapter equal": Line(outcome="same", theirs={"name": "theirs", "serial_number": "PRINTED-1"}, adapter=True),
    "name and address equal, nothing else there": Line(
        outcome="same", theirs={"name": "{name}", "ip_address": "{ip}"}, rule="identity.weak"
    ),
    "name equal, nothing to compare": Line(outcome="held", theirs={"name": "{name}"}, rule="identity.name_only"),
    "name equal, another serial": Line(
        outcome="own", theirs={"name": "{name}", "serial_number": "OTHER-1"}, rule="name.taken"
    ),
    "name equal, another MAC": Line(
        outcome="own", theirs={"name": "{name}", "mac_address": "00:00:5e:00:53:99"}, rule="name.taken"
    ),
}


@pytest.mark.parametrize("case", LINES)
def test_a_line_of_the_decision_table(here: Town, case: str) -> None:
    line, device = LINES[case], switch(here.estate)
    means = {"name": device.name, "serial": device.mac.upper(), "mac": colons(device), "ip": device.ip}
    values = {element: text.format(**means) for element, text in line.theirs.items()}
    theirs = insert(here, line.table, **values)
    if line.adapter:
        insert(here, "cmdb_ci_network_adapter", name=colons(device), mac_address=colons(device), cmdb_ci=theirs)
    before = dict(stored(here, theirs))
    load = here.run(*LOAD)
    item = ci(here, device)
    assert load.code == (3 if line.outcome == "held" else 0), load.err
    assert {"same": theirs, "held": None}.get(line.outcome, item and item.sys_id) == (item and item.sys_id)
    now = stored(here, theirs)
    assert {name: now[name] for name in line.theirs} == {name: before[name] for name in line.theirs}
    assert now["sys_class_name"] == line.table
    assert {name: now[name] for name in line.keeps} == line.keeps
    assert (not line.rule) or line.rule in decided(load, device)
    assert load.document["written"]["created"] == 6 - (line.outcome != "own")
    assert not any(here.run(*LOAD).document["written"].values())


def test_all_that_match_several_cis_are_listed_at_once_and_the_rest_is_loaded(here: Town) -> None:
    one = switch(here.estate)
    two = next(d for d in others(here, one) if d.name)
    there = {
        key_of(device): {
            insert(here, name=f"{n} of {device.mac}", serial_number=device.mac.upper()) for n in ("first", "second")
        }
        for device in (one, two)
    }
    load = here.run(*LOAD)
    assert load.code == 3
    listed = {held["key"]: {c["sys_id"] for c in held["candidates"]} for held in load.document["held"]}
    assert listed == there
    candidate = load.document["held"][0]["candidates"][0]
    assert (candidate["class"], candidate["discovery_source"]) == ("cmdb_ci_ip_switch", "ServiceNow")
    assert candidate["serial_number"] in {one.mac.upper(), two.mac.upper()}
    assert load.document["written"]["created"] == 4
    assert not any(row["duplicate_of"] for row in here.app.instance.rows("cmdb_ci"))


def test_a_record_that_meets_a_ci_by_name_does_not_hide_it_from_the_record_whose_ci_it_is(here: Town) -> None:
    """The simulation gives the CI to the one that is first in the request; its serial number says otherwise."""
    first, second = sorted((d for d in here.estate.devices(here.estate.consoles()[0].host_id) if d.name), key=key_of)[
        :2
    ]
    theirs = insert(here, name=first.name or "", serial_number=second.mac.upper())
    assert here.run(*LOAD).code == 0
    mine, others_ci = ci(here, first), ci(here, second)
    assert others_ci is not None
    assert others_ci.sys_id == theirs
    assert mine is not None
    assert mine.sys_id != theirs
    assert not oracle.duplicate_serials(here.app.instance)


def test_without_the_ledger_our_cis_are_known_by_their_keys_and_count_as_already_there(here: Town) -> None:
    """cmdb-model 6.9: the cautious side. Nothing twice, nothing undone, and nothing to do afterwards."""
    assert here.run(*LOAD).code == 0
    device = switch(here.estate)
    item = ci(here, device)
    assert item is not None
    with here.app.instance.lock, here.app.instance.acting_as("admin"):
        here.app.instance.update(item.class_name, item.sys_id, {"name": "named by a person", "model_number": "seen"})
    before = {one.sys_id for one in oracle.config_items(here.app.instance, "UniFi")}
    shutil.rmtree(here.run.home / "state")
    again = here.run(*LOAD)
    assert (again.code, again.document["written"]["created"]) == (0, 0), again.err
    assert {one.sys_id for one in oracle.config_items(here.app.instance, "UniFi")} == before
    assert (stored(here, item.sys_id)["name"], stored(here, item.sys_id)["model_number"]) == (
        "named by a person",
        "seen",
    )
    clean(here)
    here.estate.rename_device(device.mac, "renamed-in-unifi")
    here.run(*LOAD)
    assert stored(here, item.sys_id)["name"] == "named by a person"
    assert not any(here.run(*LOAD).document["written"].values())


def bound(device: EstateDevice | str, sys_id: str) -> dict[str, str]:
    key = device if isinstance(device, str) else key_of(device)
    return {"SNOWLOAD_BINDINGS": json.dumps({key: sys_id})}


def test_a_held_device_is_bound_and_loaded_and_the_line_may_go(here: Town) -> None:
    device = switch(here.estate)
    theirs = insert(here, name=device.name or "")
    assert decided(here.run(*LOAD), device) >= {"identity.name_only"}
    load = here.run(*LOAD, **bound(colons(device), theirs))
    assert load.code == 0, load.err
    assert "binding.followed" in decided(load, device)
    item = ci(here, device)
    assert item is not None
    assert item.sys_id == theirs
    for variables in (bound(device, theirs), {}):
        silent = here.run(*LOAD, **variables)
        assert (silent.code, "binding.followed" in decided(silent, device)) == (0, False)
        assert not any(silent.document["written"].values())


def test_a_record_is_held_once_also_when_a_ci_turns_out_to_be_gone_meanwhile(here: Town) -> None:
    held = switch(here.estate)
    insert(here, name=held.name or "")
    gone = others(here, held)[0]
    assert here.run(*LOAD).code == 3
    item = ci(here, gone)
    assert item is not None
    with here.app.instance.lock:
        here.app.instance.delete("cmdb_ci", item.sys_id)
    here.estate.rename_device(gone.mac, "renamed")
    again = here.run(*LOAD).document
    assert [one["key"] for one in again["held"]] == [key_of(held)]
    assert ci(here, gone) is not None


def test_a_device_is_never_written_to_a_ci_that_is_no_hardware(here: Town) -> None:
    device = switch(here.estate)
    insert(here, name=device.name or "")
    service = insert(here, "cmdb_ci_service", name="ERP")
    before = stored(here, service)
    load = here.run(*LOAD, **bound(device, service))
    assert load.code == 3
    assert "binding.not_hardware" in decided(load, device)
    assert stored(here, service) == before


def test_a_wrong_binding_is_put_right_by_giving_the_native_key_to_the_right_ci(here: Town) -> None:
    device = switch(here.estate)
    wrong, right = insert(here, name="wrong", serial_number="BOX-1"), insert(here, name="right", serial_number="BOX-2")
    assert here.run(*LOAD, **bound(device, wrong)).code == 0
    refused = here.run(*LOAD, **bound(device, right))
    assert "binding.contradicts" in decided(refused, device)
    with here.app.instance.lock, here.app.instance.acting_as("admin"):
        (row,) = here.app.instance.find("sys_object_source", id=key_of(device))
        here.app.instance.update("sys_object_source", row["sys_id"], {"target_sys_id": right})
    assert here.run(*LOAD, **bound(device, right)).code == 0
    item = ci(here, device)
    assert item is not None
    assert (item.sys_id, item.name) == (right, "right")
    assert stored(here, wrong)["name"] == "wrong"


def test_a_match_that_others_have_retired_is_kept_up_to_date_and_told(here: Town) -> None:
    device = switch(here.estate)
    theirs = insert(here, name="old", serial_number=device.mac.upper(), install_status="7", operational_status="6")
    load = here.run(*LOAD)
    assert "identity.retired" in decided(load, device)
    assert stored(here, theirs)["install_status"] == "7"


def test_a_binding_outweighs_the_engine(here: Town) -> None:
    device = switch(here.estate)
    insert(here, name="the engine's choice", serial_number=device.mac.upper())
    theirs = insert(here, name="the operator's", serial_number="BOX-1")
    assert here.run(*LOAD, **bound(device, theirs)).code == 0
    item = ci(here, device)
    assert item is not None
    assert (item.sys_id, item.values["serial_number"], item.name) == (theirs, "BOX-1", "the operator's")


@pytest.mark.parametrize("why", ["missing", "duplicate", "claimed", "doubled", "contradicts"])
def test_a_binding_that_cannot_be_followed_is_held_with_the_reason(here: Town, why: str) -> None:
    device, neighbour = switch(here.estate), others(here, switch(here.estate))[0]
    theirs = insert(here, name="theirs", serial_number=neighbour.mac.upper() if why == "claimed" else "BOX-1")
    bindings = {key_of(device): theirs}
    if why == "missing":
        bindings = {key_of(device): "0" * 32}
    elif why == "duplicate":
        bindings = {key_of(device): insert(here, name="twin", serial_number="BOX-2", duplicate_of=theirs)}
    elif why == "doubled":
        bindings[key_of(neighbour)] = theirs
    elif why == "claimed":
        assert here.run(*LOAD).code == 0
        shutil.rmtree(here.run.home / "state")
    elif why == "contradicts":
        assert here.run(*LOAD).code == 0
    before = ci(here, device)
    load = here.run(*LOAD, SNOWLOAD_BINDINGS=json.dumps(bindings))
    assert load.code == 3
    assert f"binding.{why}" in decided(load, device)
    assert ci(here, device) == before
    clean(here)


def test_a_binding_that_names_nothing_is_a_mistake_of_the_settings(here: Town) -> None:
    ended = here.run("config", "check", "--env", "testing", "--json", **bound("device/nonsense", "short"))
    assert ended.code == 6
    assert "nonsense" in ended.err
    assert here.run(*LOAD, **bound("device/nonsense", "short")).code == 6


def test_two_devices_change_names_and_stay_themselves(here: Town) -> None:
    assert here.run(*LOAD).code == 0
    one = switch(here.estate)
    two = next(d for d in others(here, one) if d.name)
    before = {d.mac: ci(here, d) for d in (one, two)}
    here.estate.rename_device(one.mac, two.name)
    here.estate.rename_device(two.mac, one.name)
    assert here.run(*LOAD).document["written"]["updated"] == 2
    for device, other in ((one, two), (two, one)):
        now, then = ci(here, device), before[device.mac]
        assert now is not None
        assert then is not None
        assert (now.sys_id, now.name, now.values["serial_number"]) == (
            then.sys_id,
            other.name,
            then.values["serial_number"],
        )
    assert not any(here.run(*LOAD).document["written"].values())


def test_a_replacement_under_the_old_name_gets_its_own_ci_and_the_old_one_keeps_its_name(here: Town) -> None:
    assert here.run(*LOAD).code == 0
    old = switch(here.estate)
    before = ci(here, old)
    assert before is not None
    here.estate.remove_device(old.mac)
    new = here.estate.add_device(site=old.site, model=old.model_code, name=old.name)
    assert here.run(*LOAD).document["written"]["created"] == 1
    now = ci(here, new)
    assert now is not None
    assert now.sys_id != before.sys_id
    assert now.name.startswith(old.name or "")
    assert stored(here, before.sys_id)["name"] == old.name
    assert stored(here, before.sys_id)["serial_number"] == old.mac.upper()
    assert not oracle.duplicate_names(here.app.instance)


def _candidates(document: Mapping[str, Any], device: EstateDevice) -> dict[str, tuple[str, str, str]]:
    (held,) = [one for one in document["held"] if one["key"] == key_of(device)]
    return {one["sys_id"]: (one["class"], one["serial_number"], one["discovery_source"]) for one in held["candidates"]}


def _as_told(town: Town, sys_id: str) -> tuple[str, str, str]:
    row = stored(town, sys_id)
    return row["sys_class_name"], row["serial_number"], row["discovery_source"]


@pytest.mark.parametrize("merged", [True, False])
def test_a_record_whose_ci_became_another_records_is_held_with_both_and_found_by_either(
    here: Town, merged: bool
) -> None:
    assert here.run(*LOAD).code == 0
    device, other = switch(here.estate), others(here, switch(here.estate))[0]
    mine, theirs = ci(here, device), ci(here, other)
    assert mine is not None
    assert theirs is not None
    with here.app.instance.lock, here.app.instance.acting_as("admin"):
        if merged:
            merge_ci(here.app.instance, mine.sys_id, theirs.sys_id)
        else:
            here.app.instance.update("cmdb_ci", mine.sys_id, {"duplicate_of": theirs.sys_id})
    load = here.run(*LOAD)
    assert "identity.shared" in decided(load, device)
    there = [sys_id for sys_id in (theirs.sys_id, mine.sys_id) if here.app.instance.get("cmdb_ci", sys_id)]
    assert _candidates(load.document, device) == {sys_id: _as_told(here, sys_id) for sys_id in there}
    shown = here.run("explain", device.mac, "--env", "testing", "--json").document
    assert (shown["match"]["rule"], len(shown["match"]["candidates"])) == ("identity.shared", len(there))


def test_a_binding_that_contradicts_earlier_loads_shows_both_cis_and_either_explains_the_record(here: Town) -> None:
    device, bound_to = switch(here.estate), insert(here, name="right", serial_number="BOX-2")
    assert here.run(*LOAD).code == 0
    mine = ci(here, device)
    assert mine is not None
    load = here.run(*LOAD, **bound(device, bound_to))
    both = {sys_id: _as_told(here, sys_id) for sys_id in (bound_to, mine.sys_id)}
    assert _candidates(load.document, device) == both
    for sys_id in both:
        shown = here.run("explain", sys_id, "--env", "testing", "--json", **bound(device, bound_to))
        assert (shown.code, shown.document["key"]) == (0, key_of(device))
        assert shown.document["match"]["rule"] == "binding.contradicts"
