"""Classes of the CMDB: what an instance lacks, what it gets later, and who may be moved (R6.1, R6.4, L6)."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from beast_dream_snow_loader.sandbox.servicenow import oracle
from beast_dream_snow_loader.sandbox.servicenow.installing import add_field, install, remove_field
from beast_dream_snow_loader.sandbox.servicenow.ire.options import IreOptions, ItemFault
from tests.conftest import Ended
from tests.scenarios.conftest import Town
from tests.scenarios.desk import (
    FORBIDDEN,
    HELD_BACK,
    LOAD,
    REPLAY,
    OpenTown,
    clean,
    could_write,
    edges,
    fault,
    findings,
    key_of,
    one_switch,
    switch,
    value,
)

AP, SWITCH = "cmdb_ci_wap_network", "cmdb_ci_ip_switch"


@pytest.fixture
def estate() -> Estate:
    return Estate.generate(seed=3, sites=1, devices=20)


def classes(town: Town) -> dict[str, int]:
    """How many CIs of ours each class holds."""
    found: dict[str, int] = {}
    for item in oracle.by_native_key(town.app.instance, "UniFi").values():
        found[item.class_name] = found.get(item.class_name, 0) + 1
    return found


def quiet(town: Town) -> Ended:
    """Another load, which must write nothing."""
    before = oracle.everything(town.app.instance)
    ended = town.run(*LOAD)
    assert not any(ended.document["written"].values()), ended.document["plan"]
    assert oracle.everything(town.app.instance) == before
    return ended


def only_class(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["field"] == "sys_class_name"]


def test_a_class_that_appears_later_moves_nothing_unasked_and_is_offered_with_the_command(
    town: OpenTown, estate: Estate
) -> None:
    """cmdb-model 6.2."""
    here = town(estate, without=(AP,))
    first = here.run(*LOAD)
    assert first.code == 0, first.err
    [fallback] = findings(first, "class.fallback")
    assert fallback["value"] == "cmdb_ci_netgear"
    assert AP not in classes(here)
    install(here.app.instance, only=(AP,))
    second = here.run(*LOAD)
    [offered] = findings(second, "class.upgrade_available")
    assert "snowload load --allow-upgrade" in offered["message"]
    assert AP not in classes(here)


def test_an_upgrade_that_was_asked_for_is_planned_made_and_then_over(town: OpenTown, estate: Estate) -> None:
    here = town(estate, without=(AP,))
    assert here.run(*LOAD).code == 0
    before = classes(here)
    install(here.app.instance, only=(AP,))
    planned = here.run(*LOAD, "--dry-run", "--allow-upgrade")
    rows = only_class(planned.document["changes"])
    assert {(row["old"], row["new"], row["class"]) for row in rows} == {("cmdb_ci_netgear", AP, AP)}
    assert here.run(*LOAD, "--allow-upgrade").code == 0
    after = classes(here)
    assert after[AP] == len(rows)
    assert sum(after.values()) == sum(before.values())
    clean(here)
    assert not findings(quiet(here), "class.upgrade_available")


def test_an_upgrade_the_instance_does_not_allow_is_reported_and_costs_the_record_nothing(
    town: OpenTown, estate: Estate
) -> None:
    here = town(estate, without=(AP,))
    assert here.run(*LOAD).code == 0
    install(here.app.instance, only=(AP,))
    here.app.instance.set_property("glide.identification_engine.update_without_upgrade_enabled", "true")
    asked = here.run(*LOAD, "--allow-upgrade")
    assert asked.code == 0, asked.document["failed"]
    assert findings(asked, "class.upgrade_refused")
    assert AP not in classes(here)
    clean(here)


ENGINE = "/api/now/identifyreconcile/*"


def without_engine(town: Town, status: int = 403, body: str = FORBIDDEN) -> None:
    town.sandbox.servicenow.faults.add(Fault(effect=Effect.STATUS, status=status, path=ENGINE, body=body))


def base_rows(town: Town) -> list[dict[str, str]]:
    instance = town.app.instance
    return [dict(row) for row in instance.rows("cmdb_ci") if row["sys_class_name"] == "cmdb_ci"]


def edge_rows(town: Town) -> set[tuple[str, str]]:
    """By sys_id: what goes to another class keeps its own."""
    return {(row["parent"], row["child"]) for row in town.app.instance.rows("cmdb_rel_ci")}


def counted(town: Town) -> list[str]:
    """Requests since the log was cleared, as ``METHOD path``."""
    return [f"{line.method} {line.path}" for line in town.sandbox.log.lines("servicenow")]


@pytest.mark.parametrize(
    ("status", "body"),
    [(403, FORBIDDEN), (404, '{"error":{"message":"Requested URI does not represent any resource"}}')],
)
def test_an_account_without_the_engine_writes_to_the_base_class_once_and_moves_up_when_it_opens(
    town: OpenTown, estate: Estate, status: int, body: str
) -> None:
    here = town(estate)
    without_engine(here, status, body)
    first = here.run(*LOAD)
    assert first.code == 0, (first.err, first.document["failed"])
    rows = base_rows(here)
    assert len(rows) == first.document["written"]["created"] == first.document["reduced"] == 20
    assert len({row["correlation_id"] for row in rows}) == len(rows)
    assert len(edges(here)) == first.document["written"]["linked"] > 0
    [why] = findings(first, "engine.unavailable")
    assert "itil" in why["message"]
    assert findings(first, "class.base")
    health = here.run("health", "--env", "testing", "--json")
    assert next(check for check in health.document["checks"] if check["name"] == "classes")["status"] == "degraded"
    before = oracle.everything(here.app.instance)
    second = here.run(*LOAD)
    assert second.code == 0
    assert not any(second.document["written"].values())
    assert oracle.everything(here.app.instance) == before
    here.sandbox.servicenow.faults.clear()
    third = here.run(*LOAD)
    assert third.code == 0, third.document["failed"]
    assert (third.document["written"]["updated"], third.document["reduced"]) == (20, 0)
    assert base_rows(here) == []
    there = oracle.by_native_key(here.app.instance, "UniFi")
    assert {item.sys_id for item in there.values()} == {row["sys_id"] for row in rows}
    clean(here)
    quiet(here)


def test_records_for_which_the_instance_has_no_class_go_to_the_base_class_with_edges_to_the_others(
    town: OpenTown, estate: Estate
) -> None:
    """A custom instance: network gear has a rule of its own, the Hardware Rule is switched off."""
    here = town(Estate.demo())
    here.app.backend.set_options(
        ire=IreOptions(without_rules=frozenset({"cmdb_ci_hardware"}), own_rules=frozenset({"cmdb_ci_netgear"}))
    )
    first = here.run(*LOAD)
    assert first.code in (0, 3), first.err
    assert 0 < first.document["reduced"] < first.document["written"]["created"]
    rows = {row["sys_id"] for row in base_rows(here)}
    assert len(rows) == first.document["reduced"]
    drawn = edge_rows(here)
    assert any(rows & {parent, child} for parent, child in drawn)
    quiet(here)
    here.app.backend.set_options(ire=IreOptions())
    moved = here.run(*LOAD)
    assert moved.document["reduced"] == 0, moved.document["failed"]
    assert base_rows(here) == []
    assert edge_rows(here) == drawn
    clean(here)
    quiet(here)


def test_no_record_goes_beside_a_ci_with_its_serial_number_though_hardware_cannot_be_read(
    town: OpenTown, estate: Estate
) -> None:
    here = town(estate)
    without_engine(here)
    taken = switch(estate)
    with here.app.instance.lock, here.app.instance.acting_as("admin"):
        here.app.instance.insert("cmdb_ci_ip_switch", {"name": "theirs", "serial_number": taken.mac.upper()})
    closed = Fault(effect=Effect.STATUS, status=403, path="/api/now/table/cmdb_ci_hardware", body=FORBIDDEN)
    here.sandbox.servicenow.faults.add(closed)
    load = here.run(*LOAD)
    assert [held["rule"] for held in load.document["held"]] == ["base.exists"]
    assert len(base_rows(here)) == 19


def test_without_the_fallback_such_records_are_held_and_taken_up_when_a_class_can_be_had(
    town: OpenTown, estate: Estate
) -> None:
    here = town(estate)
    without_engine(here)
    off = {"SNOWLOAD_SERVICENOW__BASE_CLASS_FALLBACK": "false"}
    held = here.run(*LOAD, **off)
    assert held.code == 3
    assert {record["rule"] for record in held.document["held"]} == {"class.none"}
    assert len(held.document["held"]) == 20
    assert base_rows(here) == []
    here.sandbox.servicenow.faults.clear()
    assert here.run(*LOAD, **off).document["written"]["created"] == 20


def test_a_lost_answer_to_an_insert_by_the_table_api_makes_no_second_ci(town: OpenTown, estate: Estate) -> None:
    here = town(estate)
    without_engine(here)
    lost = Fault(effect=Effect.RESET_AFTER, path="/api/now/table/cmdb_ci", method="POST", first=1)
    here.sandbox.servicenow.faults.add(lost)
    first = here.run(*LOAD)
    assert first.code == 0, (first.err, first.document["failed"])
    assert len(base_rows(here)) == 20
    quiet(here)


def test_a_first_load_in_read_only_mode_queues_its_plan_though_the_engine_is_closed_to_the_account(
    town: OpenTown, estate: Estate
) -> None:
    """Whether writes may use it cannot be asked then, as in a dry run (R6.5)."""
    here = town(estate)
    without_engine(here)
    wanted = here.run(*LOAD, "--dry-run").document["plan"]
    for _ in range(2):
        held = here.run(*LOAD, **HELD_BACK)
        assert (held.code, held.document["plan"], could_write(here)) == (8, wanted, []), held.err
    assert held.document["queued"] == wanted["create"] + wanted["link"]
    sent = here.run(*REPLAY)
    assert (sent.code, sent.document["left"], len(base_rows(here))) == (0, 0, 20), sent.err
    quiet(here)


@pytest.mark.parametrize("age", ["24", "0.00001"])
def test_read_only_mode_looks_at_the_cmdb_though_the_engine_is_closed_to_the_account(
    town: OpenTown, estate: Estate, age: str
) -> None:
    """However old what is remembered of the instance is: it answers, and is not taken to be away (R6.5)."""
    here = town(estate)
    without_engine(here)
    assert here.run(*LOAD).code == 0
    with here.app.instance.lock:
        here.app.instance.delete("cmdb_ci", base_rows(here)[0]["sys_id"])
    held = here.run(*LOAD, SNOWLOAD_SERVICENOW__FACTS_MAX_AGE_HOURS=age, **HELD_BACK)
    assert (held.code, held.document["plan"]["create"]) == (8, 1), held.err


def test_a_double_in_the_base_class_is_reported_with_both(town: OpenTown, estate: Estate) -> None:
    here = town(estate)
    without_engine(here)
    assert here.run(*LOAD).code == 0
    row = base_rows(here)[0]
    with here.app.instance.lock:
        here.app.instance.insert("cmdb_ci", {"name": "twin", "correlation_id": row["correlation_id"]})
    ended = quiet(here)
    [double] = findings(ended, "base.duplicate")
    assert (ended.code, double["record"]) == (3, row["correlation_id"])


def test_two_states_that_write_one_target_without_the_engine_are_told_of_what_they_doubled(
    town: OpenTown, estate: Estate, tmp_path: Path
) -> None:
    """Each has its own lock: the second does not know of the first."""
    here = town(estate)
    without_engine(here)
    slow = Fault(effect=Effect.LATENCY, seconds=0.1, method="POST", path="/api/now/table/cmdb_ci")
    here.sandbox.servicenow.faults.add(slow)
    elsewhere = {**here.run.environment(), "SNOWLOAD_STATE_DIR": str(tmp_path / "another")}
    command = [sys.executable, "-m", "beast_dream_snow_loader", *LOAD]
    with subprocess.Popen(command, env=elsewhere, stdout=subprocess.PIPE) as other:
        while not base_rows(here):
            assert other.poll() is None
            time.sleep(0.02)
        mine = here.run(*LOAD)
        theirs = json.loads(other.communicate()[0])
    doubled = len(base_rows(here)) - len({row["correlation_id"] for row in base_rows(here)})
    assert doubled > 0
    told = [(mine.document["verify"]["duplicates"], mine.code), (theirs["verify"]["duplicates"], theirs["exit_code"])]
    assert max(told) == (doubled, 3)


def test_an_engine_that_shuts_within_the_day_is_noticed_by_the_write_and_remembered(
    town: OpenTown, estate: Estate
) -> None:
    here = town(estate)
    assert here.run(*LOAD).code == 0
    without_engine(here)
    place = estate.devices(estate.consoles()[0].host_id)[0].site
    late_ap = estate.add_device(site=place, model="U7PRO", name="late-ap")
    late = here.run(*LOAD)
    assert late.code == 0, late.document["failed"]
    assert (late.document["written"]["created"], late.document["reduced"]) == (1, 1)
    assert findings(late, "engine.unavailable")
    quiet(here)
    here.sandbox.servicenow.faults.clear()
    assert here.run(*LOAD).document["reduced"] == 0
    assert base_rows(here) == []
    assert value(here, key_of(late_ap), "firmware_version") == late_ap.short_version
    clean(here)


def test_where_the_engine_will_not_take_over_a_base_ci_it_stays_and_is_not_doubled(
    town: OpenTown, estate: Estate
) -> None:
    """The stricter reading of an undocumented point: a sys_id above the identification rule is not found."""
    here = town(estate)
    without_engine(here)
    assert here.run(*LOAD).code == 0
    here.sandbox.servicenow.faults.clear()
    here.app.backend.set_options(ire=IreOptions(higher_sys_ids=False))
    third = here.run(*LOAD)
    assert third.code == 3
    assert {failure["code"] for failure in third.document["failed"]} == {"class.move_up_refused"}
    assert len(base_rows(here)) == third.document["reduced"] == 20
    assert oracle.by_native_key(here.app.instance, "UniFi") == {}


def test_a_base_ci_that_matches_another_ci_meanwhile_is_held_not_doubled(town: OpenTown, estate: Estate) -> None:
    here = town(estate)
    without_engine(here)
    assert here.run(*LOAD).code == 0
    row = base_rows(here)[0]
    with here.app.instance.lock:
        values = {"name": "discovered", "serial_number": row["serial_number"], "discovery_source": "ServiceNow"}
        here.app.instance.insert("cmdb_ci_ip_switch", values)
    here.sandbox.servicenow.faults.clear()
    third = here.run(*LOAD)
    [held] = third.document["held"]
    assert (held["key"], held["rule"]) == (row["correlation_id"], "base.double")
    assert third.document["reduced"] == 1


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("INSERT_NOT_ALLOWED_FOR_SOURCE", "data source rule"),
        ("MISSING_MATCHING_ATTRIBUTES", "identification rule"),
        ("REQUIRED_ATTRIBUTE_EMPTY", "extra_fields"),
        ("RECLASSIFICATION_NOT_ALLOWED", "by hand"),
    ],
)
def test_an_answer_that_stands_is_told_of_its_record_alone_with_the_next_step(
    town: OpenTown, estate: Estate, code: str, says: str
) -> None:
    """cmdb-model 2.9."""
    here = town(estate)
    here.app.backend.set_options(ire=fault(code, native_key=one_switch(estate), times=None))
    first = here.run(*LOAD)
    assert first.code == 3
    [failure] = [one for one in first.document["failed"] if one["change"] == "create"]
    assert (failure["key"], failure["code"]) == (one_switch(estate), code)
    assert says in failure["message"]
    assert first.document["written"]["created"] == 19
    here.app.backend.set_options(ire=IreOptions())
    assert here.run(*LOAD).code == 0
    clean(here)


def test_a_lock_costs_a_second_try_and_no_record(town: OpenTown, estate: Estate) -> None:
    here = town(estate)
    here.app.backend.set_options(ire=fault("LOCK_TIMEOUT", native_key=one_switch(estate), times=1))
    first = here.run(*LOAD)
    assert (first.code, first.document["written"]["created"]) == (0, 20), first.document["failed"]
    clean(here)


def test_records_the_engine_takes_for_one_are_split_and_both_named(town: OpenTown, estate: Estate) -> None:
    here = town(estate)
    here.app.backend.set_options(
        ire=IreOptions(
            item_faults=tuple(
                ItemFault(code="DUPLICATE_PAYLOAD_RECORDS", message="index 0 and 1", native_key=glob, times=1)
                for glob in twin_keys(estate)
            )
        )
    )
    first = here.run(*LOAD)
    [failure] = [one for one in first.document["failed"] if one["change"] == "create"]
    assert all(key in failure["message"] for key in twin_keys(estate))
    assert first.document["written"]["created"] == 19
    assert here.run(*LOAD).code == 0
    clean(here)


def twin_keys(estate: Estate) -> list[str]:
    devices = [d for d in estate.devices(estate.consoles()[0].host_id) if d.adopted]
    return [key_of(device) for device in devices[-2:]]


def test_a_relation_type_that_is_gone_costs_its_edges_and_nothing_else_and_heals(
    town: OpenTown, estate: Estate
) -> None:
    here = town(estate)
    instance = here.app.instance
    kept = [dict(row) for row in instance.rows("cmdb_rel_type") if row["name"] in UPLINK_TYPES]
    for row in kept:
        instance.delete("cmdb_rel_type", row["sys_id"])
    first = here.run(*LOAD)
    assert (first.code, first.document["written"]["created"]) == (0, 20)
    [absent] = findings(first, "relation.type_absent")
    assert "cmdb_rel_type" in absent["message"]
    for row in kept:
        instance.insert("cmdb_rel_type", row)
    assert here.run(*LOAD).document["written"]["linked"] > 0
    clean(here)


UPLINK_TYPES = ("Connects to::Connected by", "IP Connection::IP Connection")


def test_a_relation_type_that_goes_within_the_day_is_refused_told_once_and_looked_up_anew(
    town: OpenTown, estate: Estate
) -> None:
    here = town(estate)
    assert here.run(*LOAD).code == 0
    [row] = here.app.instance.find("cmdb_rel_type", name=UPLINK_TYPES[0])
    here.app.instance.delete("cmdb_rel_type", row["sys_id"])
    site = estate.devices(estate.consoles()[0].host_id)[0].site
    estate.add_device(site=site, model="U7PRO", name="late-ap")
    late = here.run(*LOAD)
    assert len(findings(late, "relation.type_refused")) == 1, late.document["failed"]
    assert late.document["written"]["created"] == 1
    third = here.run(*LOAD)
    assert third.document["written"]["linked"] == 1, third.document["failed"]


def test_a_field_and_a_status_label_that_appear_are_filled_by_the_next_load(town: OpenTown, estate: Estate) -> None:
    here = town(estate)
    instance = here.app.instance
    remove_field(instance, "cmdb_ci_netgear", "firmware_version")
    first = here.run(*LOAD)
    assert first.code == 0
    assert any(finding["field"] == "firmware_version" for finding in findings(first, "field.absent"))
    quiet(here)
    add_field(instance, "cmdb_ci_netgear", "firmware_version string:255")
    assert here.run(*LOAD).document["written"]["updated"] > 0
    assert any(row["firmware_version"] for row in instance.rows("cmdb_ci_netgear"))


def test_a_row_that_appears_is_referred_to_by_the_next_load(town: OpenTown, estate: Estate) -> None:
    here = town(estate)
    assert findings(here.run(*LOAD), "reference.unresolved")
    here.app.instance.insert("core_company", {"name": "Ubiquiti Inc.", "manufacturer": "true"})
    assert here.run(*LOAD).document["written"]["updated"] == 20
    assert all(row["manufacturer"] for row in here.app.instance.rows("cmdb_ci_hardware"))


def test_asking_for_the_gaps_again_costs_one_request_for_all_classes_and_two_for_rows(
    town: OpenTown, estate: Estate
) -> None:
    """The price of healing, exactly: all missing classes in one request, two for the reference rows, and one for the
    share of our CIs that every run looks at."""
    here = town(Estate.demo())
    assert here.run(*LOAD).code in (0, 3)
    here.sandbox.log.clear()
    quiet(here)
    paths = [line.path for line in here.sandbox.log.lines("servicenow")]
    assert not [path for path in paths if "/meta/" in path or "rel_type" in path or "sys_choice" in path]
    assert paths.count("/api/now/v1/batch") == 4
