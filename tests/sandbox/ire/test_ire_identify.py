"""How an item finds its CI (servicenow-api 5.3)."""

from __future__ import annotations

from typing import Any

import pytest

SOURCE_MISS = ("source", "NO_MATCH")


def test_a_new_device_is_inserted_after_every_entry_missed(ire: Any, attempts: Any) -> None:
    told = ire.one(ire.device(1))

    assert told["operation"] == "INSERT"
    assert told["identifierEntrySysId"] == "Unknown"
    assert attempts(told) == [
        SOURCE_MISS,
        ("serial_number,serial_number_type", "SKIPPED"),
        ("serial_number", "NO_MATCH"),
        ("name", "NO_MATCH"),
        ("mac_address,name", "SKIPPED"),
    ]
    assert ire.instance.get("cmdb_ci_ip_switch", told["sysId"])["name"] == "SW-1"


def test_the_native_key_is_tried_first_and_survives_a_new_name_and_serial(ire: Any, attempts: Any) -> None:
    first = ire.one(ire.device(1))
    told = ire.one(ire.device(1, name="Renamed", serial_number="OTHER"))

    assert (told["operation"], told["sysId"]) == ("UPDATE", first["sysId"])
    assert attempts(told) == [("source", "MATCHED")]
    assert told["identifierEntrySysId"] == "Unknown"


def test_native_key_matching_can_be_switched_off(ire: Any, attempts: Any) -> None:
    first = ire.one(ire.device(1))
    ire.snow.properties(glide__identification_engine__skip_sys_object_source_matching="true")
    told = ire.one(ire.device(1, name="Renamed"))

    assert told["sysId"] == first["sysId"]
    assert attempts(told)[0] == ("source", "SKIPPED")
    assert told["identifierEntrySysId"] == "fb27f69cc3000200d8d4bea192d3ae67"


def test_a_native_key_whose_ci_is_gone_does_not_match(ire: Any) -> None:
    first = ire.one(ire.device(1))
    ire.instance.delete("cmdb_ci", first["sysId"])
    told = ire.one(ire.device(1))

    assert told["operation"] == "INSERT"
    assert ire.row("sys_object_source", id="device/1")["target_sys_id"] == told["sysId"]


@pytest.mark.parametrize(
    ("values", "entry"),
    [
        ({"serial_number": "SN-7"}, "fb27f69cc3000200d8d4bea192d3ae67"),
        ({"serial_number": "sn-7"}, "fb27f69cc3000200d8d4bea192d3ae67"),
        ({"name": "Core"}, "556eb250c3400200d8d4bea192d3ae92"),
    ],
)
def test_a_match_names_the_entry_that_hit(ire: Any, values: dict[str, str], entry: str) -> None:
    ire.instance.insert("cmdb_ci_ip_switch", {"name": "Core", "serial_number": "SN-7"})
    assert ire.one(ire.bare("cmdb_ci_ip_switch", **values))["identifierEntrySysId"] == entry


def test_two_devices_of_one_name_become_one_ci_across_the_whole_hardware_branch(ire: Any, attempts: Any) -> None:
    """The name trap: entry 200 misses, entry 300 hits a foreign CI of another class."""
    foreign = ire.instance.insert("cmdb_ci_printer", {"name": "U6-Lite", "serial_number": "PRINTER-1"})
    told = ire.one(ire.device(1, "cmdb_ci_wap_network", name="u6-lite"))

    assert told["sysId"] == foreign["sys_id"]
    assert told["operation"] == "UPDATE_WITH_SWITCH"
    assert attempts(told)[-2:] == [("serial_number", "NO_MATCH"), ("name", "MATCHED")]
    assert ire.instance.get("cmdb_ci", foreign["sys_id"])["serial_number"] == ire.device(1)["values"]["serial_number"]


def test_a_mac_address_on_the_device_identifies_nothing(ire: Any) -> None:
    ire.instance.insert("cmdb_ci_ip_switch", {"name": "Theirs", "mac_address": "f4:e2:c6:00:00:01"})
    assert ire.one(ire.device(1, mac_address="f4:e2:c6:00:00:01"))["operation"] == "INSERT"


def test_a_serial_lookup_matches_before_the_serial_of_the_ci_is_looked_at(ire: Any, attempts: Any) -> None:
    theirs = ire.instance.insert("cmdb_ci_ip_switch", {"name": "Theirs"})
    ire.instance.insert(
        "cmdb_serial_number",
        {"serial_number": "SN-7", "serial_number_type": "system", "cmdb_ci": theirs["sys_id"]},
    )
    told = ire.one({**ire.device(1), "lookup": [ire.serial("SN-7")]})

    assert told["sysId"] == theirs["sys_id"]
    assert attempts(told)[-1] == ("serial_number,serial_number_type", "MATCHED")
    assert told["identifierEntrySysId"] == "c12f9be8c3400200d8d4bea192d3aea6"


@pytest.mark.parametrize("theirs", [("SN-7",), ("SN-7", "SN-8", "SN-9")])
def test_the_number_of_serials_must_agree_exactly(ire: Any, attempts: Any, theirs: tuple[str, ...]) -> None:
    ci = ire.instance.insert("cmdb_ci_ip_switch", {"name": "Theirs"})
    for number in theirs:
        row = {"serial_number": number, "serial_number_type": "system", "cmdb_ci": ci["sys_id"]}
        ire.instance.insert("cmdb_serial_number", row)
    told = ire.one({**ire.device(1), "lookup": [ire.serial("SN-7"), ire.serial("SN-8")]})

    assert told["operation"] == "INSERT"
    assert attempts(told)[1] == ("serial_number,serial_number_type", "NO_MATCH")


@pytest.mark.parametrize("flags", [{"valid": "false"}, {"absent": "true"}])
def test_serial_rows_that_do_not_stand_are_not_searched(ire: Any, flags: dict[str, str]) -> None:
    ci = ire.instance.insert("cmdb_ci_ip_switch", {"name": "Theirs"})
    row = {"serial_number": "SN-7", "serial_number_type": "system", "cmdb_ci": ci["sys_id"], **flags}
    ire.instance.insert("cmdb_serial_number", row)
    assert ire.one({**ire.device(1), "lookup": [ire.serial("SN-7")]})["operation"] == "INSERT"


def test_a_serial_lookup_that_does_not_stand_is_skipped(ire: Any, attempts: Any) -> None:
    told = ire.one({**ire.device(1), "lookup": [ire.serial("SN-7", valid="false")]})
    assert attempts(told)[1] == ("serial_number,serial_number_type", "SKIPPED")


def _device_with_adapter(ire: Any, **values: str) -> str:
    ci = ire.instance.insert("cmdb_ci_ip_switch", {"name": "Theirs"})
    told = {"name": "eth0", "mac_address": "f4:e2:c6:00:00:01", "ip_address": "10.0.0.1", **values}
    ire.instance.insert("cmdb_ci_network_adapter", {**told, "cmdb_ci": ci["sys_id"]})
    return str(ci["sys_id"])


def test_adapters_identify_by_mac_and_name(ire: Any, attempts: Any) -> None:
    theirs = _device_with_adapter(ire)
    told = ire.one({**ire.device(1), "lookup": [ire.adapter("f4:e2:c6:00:00:01", "eth0")]})

    assert told["sysId"] == theirs
    assert attempts(told)[-1] == ("mac_address,name", "MATCHED")


def test_an_older_instance_compares_ip_and_mac_of_adapters(ire: Any, attempts: Any) -> None:
    theirs = _device_with_adapter(ire)
    ire.option(adapter_attributes=["ip_address", "mac_address"])
    told = ire.one({**ire.device(1), "lookup": [ire.adapter("f4:e2:c6:00:00:01", "x", ip_address="10.0.0.1")]})

    assert told["sysId"] == theirs
    assert attempts(told)[-1] == ("ip_address,mac_address", "MATCHED")


def test_an_absent_adapter_is_not_searched(ire: Any) -> None:
    _device_with_adapter(ire, install_status="100")
    told = ire.one({**ire.device(1), "lookup": [ire.adapter("f4:e2:c6:00:00:01", "eth0")]})
    assert told["operation"] == "INSERT"


def test_of_several_hits_the_oldest_is_taken_and_the_others_become_its_duplicates(ire: Any, attempts: Any) -> None:
    rows = []
    for _ in range(3):
        rows.append(ire.instance.insert("cmdb_ci_ip_switch", {"name": "Twin"}))
        ire.snow.clock.advance(1)
    told = ire.one(ire.device(1, name="TWIN"))

    assert told["sysId"] == rows[0]["sys_id"]
    assert attempts(told)[-1] == ("name", "MULTI_MATCH")
    after = [ire.instance.get("cmdb_ci", row["sys_id"])["duplicate_of"] for row in rows]
    assert after == ["", rows[0]["sys_id"], rows[0]["sys_id"]]


def test_a_ci_known_as_duplicate_never_matches(ire: Any) -> None:
    first = ire.instance.insert("cmdb_ci_ip_switch", {"name": "Other"})
    ire.instance.insert("cmdb_ci_ip_switch", {"name": "SW-1", "duplicate_of": first["sys_id"]})
    assert ire.one(ire.device(1))["operation"] == "INSERT"


@pytest.mark.parametrize(("hits", "property_value"), [(6, "true"), (2, "false")])
def test_too_many_hits_are_refused(ire: Any, codes: Any, hits: int, property_value: str) -> None:
    ire.snow.properties(glide__identification_engine__skip_duplicates=property_value)
    for _ in range(hits):
        ire.instance.insert("cmdb_ci_ip_switch", {"name": "Twin"})
    told = ire.one(ire.device(1, name="Twin"))

    assert codes(told) == ["MULTIPLE_DUPLICATE_RECORDS"]
    assert "[cmdb_ci_hardware] using fields [name]" in told["errors"][0]["message"]


def test_a_native_key_alone_finds_a_ci_but_does_not_make_one(ire: Any, codes: Any) -> None:
    alone = ire.device(1, name=None, serial_number=None, short_description="x")
    told = ire.one(alone)
    assert codes(told) == ["MISSING_MATCHING_ATTRIBUTES"]
    assert "for table [cmdb_ci_hardware]" in told["errors"][0]["message"]
    assert ire.count("cmdb_ci") == 0

    first = ire.one(ire.device(1))
    assert ire.one(alone)["sysId"] == first["sysId"]


@pytest.mark.parametrize("class_name", ["cmdb_ci", "cmdb_ci_ip_phone", "cmdb_ci_camera_on_the_moon"])
def test_a_class_without_a_rule_is_refused(ire: Any, codes: Any, class_name: str) -> None:
    told = ire.one(ire.device(1, class_name))
    assert codes(told) == ["IDENTIFICATION_RULE_MISSING"]
    assert told["errors"][0]["message"] == f"Identity Rule Missing for table [{class_name}]"


def test_a_rule_that_is_switched_off_is_missing(ire: Any, codes: Any) -> None:
    ire.option(without_rules=["cmdb_ci_hardware"])
    assert codes(ire.one(ire.device(1))) == ["IDENTIFICATION_RULE_MISSING"]


def test_a_sys_id_addresses_the_ci_directly(ire: Any) -> None:
    theirs = ire.instance.insert("cmdb_ci_ip_switch", {"name": "Theirs"})
    told = ire.one(ire.device(1, name="New", sys_id=theirs["sys_id"]))

    assert (told["operation"], told["sysId"]) == ("UPDATE", theirs["sys_id"])
    assert told["identificationAttempts"] == []


def test_a_wrong_sys_id_and_that_of_a_duplicate_are_refused(ire: Any, codes: Any) -> None:
    first = ire.instance.insert("cmdb_ci_ip_switch", {"name": "A"})
    twin = ire.instance.insert("cmdb_ci_ip_switch", {"name": "B", "duplicate_of": first["sys_id"]})
    for sys_id in ("f" * 32, "nonsense", twin["sys_id"]):
        told = ire.one(ire.device(1, sys_id=sys_id))
        assert codes(told) == ["INVALID_INPUT_DATA"]
        assert f"No record with sys_id [{sys_id}]" in told["errors"][0]["message"]


@pytest.mark.parametrize("kind", ["lookup", "related"])
def test_a_companion_the_rule_does_not_know_is_refused(ire: Any, codes: Any, kind: str) -> None:
    stranger = {"className": "cmdb_ci_ip_network", "values": {"name": "x"}}
    expected = {"lookup": "IDENTIFICATION_RULE_FOR_LOOKUP_MISSING"}
    told = ire.one({**ire.device(1), kind: [stranger]})
    assert codes(told) == [expected.get(kind, "IDENTIFICATION_RULE_FOR_RELATED_ITEM_MISSING")]


def test_an_item_that_is_no_object_or_names_no_class_is_abandoned(ire: Any, codes: Any) -> None:
    told = ire.send(["text", {"values": {"name": "x"}}, ire.device(3)])["items"]
    assert [codes(one) for one in told] == [["ABANDONED"], ["ABANDONED"], []]


def test_a_changed_hardware_rule_is_told_by_meta_and_gone_by(ire: Any, attempts: Any) -> None:
    ire.send([ire.device(1, install_status="1")])
    ire.option(inactive_entries=[200], extra_entries={"50": ["name"]}, inclusion_rule="install_status=1")
    twin = {**ire.device(2, name="SW-1"), "lookup": []}
    told = ire.one(twin, endpoint="/queryEnhanced")
    assert attempts(told) == [("source", "NO_MATCH"), ("name", "MATCHED")]
    rule = ire.snow.get("/api/now/cmdb/meta/cmdb_ci_hardware").json()["result"]["identification_rules"]
    assert {entry["order"]: entry["active"] for entry in rule["identifiers"]}[200] is False
    assert rule["inclusion_rules"] == [{"condition": "install_status=1"}]
    ire.option(extra_entries={"50": ["name"]}, inclusion_rule="install_status=7")
    assert ire.one(twin, endpoint="/queryEnhanced")["operation"] == "INSERT"
