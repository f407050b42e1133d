"""What an accepted item leaves in the tables (servicenow-api 5.3, steps 9 to 11; cmdb-model 2.6 to 2.8)."""

from __future__ import annotations

from typing import Any

import pytest

from beast_dream_snow_loader.sandbox.servicenow import oracle


def test_an_insert_leaves_the_ci_its_source_and_its_companions(ire: Any) -> None:
    device = ire.device(1, "cmdb_ci_wap_network", firmware_version="6.6.1")
    device["sys_object_source_info"] |= {"source_feed": "devices", "source_recency_timestamp": "2026-11-01 00:00:00"}
    mac = "f4:e2:c6:00:00:01"
    told = ire.one({**device, "lookup": [ire.serial("SN-1"), ire.adapter(mac)]})

    ci = ire.instance.get("cmdb_ci_wap_network", told["sysId"])
    assert ci["firmware_version"] == "6.6.1"
    assert (ci["discovery_source"], ci["first_discovered"]) == ("UniFi", "2026-11-22 04:31:23")
    assert ci["last_discovered"] == "2026-11-22 04:31:23"
    source = ire.row("sys_object_source", id="device/1")
    assert source == {
        **source,
        "name": "UniFi",
        "target_table": "cmdb_ci_wap_network",
        "target_sys_id": told["sysId"],
        "source_feed": "devices",
        "last_scan": "2026-11-01 00:00:00",
    }
    assert ire.row("cmdb_serial_number", serial_number="SN-1")["cmdb_ci"] == told["sysId"]
    assert ire.row("cmdb_ci_network_adapter", mac_address=mac)["cmdb_ci"] == told["sysId"]
    assert told["relatedSysIds"] == [sub["sysId"] for sub in told["relatedItems"]]
    assert oracle.orphans(ire.instance) == []


def test_the_same_payload_twice_changes_nothing_and_makes_no_second_row(ire: Any) -> None:
    items = [{**ire.device(n), "lookup": [ire.serial(f"SN-{n}"), ire.adapter(f"f4:00:00:00:00:0{n}")]} for n in (1, 2)]
    relations = [{"parent": 0, "child": 1, "type": "Connects to::Connected by"}]
    first = ire.send(items, relations)
    before = oracle.everything(ire.instance)
    again = ire.send(items, relations)

    assert {one["operation"] for one in again["items"] + again["relations"]} == {"NO_CHANGE"}
    assert [one["sysId"] for one in again["items"]] == [one["sysId"] for one in first["items"]]
    assert again["relations"][0]["sysId"] == first["relations"][0]["sysId"]
    assert [one["relatedSysIds"] for one in again["items"]] == [one["relatedSysIds"] for one in first["items"]]
    assert oracle.everything(ire.instance) == before


def test_the_first_resend_may_say_update_although_nothing_changed(ire: Any) -> None:
    ire.option(resend_says_update=True)
    first = ire.one(ire.device(1))
    ire.snow.clock.advance(1)
    told = [ire.one(ire.device(1)) for _ in range(2)]
    assert [one["operation"] for one in told] == ["UPDATE", "NO_CHANGE"]
    assert {one["sysId"] for one in told} == {first["sysId"]}


def test_last_discovered_and_source_are_written_on_every_pass(ire: Any) -> None:
    ci = ire.instance.insert("cmdb_ci_ip_switch", {"name": "SW-1", "discovery_source": "ServiceNow"})
    told = ire.one(ire.device(1, serial_number=None))
    assert told["operation"] == "NO_CHANGE"
    after = ire.instance.get("cmdb_ci", ci["sys_id"])
    assert (after["discovery_source"], after["last_discovered"]) == ("UniFi", "2026-11-22 04:31:23")

    ire.snow.clock.advance(3600)
    assert ire.one(ire.device(1, serial_number=None))["operation"] == "NO_CHANGE"
    assert ire.instance.get("cmdb_ci", ci["sys_id"])["last_discovered"] == "2026-11-22 05:31:23"


def test_a_last_discovered_in_the_payload_makes_an_update_and_an_older_one_is_ignored(ire: Any) -> None:
    first = ire.one(ire.device(1, last_discovered="2026-11-10 00:00:00"))
    newer = ire.one(ire.device(1, last_discovered="2026-11-11 00:00:00"))
    older = ire.one(ire.device(1, last_discovered="2026-11-09 00:00:00"))

    assert (newer["operation"], older["operation"]) == ("UPDATE", "NO_CHANGE")
    assert ire.instance.get("cmdb_ci", first["sysId"])["last_discovered"] == "2026-11-11 00:00:00"


def test_an_item_older_than_what_its_source_told_already_is_ignored_quietly(ire: Any) -> None:
    device = ire.device(1)
    device["sys_object_source_info"]["source_recency_timestamp"] = "2026-11-10 00:00:00"
    first = ire.one(device)
    stale = ire.device(1, name="Old name")
    stale["sys_object_source_info"]["source_recency_timestamp"] = "2026-11-09 00:00:00"
    before = oracle.everything(ire.instance)
    told = ire.one(stale)

    assert (told["operation"], told["sysId"], told["errors"]) == ("NO_CHANGE", first["sysId"], [])
    assert oracle.everything(ire.instance) == before


def test_options_keep_the_times_of_the_source(ire: Any) -> None:
    first = ire.one(ire.device(1))
    before = ire.row("sys_object_source", id="device/1"), ire.instance.get("cmdb_ci", first["sysId"])
    ire.snow.clock.advance(60)
    options = "skip_updating_last_scan_to_now:true,skip_updating_source_last_discovered_to_now:true"
    assert ire.one(ire.device(1), options=options)["operation"] == "NO_CHANGE"
    assert (ire.row("sys_object_source", id="device/1"), ire.instance.get("cmdb_ci", first["sysId"])) == before


def test_what_the_columns_do_not_take_is_dropped_or_cut_in_silence(ire: Any) -> None:
    told = ire.one(
        ire.device(
            1,
            no_such_field="x",
            install_status="55",
            short_description="s" * 1200,
            location="Headquarters",
            manufacturer="e" * 32,
            ports=24,
            can_switch=True,
            sys_created_by="me",
        )
    )
    assert (told["operation"], told["errors"], told.get("warnings")) == ("INSERT", [], None)
    row = ire.instance.get("cmdb_ci", told["sysId"])
    assert len(row["short_description"]) == 1000
    assert (row["location"], row["manufacturer"], row["install_status"]) == ("", "", "")
    assert (row["ports"], row["can_switch"], row["sys_created_by"]) == ("24", "true", "snowload")


def test_a_reference_by_name_can_be_said_in_the_warnings(ire: Any) -> None:
    ire.option(reference_warnings=True)
    result = ire.send([ire.device(1, location="Headquarters")])
    told = result["items"][0]
    assert (told["warningCount"], result["hasWarning"], result["hasError"]) == (1, True, False)
    assert "[location]" in told["warnings"][0]["message"]


def test_a_reference_by_sys_id_is_stored_and_an_empty_value_clears(ire: Any) -> None:
    place = ire.instance.insert("cmn_location", {"name": "HQ"})["sys_id"]
    told = ire.one(ire.device(1, location=place))
    assert ire.instance.get("cmdb_ci", told["sysId"])["location"] == place
    assert ire.one(ire.device(1, location=""))["operation"] == "UPDATE"
    assert ire.instance.get("cmdb_ci", told["sysId"])["location"] == ""


CLASSES = [
    ("cmdb_ci_netgear", "cmdb_ci_ip_switch", "Upgrade"),
    ("cmdb_ci_ip_switch", "cmdb_ci_netgear", "Downgrade"),
    ("cmdb_ci_ip_switch", "cmdb_ci_ip_router", "Switch"),
]


@pytest.mark.parametrize(("old", "new", "change"), CLASSES)
def test_another_class_moves_the_ci(ire: Any, old: str, new: str, change: str) -> None:
    first = ire.one(ire.device(1, old))
    told = ire.one(ire.device(1, new))
    assert (told["operation"], told["className"], told["sysId"]) == (
        f"UPDATE_WITH_{change.upper()}",
        new,
        first["sysId"],
    )
    assert ire.instance.get("cmdb_ci", first["sysId"])["sys_class_name"] == new
    assert ire.row("sys_object_source", id="device/1")["target_table"] == new


@pytest.mark.parametrize(("old", "new", "change"), CLASSES)
@pytest.mark.parametrize("flag", [True, "true"])
def test_settings_keep_the_class_and_say_so(ire: Any, old: str, new: str, change: str, flag: object) -> None:
    ire.one(ire.device(1, old))
    told = ire.one({**ire.device(1, new, name="Other"), "settings": {f"updateWithout{change}": flag}})
    assert (told["operation"], told["className"]) == ("UPDATE", old)
    assert [one["code"] for one in told["info"]] == [f"SKIPPED_CLASS_{change.upper()}"]


def test_properties_keep_the_class_or_refuse_the_item(ire: Any, codes: Any) -> None:
    ire.one(ire.device(1))
    other = ire.device(1, "cmdb_ci_ip_router")
    ire.snow.properties(glide__class__switch__enabled="false")
    told = ire.one(other)
    assert codes(told) == ["RECLASSIFICATION_NOT_ALLOWED"]
    assert "from class: [cmdb_ci_ip_switch] to [cmdb_ci_ip_router]" in told["errors"][0]["message"]

    ire.snow.properties(glide__identification_engine__update_without_switch_enabled="true")
    assert ire.one(other)["className"] == "cmdb_ci_ip_switch"


def test_a_restriction_rule_keeps_the_class_unless_told_to_skip_it(ire: Any) -> None:
    rule = ire.instance.insert(
        "cmdb_reclassification_restriction", {"from_class": "cmdb_ci_ip_switch", "to_class": "cmdb_ci_ip_router"}
    )
    ire.one(ire.device(1))
    other = ire.device(1, "cmdb_ci_ip_router")
    told = ire.one(other)
    assert told["className"] == "cmdb_ci_ip_switch"
    assert told["info"][0]["ruleSysId"] == rule["sys_id"]

    skipped = ire.one({**other, "settings": {"skipReclassificationRestrictionRules": True}})
    assert skipped["operation"] == "UPDATE_WITH_SWITCH"


def _reconcile(ire: Any, **rule: str) -> None:
    ire.instance.insert("cmdb_reconciliation_definition", {"applies_to": "cmdb_ci_hardware", **rule})


def test_a_better_sources_rule_masks_what_is_filled_and_lets_gaps_be_filled(ire: Any) -> None:
    _reconcile(ire, attributes="name,short_description", data_source="ServiceNow", priority="10")
    first = ire.one(ire.device(1))
    told = ire.one(ire.device(1, name="Other", short_description="filled", ip_address="10.0.0.1"))

    assert (told["operation"], told["maskedAttributes"]) == ("UPDATE", ["name"])
    row = ire.instance.get("cmdb_ci", first["sysId"])
    assert (row["name"], row["short_description"], row["ip_address"]) == ("SW-1", "filled", "10.0.0.1")


def test_gaps_stay_when_the_property_says_so(ire: Any) -> None:
    ire.snow.properties(glide__reconciliation__override__null="false")
    _reconcile(ire, attributes="short_description", data_source="ServiceNow", priority="10")
    ire.one(ire.device(1))
    assert ire.one(ire.device(1, short_description="x"))["operation"] == "NO_CHANGE"


def test_attribute_rules_beat_class_rules_and_a_better_priority_beats_both(ire: Any) -> None:
    _reconcile(ire, data_source="ServiceNow", priority="10")
    _reconcile(ire, attributes="name", data_source="UniFi", priority="5")
    ire.one(ire.device(1, ip_address="10.0.0.1"))
    told = ire.one(ire.device(1, name="Mine", ip_address="10.0.0.2"))
    assert told["maskedAttributes"] == ["ip_address"]


def test_a_rule_may_wait_until_its_source_has_reported_the_ci(ire: Any) -> None:
    ire.option(masks_unreported=False)
    _reconcile(ire, attributes="name", data_source="ServiceNow", priority="10")
    ire.one(ire.device(1))
    assert "maskedAttributes" not in ire.one(ire.device(1, name="Second"))

    theirs = {"sys_object_source_info": {"source_name": "ServiceNow", "source_native_key": "x"}}
    ire.one({**ire.device(1, name="Theirs"), **theirs}, source="ServiceNow")
    assert ire.one(ire.device(1, name="Third"))["maskedAttributes"] == ["name"]


def test_required_fields_are_asked_of_new_cis_only(ire: Any, codes: Any) -> None:
    first = ire.one(ire.device(1))
    ire.option(required_fields={"cmdb_ci_hardware": ["model_number"]})
    told = ire.one(ire.device(2))
    assert codes(told) == ["REQUIRED_ATTRIBUTE_EMPTY"]
    assert "[model_number] in table [cmdb_ci_ip_switch]" in told["errors"][0]["message"]
    assert ire.one(ire.device(1, name="x"))["sysId"] == first["sysId"]

    ire.snow.properties(glide__required__attribute__enabled="false")
    assert ire.one(ire.device(2))["operation"] == "INSERT"


def test_a_blocked_source_updates_but_does_not_insert(ire: Any, codes: Any) -> None:
    first = ire.one(ire.device(1))
    block = {"cmdb_class": "cmdb_ci_netgear", "data_source": "UniFi"}
    ire.instance.insert("cmdb_ire_data_source_rule", block)

    told = ire.one(ire.device(2))
    assert codes(told) == ["INSERT_NOT_ALLOWED_FOR_SOURCE"]
    assert "[cmdb_ci_ip_switch] is blocked for data source [UniFi]" in told["errors"][0]["message"]
    assert ire.one(ire.device(1, name="x"))["sysId"] == first["sysId"]
    assert ire.one(ire.device(3, "cmdb_ci_ups"))["operation"] == "INSERT"


def test_related_items_are_stored_once_and_brought_up_to_date(ire: Any) -> None:
    def tagged(value: str) -> Any:
        return {
            **ire.device(1),
            "related": [{"className": "cmdb_key_value", "values": {"key": "rack", "value": value}}],
        }

    told = [ire.one(tagged(value))["relatedItems"][0] for value in ("A", "A", "B")]
    assert [one["operation"] for one in told] == ["INSERT", "NO_CHANGE", "UPDATE"]
    assert ire.row("cmdb_key_value", key="rack")["value"] == "B"


def test_a_companion_cannot_be_given_to_another_ci(ire: Any) -> None:
    other = ire.one(ire.device(2))["sysId"]
    lookup = ire.serial("SN-1", cmdb_ci=other, sys_id="a" * 32)
    told = ire.one({**ire.device(1), "lookup": [lookup]})
    row = ire.row("cmdb_serial_number", serial_number="SN-1")
    assert row["cmdb_ci"] == told["sysId"]
    assert row["sys_id"] != "a" * 32


def test_reference_items_fill_a_field_with_the_other_items_sys_id(ire: Any) -> None:
    items = [ire.device(1), {**ire.adapter("aa:aa:aa:aa:aa:aa"), "internal_id": "nic"}]
    relations = [{"parent": 0, "child": 1, "type": "Owns::Owned by"}]
    references = [{"referenceField": "cmdb_ci", "referenced": "device/1", "referencedBy": "nic"}]
    told = ire.send(items, relations, referenceItems=references)
    nic = ire.instance.get("cmdb_ci_network_adapter", told["items"][1]["sysId"])
    assert nic["cmdb_ci"] == told["items"][0]["sysId"]


def test_a_fault_on_request_fails_just_its_items_so_often(ire: Any, codes: Any) -> None:
    ire.option(item_faults=[{"native_key": "device/1*", "code": "LOCK_TIMEOUT", "times": 2}])
    items = [ire.device(1), ire.device(2), ire.device(10)]
    first, second = ire.send(items)["items"], ire.send(items)["items"]
    assert [codes(one) for one in first] == [["LOCK_TIMEOUT"], [], ["LOCK_TIMEOUT"]]
    assert [one["operation"] for one in second] == ["INSERT", "NO_CHANGE", "INSERT"]


def test_a_dry_run_does_not_use_up_a_fault(ire: Any, codes: Any) -> None:
    ire.option(item_faults=[{"native_key": "device/1"}])
    assert codes(ire.one(ire.device(1), endpoint="/queryEnhanced")) == []
    assert codes(ire.one(ire.device(1))) == ["LOCK_TIMEOUT"]


def test_a_silent_field_is_cut_or_dropped_though_the_answer_is_a_success(ire) -> None:
    silent = [{"element": "name", "native_key": "device/1", "keep": 2}, {"element": "ip_address"}]
    ire.option(silent_fields=silent)
    ire.send([ire.device(1, ip_address="192.0.2.1"), ire.device(2, ip_address="192.0.2.2")])
    rows = [ire.row("cmdb_ci", serial_number=f"F4E2C600000{number}") for number in (1, 2)]
    assert [(row["name"], row["ip_address"]) for row in rows] == [("SW", ""), ("SW-2", "")]
