"""The CMDB Meta API (servicenow-api 6.2): the class definition an ordinary integration user may read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).parents[2] / "fixtures" / "servicenow" / "cmdb-meta-computer-200.json"


def _meta(ire: Any, name: str, **arguments: Any) -> Any:
    answer = ire.snow.get(f"/api/now/cmdb/meta/{name}", **arguments)
    assert answer.status_code == 200, answer.text
    return answer.json()["result"]


def test_a_computer_has_the_members_and_types_of_the_printed_one(ire: Any) -> None:
    theirs = json.loads(RECORDED.read_text(encoding="utf-8"))["response"]["body"]["result"]
    ours = _meta(ire, "cmdb_ci_computer")

    assert set(ours) == set(theirs)
    for name, value in theirs.items():
        assert type(ours[name]) is type(value), name
    assert (ours["name"], ours["label"], ours["parent"]) == ("cmdb_ci_computer", "Computer", "cmdb_ci_hardware")
    assert "cmdb_ci_server" in ours["children"]


def test_attributes_are_those_of_the_printed_one(ire: Any) -> None:
    theirs = json.loads(RECORDED.read_text(encoding="utf-8"))["response"]["body"]["result"]
    ours = {one["element"]: one for one in _meta(ire, "cmdb_ci_computer")["attributes"]}

    for one in theirs["attributes"]:
        assert ours[one["element"]] == one
    assert ours["name"]["is_inherited"] == "true"
    assert ours["os"]["is_inherited"] == "false"
    assert all(isinstance(value, str | None) for one in ours.values() for value in one.values())


def test_the_hardware_rule_is_the_printed_one_in_both_variants(ire: Any) -> None:
    theirs = json.loads(RECORDED.read_text(encoding="utf-8"))["response"]["body"]["result"]["identification_rules"]
    ire.option(adapter_attributes=["ip_address", "mac_address"])
    ours = _meta(ire, "cmdb_ci_computer")["identification_rules"]

    assert ours["identifiers"] == theirs["identifiers"]
    assert set(ours["related_rules"][0]) == set(theirs["related_rules"][0])
    for name in ("name", "applies_to", "is_independent", "active", "description"):
        assert ours[name] == theirs[name]
    ire.option()
    newer = _meta(ire, "cmdb_ci_computer")["identification_rules"]["identifiers"]
    assert newer[3]["attributes"] == "mac_address,name"


def test_relationship_rules_name_classes_and_the_types_sys_id(ire: Any) -> None:
    owns = ire.row("cmdb_rel_type", name="Owns::Owned by")["sys_id"]
    told = _meta(ire, "cmdb_ci_ip_switch")["relationship_rules"]
    adapters = {"parent": "cmdb_ci_hardware", "child": "cmdb_ci_network_adapter", "relation_type": owns}
    assert adapters in told
    assert adapters in _meta(ire, "cmdb_ci_network_adapter")["relationship_rules"]


def test_dependent_classes_and_classes_without_a_rule_say_so(ire: Any) -> None:
    assert _meta(ire, "cmdb_ci_network_adapter")["identification_rules"]["is_independent"] is False
    for name in ("cmdb_ci", "cmdb_ci_ip_phone"):
        assert _meta(ire, name)["identification_rules"] == {}


def test_a_missing_class_is_a_404_also_where_only_the_app_brings_it(ire: Any, make_ire: Callable[..., Any]) -> None:
    for name in ("cmdb_ci_nothing", "cmdb_ci_network_node", "incident"):
        assert ire.snow.get(f"/api/now/cmdb/meta/{name}").status_code == 404
    assert _meta(make_ire(class_models=True), "cmdb_ci_network_node")["parent"] == "cmdb_ci_netgear"


def test_the_role_itil_is_needed(ire: Any) -> None:
    keeper: Mapping[str, object] = {"user_name": "keeper", "password": "p", "roles": ["asset"]}
    ire.snow.call("POST", "/_sandbox/users", keeper, auth=None).raise_for_status()
    refused = ire.snow.get("/api/now/cmdb/meta/cmdb_ci", auth=("keeper", "p"))
    assert (refused.status_code, refused.json()["error"]["detail"]) == (403, "Failed API level ACL Validation")
    assert ire.snow.post("/api/now/cmdb/meta/cmdb_ci", {}).status_code == 405
    assert ire.snow.get("/api/now/cmdb/meta").status_code == 400
