"""Classes that are identified through their host (servicenow-api 5.3, step 8)."""

from __future__ import annotations

from typing import Any

OWNS = "Owns::Owned by"


def _owned(ire: Any, count: int = 1) -> tuple[list[Any], list[Any]]:
    """A switch and its ports, tied by index."""
    ports = [ire.adapter(f"f4:e2:c6:00:00:{number:02x}", f"Port {number}") for number in range(1, count + 1)]
    relations = [{"parent": 0, "child": number, "type": OWNS} for number in range(1, count + 1)]
    return [ire.device(1), *ports], relations


def test_an_adapter_comes_with_its_device_and_is_found_again_there(ire: Any) -> None:
    items, relations = _owned(ire, 3)
    first = ire.send(items, relations)
    again = ire.send(items, relations)

    assert [one["operation"] for one in first["items"] + first["relations"]] == ["INSERT"] * 7
    assert [one["operation"] for one in again["items"] + again["relations"]] == ["NO_CHANGE"] * 7
    assert [one["sysId"] for one in again["items"]] == [one["sysId"] for one in first["items"]]
    assert ire.count("cmdb_ci_network_adapter") == 3


def test_equal_adapters_of_two_devices_are_two(ire: Any) -> None:
    items = [ire.device(1), ire.device(2), ire.adapter("aa:aa:aa:aa:aa:aa"), ire.adapter("aa:aa:aa:aa:aa:aa")]
    relations = [{"parent": 0, "child": 2, "type": OWNS}, {"parent": 1, "child": 3, "type": OWNS}]
    told = ire.send(items, relations)
    assert not told["hasError"]
    assert ire.count("cmdb_ci_network_adapter") == 2


def test_without_its_relation_it_is_refused_with_the_rules_it_could_use(ire: Any, codes: Any) -> None:
    told = ire.send([ire.device(1), ire.adapter("aa:aa:aa:aa:aa:aa")])["items"]
    assert [codes(one) for one in told] == [[], ["MISSING_DEPENDENCY"]]
    assert "[cmdb_ci_hardware >> Owns::Owned by >> cmdb_ci_network_adapter]" in told[1]["errors"][0]["message"]


def test_a_relation_of_another_type_or_direction_is_no_dependency(ire: Any, codes: Any) -> None:
    items = [ire.device(1), ire.adapter("aa:aa:aa:aa:aa:aa")]
    for relation in (
        {"parent": 0, "child": 1, "type": "Contains::Contained by"},
        {"parent": 1, "child": 0, "type": OWNS},
    ):
        assert codes(ire.send(items, [relation])["items"][1]) == ["MISSING_DEPENDENCY"]


def test_what_hangs_on_a_failed_item_is_abandoned_down_the_chain(ire: Any, codes: Any) -> None:
    items = [
        ire.device(1, name=None, serial_number=None),
        ire.adapter("aa:aa:aa:aa:aa:aa"),
        {"className": "cmdb_ci_ip_address", "values": {"ip_address": "10.0.0.1"}},
        ire.device(2),
    ]
    relations = [{"parent": 0, "child": 1, "type": OWNS}, {"parent": 1, "child": 2, "type": OWNS}]
    told = ire.send(items, relations)

    assert [codes(one) for one in told["items"]] == [["MISSING_MATCHING_ATTRIBUTES"], ["ABANDONED"], ["ABANDONED"], []]
    assert [codes(one) for one in told["relations"]] == [["ABANDONED"], ["ABANDONED"]]
    assert ire.count("cmdb_ci") == 1
    assert ire.count("cmdb_rel_ci") == 0


def test_a_chain_is_settled_from_its_root_whatever_the_order(ire: Any) -> None:
    items = [
        {"className": "cmdb_ci_ip_address", "internal_id": "ip", "values": {"ip_address": "10.0.0.1"}},
        {**ire.adapter("aa:aa:aa:aa:aa:aa"), "internal_id": "nic"},
        ire.device(1),
    ]
    relations = [
        {"parent_id": "nic", "child_id": "ip", "type": OWNS},
        {"parent_id": "device/1", "child_id": "nic", "type": OWNS},
    ]
    assert [one["operation"] for one in ire.send(items, relations)["items"]] == ["INSERT"] * 3
    assert [one["operation"] for one in ire.send(items, relations)["items"]] == ["NO_CHANGE"] * 3


def test_two_hosts_are_too_many(ire: Any, codes: Any) -> None:
    items = [ire.device(1), ire.device(2), ire.adapter("aa:aa:aa:aa:aa:aa")]
    relations = [{"parent": 0, "child": 2, "type": OWNS}, {"parent": 1, "child": 2, "type": OWNS}]
    assert codes(ire.send(items, relations)["items"][2]) == ["MULTIPLE_DEPENDENCIES"]


def test_several_equal_dependents_of_one_host_are_refused(ire: Any, codes: Any) -> None:
    items, relations = _owned(ire)
    first = ire.send(items, relations)
    twin = ire.instance.insert("cmdb_ci_network_adapter", items[1]["values"])
    link = ire.instance.get("cmdb_rel_ci", first["relations"][0]["sysId"])
    ire.instance.insert("cmdb_rel_ci", {**link, "sys_id": "", "child": twin["sys_id"]})

    assert codes(ire.send(items, relations)["items"][1]) == ["MULTI_MATCH"]


def test_an_application_is_hosted_by_the_child_of_its_relation(ire: Any) -> None:
    items = [ire.bare("cmdb_ci_appl", name="httpd"), ire.device(1, "cmdb_ci_linux_server")]
    relations = [{"parent": 0, "child": 1, "type": "Runs on::Runs"}]
    assert [one["operation"] for one in ire.send(items, relations)["items"]] == ["INSERT", "INSERT"]
    assert [one["operation"] for one in ire.send(items, relations)["items"]] == ["NO_CHANGE", "NO_CHANGE"]


def test_equal_chains_are_merged_link_by_link_whatever_the_order(ire: Any) -> None:
    chain = [
        {"className": "cmdb_ci_ip_address", "values": {"ip_address": "10.0.0.1"}},
        ire.adapter("aa:aa:aa:aa:aa:aa"),
        ire.device(1),
    ]
    relations = [
        {"parent": first + above, "child": first + below, "type": OWNS}
        for first in (0, 3)
        for above, below in ((1, 0), (2, 1))
    ]
    result = ire.send([*chain, *chain], relations)
    assert [one["inputIndices"] for one in result["items"]] == [[0, 3], [1, 4], [2, 5]]
    assert [one["inputIndices"] for one in result["relations"]] == [[0, 2], [1, 3]]
    assert (ire.count("cmdb_ci"), ire.count("cmdb_rel_ci")) == (3, 2)


def test_an_address_cannot_host_its_adapter(ire: Any, codes: Any) -> None:
    items = [
        ire.adapter("aa:aa:aa:aa:aa:aa"),
        {"className": "cmdb_ci_ip_address", "values": {"ip_address": "10.0.0.1"}},
    ]
    relations = [{"parent": 0, "child": 1, "type": OWNS}, {"parent": 1, "child": 0, "type": OWNS}]
    told = ire.send(items, relations)["items"]
    assert [codes(one) for one in told] == [["MISSING_DEPENDENCY"], ["ABANDONED"]]
