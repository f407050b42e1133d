"""A payload as a whole: endpoints, options, source, duplicates, relations, one bad item among good ones
(servicenow-api 5.1, 5.2, 5.5)."""

from __future__ import annotations

from typing import Any

import pytest

from beast_dream_snow_loader.sandbox.servicenow import oracle

CONNECTS = "Connects to::Connected by"
ENDPOINTS = ["", "/query", "/enhanced", "/queryEnhanced"]
ALL_OR_NOTHING = "partial_payloads:false,partial_commits:false,deduplicate_payloads:true"


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_the_api_asks_for_itil_or_asset(ire: Any, endpoint: str) -> None:
    for name, roles in (("nobody", []), ("keeper", ["asset"])):
        ire.snow.call(
            "POST", "/_sandbox/users", {"user_name": name, "password": "p", "roles": roles}, auth=None
        ).raise_for_status()
    refused = ire.call([ire.device(1)], endpoint=endpoint, auth=("nobody", "p"))
    assert (refused.status_code, refused.json()["error"]["detail"]) == (403, "Failed API level ACL Validation")
    assert ire.call([ire.device(1)], endpoint=endpoint, auth=("keeper", "p")).status_code == 200


@pytest.mark.parametrize("endpoint", ["/query", "/queryEnhanced"])
def test_a_query_changes_nothing_in_the_whole_database(ire: Any, endpoint: str) -> None:
    ire.instance.insert("cmdb_ci_printer", {"name": "SW-2"})
    ire.instance.insert("cmdb_ci_printer", {"name": "SW-2"})
    items = [
        {**ire.device(1), "lookup": [ire.serial("SN-1")]},
        ire.device(2),
        ire.device(3, name=None, serial_number=None),
    ]
    before = oracle.everything(ire.instance)
    told = ire.send(items, [{"parent": 0, "child": 1, "type": CONNECTS}], endpoint=endpoint, options="")

    assert oracle.everything(ire.instance) == before
    if endpoint == "/queryEnhanced":
        operations = [one["operation"] for one in told["items"]]
        assert operations == ["INSERT", "UPDATE_WITH_SWITCH", "INSERT_AS_PARTIAL"]
        assert told["items"][0]["sysId"] == "Unknown"
        assert told["items"][0]["relatedSysIds"] == [None]


@pytest.mark.parametrize("source", [None, "", "unifi", "UNIFI", "Intune"])
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_source_that_is_no_choice_in_this_spelling_refuses_every_item_with_200(
    ire: Any, codes: Any, endpoint: str, source: str | None
) -> None:
    before = oracle.config_items(ire.instance)
    told = ire.send([ire.device(1), ire.device(2)], endpoint=endpoint, source=source)

    assert told["hasError"] is True
    assert [codes(one) for one in told["items"]] == [["INVALID_INPUT_DATA"]] * 2
    assert f"In payload invalid data source [{source or 'null'}] exist." in told["items"][0]["errors"][0]["message"]
    operation = "INSERT_AS_INCOMPLETE" if endpoint.lower().endswith("enhanced") else None
    assert [one.get("operation") for one in told["items"]] == [operation] * 2
    assert oracle.config_items(ire.instance) == before


def test_a_source_in_the_body_does_not_count(ire: Any) -> None:
    assert ire.send([ire.device(1)], source=None, sysparm_data_source="UniFi")["hasError"] is True


def test_the_native_keys_source_must_be_a_choice_too(ire: Any, codes: Any) -> None:
    device = ire.device(1)
    device["sys_object_source_info"]["source_name"] = "unifi"
    assert codes(ire.one(device)) == ["INVALID_INPUT_DATA"]


@pytest.mark.parametrize("options", ["nonsense", "partial_commits:true,x", "a:b:c", "partial_commits:", ","])
def test_malformed_options_are_a_500(ire: Any, options: str) -> None:
    answer = ire.call([ire.device(1)], options=options)
    assert answer.status_code == 500
    assert "is not a valid entry" in answer.json()["error"]["message"]
    assert ire.count("cmdb_ci") == 0


def test_the_plain_endpoint_reads_no_options(ire: Any) -> None:
    told = ire.send([ire.device(1)], endpoint="", options="nonsense")
    assert "summary" not in told
    assert told["items"][0]["operation"] == "INSERT"


def test_other_methods_and_paths_are_refused(ire: Any) -> None:
    assert ire.snow.get("/api/now/identifyreconcile").status_code == 405
    assert ire.snow.post("/api/now/identifyreconcile/enhance", {}).status_code == 400
    assert ire.snow.post("/api/now/v1/identifyreconcile/enhanced", {"items": []}).status_code == 200


def test_a_body_that_is_no_json_is_refused_and_an_empty_payload_is_fine(ire: Any) -> None:
    path = "/api/now/identifyreconcile/enhanced"
    headers = {"Content-Type": "application/json"}
    import requests

    broken = requests.post(
        ire.snow.url + path, data=b"{", headers=headers, auth=("snowload", "snowload-demo"), timeout=10
    )
    assert broken.status_code == 400
    assert ire.send([])["items"] == []


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "Other", "serial_number": "Other", "key": "device/1"},
        {"name": "Other", "key": "device/2"},
        {"serial_number": "Other", "key": "device/2"},
    ],
    ids=["source key", "serial number", "name"],
)
def test_duplicates_are_merged_into_one_result_with_both_indices(ire: Any, changes: dict[str, str]) -> None:
    second = ire.device(1, **{name: value for name, value in changes.items() if name != "key"}, ip_address="10.0.0.1")
    second["sys_object_source_info"]["source_native_key"] = changes["key"]
    result = ire.send([ire.device(1), ire.device(9), second])

    assert [one["inputIndices"] for one in result["items"]] == [[0, 2], [1]]
    row = ire.instance.get("cmdb_ci", result["items"][0]["sysId"])
    assert (row["name"], row["ip_address"]) == ("SW-1", "10.0.0.1")
    assert ire.count("cmdb_ci") == 2


@pytest.mark.parametrize("endpoint", ["", "/enhanced"])
def test_duplicates_are_refused_where_they_are_not_merged(ire: Any, codes: Any, endpoint: str) -> None:
    options = "partial_payloads:false,partial_commits:true,deduplicate_payloads:false"
    told = ire.send([ire.device(1), ire.device(1)], endpoint=endpoint, options=options)["items"]
    assert [codes(one) for one in told] == [["DUPLICATE_PAYLOAD_RECORDS"]] * 2
    assert "(index 0 and 1)" in told[0]["errors"][0]["message"]
    assert ire.count("cmdb_ci") == 0


def test_by_the_first_entry_only_a_shared_name_still_merges_in_the_database(ire: Any) -> None:
    """The name trap within one payload: the second device finds the first one's fresh CI."""
    ire.option(duplicates_by_any_entry=False)
    result = ire.send([ire.device(1, name="U6-Lite"), ire.device(2, name="U6-Lite")])
    assert [one["operation"] for one in result["items"]] == ["INSERT", "UPDATE"]
    assert len({one["sysId"] for one in result["items"]}) == 1


def test_repeated_lookups_are_merged_or_refused(ire: Any, codes: Any) -> None:
    device = {**ire.device(1), "lookup": [ire.serial("SN-1"), ire.serial("sn-1")]}
    refused = ire.one(device, options="partial_payloads:false,partial_commits:true,deduplicate_payloads:false")
    assert codes(refused) == ["DUPLICATE_LOOKUP_PAYLOAD"]
    told = ire.one(device)
    assert len(set(told["relatedSysIds"])) == 1
    assert ire.count("cmdb_serial_number") == 1


@pytest.mark.parametrize(
    ("relation", "message"),
    [
        ({"parent": 0, "child": 1, "type": "connects to::connected by"}, "No such relationship with name"),
        ({"parent": 0, "child": 1, "type": "Located in::Contains"}, "No such relationship with name"),
        ({"parent": 0, "child": 1}, "No such relationship with name []"),
        ({"parent": 7, "child": 1, "type": CONNECTS}, "has invalid parent record index: [7]"),
        ({"parent_id": "device/1", "child_id": "device/9", "type": CONNECTS}, "has invalid child record index"),
        ({"child": 1, "type": CONNECTS}, "has invalid parent record index"),
    ],
)
def test_a_relation_that_cannot_be_made_is_refused_alone(
    ire: Any, codes: Any, relation: dict[str, object], message: str
) -> None:
    result = ire.send([ire.device(1), ire.device(2)], [relation, {"parent": 1, "child": 0, "type": CONNECTS}])
    assert result["hasError"] is True
    assert codes(result["relations"][0]) == ["INVALID_INPUT_DATA"]
    assert message in result["relations"][0]["errors"][0]["message"]
    assert [one["operation"] for one in result["items"]] == ["INSERT", "INSERT"]
    assert ire.count("cmdb_rel_ci") == 1


def test_a_type_that_is_there_twice_is_refused(ire: Any, codes: Any) -> None:
    ire.instance.insert("cmdb_rel_type", {"name": CONNECTS})
    told = ire.send([ire.device(1), ire.device(2)], [{"parent": 0, "child": 1, "type": CONNECTS}])
    assert codes(told["relations"][0]) == ["DUPLICATE_RELATIONSHIP_TYPES"]


def test_relations_by_index_and_by_id_are_one_row_per_triple(ire: Any) -> None:
    relations = [
        {"parent": 0, "child": 1, "type": CONNECTS},
        {"parent_id": "device/1", "child_id": "device/2", "type": CONNECTS},
        {"parent": "0", "child": 1.0, "type": "IP Connection::IP Connection"},
        {"parent": 1, "child": 0, "type": CONNECTS},
    ]
    result = ire.send([ire.device(1), ire.device(2)], relations)
    assert [one["inputIndices"] for one in result["relations"]] == [[0, 1], [2], [3]]
    assert ire.count("cmdb_rel_ci") == 3
    assert oracle.duplicate_edges(ire.instance) == {}


def test_a_relation_of_a_ci_with_itself_is_refused(ire: Any, codes: Any) -> None:
    result = ire.send([ire.device(1), ire.device(1)], [{"parent": 0, "child": 1, "type": CONNECTS}])
    assert codes(result["relations"][0]) == ["QUALIFICATION_LOOP"]
    assert ire.count("cmdb_rel_ci") == 0


def test_relation_sources_are_kept_only_where_the_property_says_so(ire: Any) -> None:
    relation = {"parent": 0, "child": 1, "type": CONNECTS, "sys_rel_source_info": {"source_name": "UniFi"}}
    ire.send([ire.device(1), ire.device(2)], [relation])
    assert ire.count("sys_rel_source") == 0
    ire.snow.properties(glide__identification_engine__populate_sys_rel_source="true")
    for _ in range(2):
        ire.send([ire.device(1), ire.device(2)], [relation])
    assert ire.count("sys_rel_source") == 1


def _with_a_bad_one(ire: Any) -> tuple[list[Any], list[Any]]:
    items = [ire.device(1), ire.device(2, "cmdb_ci"), ire.device(3)]
    return items, [{"parent": 0, "child": 1, "type": CONNECTS}, {"parent": 2, "child": 0, "type": CONNECTS}]


@pytest.mark.parametrize(("endpoint", "options"), [("", ""), ("/enhanced", ALL_OR_NOTHING)])
def test_all_or_nothing_abandons_the_good_items(ire: Any, codes: Any, endpoint: str, options: str) -> None:
    items, relations = _with_a_bad_one(ire)
    before = oracle.everything(ire.instance)
    result = ire.send(items, relations, endpoint=endpoint, options=options)

    assert [codes(one) for one in result["items"]] == [["ABANDONED"], ["IDENTIFICATION_RULE_MISSING"], ["ABANDONED"]]
    assert [codes(one) for one in result["relations"]] == [["ABANDONED"], ["ABANDONED"]]
    assert {one["sysId"] for one in result["items"]} == {"Unknown"}
    assert result["hasError"] is True
    assert oracle.everything(ire.instance) == before


def test_partial_commits_keep_the_good_items_and_what_ties_them(ire: Any, codes: Any) -> None:
    items, relations = _with_a_bad_one(ire)
    result = ire.send(items, relations)

    assert [one["operation"] for one in result["items"]] == ["INSERT", "INSERT_AS_INCOMPLETE", "INSERT"]
    assert codes(result["items"][1]) == ["IDENTIFICATION_RULE_MISSING"]
    assert [codes(one) for one in result["relations"]] == [["ABANDONED"], []]
    assert result["hasError"] is True
    assert ire.count("cmdb_ire_incomplete_payloads") == 1
    assert {one.name for one in oracle.config_items(ire.instance)} == {"SW-1", "SW-3"}


def test_partial_payloads_put_a_half_known_item_aside_and_complete_it_later(ire: Any) -> None:
    half = ire.device(1, name=None, serial_number=None, ip_address="10.0.0.1")
    result = ire.send([half], options="generate_summary:true")
    told = result["items"][0]
    assert (told["operation"], told["sysId"], told["errorCount"], told["errors"]) == (
        "INSERT_AS_PARTIAL",
        "Unknown",
        0,
        [],
    )
    assert [one["error"] for one in told["warnings"]] == ["MISSING_MATCHING_ATTRIBUTES"]
    assert (result["hasError"], result["summary"]["cmdb_ci_ip_switch"]["partial"]) == (False, 1)
    assert ire.count("cmdb_ci") == 0

    whole = ire.one(ire.device(1), options="")
    assert (whole["operation"], whole["mergedPayloadIds"]) == ("INSERT", told["partialSysIds"])
    assert ire.instance.get("cmdb_ci", whole["sysId"])["ip_address"] == "10.0.0.1"
    assert ire.count("cmdb_ire_partial_payloads") == 0


def test_a_partial_payload_is_forgotten_after_90_days_and_never_used_when_switched_off(ire: Any) -> None:
    ire.one(ire.device(1, name=None, serial_number=None, ip_address="10.0.0.1"), options="")
    without = ire.one(ire.device(1))
    assert ire.instance.get("cmdb_ci", without["sysId"])["ip_address"] == ""
    ire.snow.clock.advance(91 * 86400)
    assert ire.one(ire.device(1), options="")["mergedPayloadIds"] == []


def test_partial_payloads_force_partial_commits(ire: Any) -> None:
    options = "partial_payloads:true,partial_commits:false,deduplicate_payloads:false"
    result = ire.send([ire.device(1), ire.device(1), ire.device(2, "cmdb_ci")], options=options)
    assert [one["operation"] for one in result["items"]] == ["INSERT", "INSERT_AS_INCOMPLETE"]


def test_the_answer_may_come_in_another_order_than_the_payload(ire: Any) -> None:
    ire.option(shuffle_seed=3)
    items = [ire.device(number) for number in range(8)]
    relations = [{"parent": number, "child": 0, "type": CONNECTS} for number in range(1, 8)]
    result = ire.send(items, relations)

    assert [one["inputIndices"] for one in result["items"]] != [[number] for number in range(8)]
    for one in result["items"]:
        (index,) = one["inputIndices"]
        assert ire.instance.get("cmdb_ci", one["sysId"])["name"] == f"SW-{index}"
    for one in result["relations"]:
        (index,) = one["inputIndices"]
        parent = ire.instance.get("cmdb_rel_ci", one["sysId"])["parent"]
        assert ire.instance.get("cmdb_ci", parent)["name"] == f"SW-{index + 1}"


def test_each_item_takes_its_time(ire: Any) -> None:
    ire.snow.option(ire_item_seconds=0.146)
    before = ire.snow.clock.monotonic()
    ire.send([ire.device(number) for number in range(10)])
    assert ire.snow.clock.monotonic() - before == pytest.approx(1.46)
