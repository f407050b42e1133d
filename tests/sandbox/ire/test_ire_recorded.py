"""The engine answers in the shape, and with the decisions, of printed and recorded answers (servicenow-api 5.4)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

RECORDED = Path(__file__).parents[2] / "fixtures" / "servicenow"
ITEM_KEYS = {
    *("className", "operation", "sysId", "identifierEntrySysId", "identificationAttempts", "errors", "warnings"),
    *("errorCount", "warningCount", "info", "inputIndices", "markers", "mergedPayloadIds", "maskedAttributes"),
    *("relatedSysIds", "relatedItems", "additionalRelatedItems", "duplicateIndices", "partialSysIds"),
    "incompleteSysIds",
}
"""Every documented member of an item."""


def recorded(name: str) -> Any:
    """The value of ``result``; the server-side call returns it without that member."""
    exchange = json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))
    body = exchange["response"]["body"]
    return body.get("result", body)


def lacks(theirs: Any, ours: Any, path: str = "result") -> list[str]:
    """Members the recorded answer has and ours has not, or has in another JSON type."""
    if isinstance(theirs, Mapping) and isinstance(ours, Mapping):
        missing = [f"{path}.{name}" for name in theirs if name not in ours]
        return missing + [
            gap for name in theirs if name in ours for gap in lacks(theirs[name], ours[name], f"{path}.{name}")
        ]
    if isinstance(theirs, list) and isinstance(ours, list):
        pairs = zip(theirs, ours, strict=False)
        return [gap for number, (one, other) in enumerate(pairs) for gap in lacks(one, other, f"{path}[{number}]")]
    return [] if type(theirs) is type(ours) else [f"{path} is {type(ours).__name__}"]


def rule_attempts(result: Any) -> Any:
    """Without the attempt by the source's key, which older answers do not tell."""
    items = [
        {**one, "identificationAttempts": [tried for tried in one["identificationAttempts"] if tried["identifierName"]]}
        for one in result["items"]
    ]
    return {**result, "items": items}


def decisions(result: Mapping[str, Any], *, with_source: bool) -> list[Any]:
    """What was decided for each item, and by which attempts; older answers do not tell the source's."""
    return [
        (
            one.get("operation"),
            one["identifierEntrySysId"],
            [
                (tried["identifierName"], tried["attemptResult"], tried["attributes"], tried.get("searchOnTable"))
                for tried in one["identificationAttempts"]
                if with_source or tried["identifierName"]
            ],
        )
        for one in result["items"]
    ]


def assert_alike(theirs: Any, ours: Any, *, with_source: bool) -> None:
    assert lacks(*((theirs, ours) if with_source else (rule_attempts(theirs), rule_attempts(ours)))) == []
    assert len(ours["items"]) == len(theirs["items"])
    assert len(ours["relations"]) == len(theirs["relations"])
    assert decisions(ours, with_source=with_source) == decisions(theirs, with_source=with_source)
    for one in ours["items"]:
        assert set(one) <= ITEM_KEYS


def _linux_and_switch(ire: Any) -> tuple[list[Any], list[Any]]:
    """The printed payload, against CIs that agree in nothing but their names."""
    ire.instance.insert("cmdb_ci_linux_server", {"name": "lnux101"})
    ire.instance.insert("cmdb_ci_ip_switch", {"name": "IP-Switch-1"})
    mac, address = "00:55:51:21:26:2f", "10.11.12.173"
    server = ire.bare("cmdb_ci_linux_server", name="lnux101", host_name="lnux101.servicenow.com", ip_address=address)
    lookups = [ire.serial("lnux101", "uuid"), ire.adapter(mac, "eth0", ip_address=address)]
    switch = ire.bare("cmdb_ci_ip_switch", name="IP-Switch-1", serial_number="Switch23587", serial_number_type="uuid")
    relation = {"parent": 0, "child": 1, "type": "IP Connection::IP Connection"}
    return [{**server, "lookup": lookups}, switch], [relation]


def test_two_updates_by_name(ire: Any) -> None:
    ours = ire.send(*_linux_and_switch(ire), endpoint="", options="")
    theirs = recorded("ire-identifyreconcile-update-200")
    theirs["items"][0]["relatedSysIds"] = ["x", "x"]  # printed as null, as a query answers
    assert_alike(theirs, ours, with_source=False)


def test_the_same_as_a_query(ire: Any) -> None:
    ours = ire.send(*_linux_and_switch(ire), endpoint="/query", options="")
    theirs = recorded("ire-query-200")
    assert_alike(theirs, ours, with_source=False)
    assert ours["items"][0]["relatedSysIds"] == [None, None]
    assert set(ours["items"][0]["relatedItems"][0]) == set(theirs["items"][0]["relatedItems"][0])


HALF_KNOWN = {
    "className": "cmdb_ci_computer",
    "sys_object_source_info": {"source_name": "ServiceNow", "source_native_key": "ncomputer3367"},
    "values": {"cpu_core_count": "6", "ram": "8192", "manufacturer": "DELL", "company": "My Company"},
}


@pytest.mark.parametrize("name", ["ire-enhanced-insert-as-partial-200", "ire-queryenhanced-partial-200"])
def test_a_half_known_computer_is_put_aside(ire: Any, name: str) -> None:
    endpoint = "/queryEnhanced" if "query" in name else "/enhanced"
    ours = ire.send([HALF_KNOWN], endpoint=endpoint, source="ServiceNow", options="")
    assert_alike(recorded(name), ours, with_source=True)
    assert ours["items"][0]["warnings"][0]["error"] == recorded(name)["items"][0]["warnings"][0]["error"]


def test_an_insert_with_summary(ire: Any) -> None:
    computer = {**HALF_KNOWN, "lookup": [ire.adapter("00:55:51:21:26:2f", "eth0")]}
    ours = ire.send([computer], source="ServiceNow", options="generate_summary:true")
    theirs = recorded("ire-enhanced-insert-summary-200")
    assert_alike(theirs, ours, with_source=True)
    theirs["summary"]["cmdb_ci_computer"]["mergedPartialPayloads"] = 0  # theirs completes an earlier partial payload
    assert ours["summary"] == theirs["summary"]
    assert ours["items"][0]["relatedItems"][0]["inputIndices"] == [{"mainIndex": 0, "subIndex": 0}]


def test_a_good_item_and_a_port_without_its_switch(ire: Any) -> None:
    ours = ire.send([ire.device(1), ire.adapter("f4:e2:c6:00:00:02", "Port 1")])
    theirs = recorded("ire-enhanced-mixed-constructed-200")
    assert lacks(theirs, ours) == []
    assert [one["operation"] for one in ours["items"]] == [one["operation"] for one in theirs["items"]]
    assert ours["summary"] == theirs["summary"]
    assert (ours["hasError"], ours["hasWarning"]) == (True, False)


def test_an_insert_with_a_related_item_and_a_relation(ire: Any) -> None:
    """A license and a virtual machine there, a key and a switch here: the tables differ, not the shape."""
    ire.instance.insert("cmdb_ci_win_server", {"name": "VirtualMachine-WS2"})
    key = {"className": "cmdb_key_value", "values": {"key": "license", "value": "x"}}
    items = [{**ire.device(1), "related": [key]}, ire.bare("cmdb_ci_win_server", name="VirtualMachine-WS2")]
    relation = {"parent": 0, "child": 1, "type": "Runs on::Runs"}
    ours = ire.send(items, [relation], source="ServiceNow")
    theirs = recorded("ire-rest-insert-related-relation-200")
    assert lacks(theirs, rule_attempts(ours)) == []
    assert ours["items"][1]["identifierEntrySysId"] == theirs["items"][1]["identifierEntrySysId"]
    assert ours["relations"][0]["identifierEntrySysId"] == "Unknown"


def test_a_query_that_finds_a_server_by_name(ire: Any) -> None:
    ire.instance.insert("cmdb_ci_win_server", {"name": "Server-WS11"})
    server = ire.bare("cmdb_ci_win_server", name="SERVER-ws11")
    ours = ire.send([server], endpoint="/queryEnhanced", source="ServiceNow", options="")
    assert_alike(recorded("ire-rest-queryenhanced-update-200"), ours, with_source=False)


def test_a_dependent_class_and_its_host(ire: Any) -> None:
    items = [ire.bare("cmdb_ci_appl", name="apache"), ire.bare("cmdb_ci_linux_server", name="lnux100", ram="2048")]
    ours = ire.send(items, [{"parent": 0, "child": 1, "type": "Runs on::Runs"}], source="ServiceNow")
    theirs = recorded("ire-script-insert-dependent")
    assert lacks(rule_attempts(theirs), rule_attempts(ours)) == []
    assert decisions(ours, with_source=True)[1] == decisions(theirs, with_source=True)[1]


def test_a_server_with_two_serials(ire: Any) -> None:
    server = {**ire.device(1, "cmdb_ci_win_server"), "lookup": [ire.serial("A", "uuid"), ire.serial("B")]}
    ours = ire.send([server])
    theirs = recorded("ire-script-insert-lookup-related")
    assert lacks({"items": theirs["items"][:1]}, ours) == []
    assert decisions(ours, with_source=True) == decisions(theirs, with_source=True)[:1]


def test_network_gear_with_two_serials(ire: Any) -> None:
    gear = ire.bare("cmdb_ci_netgear", name="ny8500-nbxs08", ports="1200")
    lookups = [ire.serial("1234ABCD", "uuid"), ire.serial("3456EFGH")]
    ours = ire.send([{**gear, "lookup": lookups}], source="ServiceNow")
    assert_alike(recorded("ire-script-insert-netgear-lookup"), ours, with_source=True)


def test_a_reclassification_that_a_rule_forbids(ire: Any) -> None:
    told = {"name": "Linux Server 1", "short_description": "Linux server description"}
    ire.instance.insert("cmdb_ci_linux_server", told)
    restriction = {"from_class": "cmdb_ci_linux_server", "to_class": "cmdb_ci_win_server"}
    ire.instance.insert("cmdb_reclassification_restriction", restriction)
    ours = ire.send([ire.bare("cmdb_ci_win_server", **told)], source="ServiceNow")
    theirs = recorded("ire-script-nochange-reclass-skipped")
    assert_alike(theirs, ours, with_source=True)
    ours["items"][0]["info"][0].pop("ruleSysId")
    theirs["items"][0]["info"][0].pop("ruleSysId")
    assert ours["items"][0]["info"] == theirs["items"][0]["info"]
    assert ours["items"][0]["className"] == "cmdb_ci_linux_server"


OLD_ITEM = {"className", "operation", "sysId", "identifierEntrySysId", "identificationAttempts"}


def test_an_older_release_answers_with_fewer_keys_and_in_order(ire: Any) -> None:
    """Recorded on two old releases: no inputIndices, no counts, no attempt by source, no hasError."""
    ire.option(release="old", shuffle_seed=3)
    items = [ire.device(number) for number in range(3)]
    result = ire.send(items, [{"parent": 0, "child": 1, "type": "Connects to::Connected by"}], options="")

    assert set(result) == {"items", "relations"}
    assert [set(one) for one in result["items"]] == [OLD_ITEM] * 3
    assert set(result["relations"][0]) == OLD_ITEM - {"identificationAttempts"}
    names = [ire.instance.get("cmdb_ci", one["sysId"])["name"] for one in result["items"]]
    assert names == ["SW-0", "SW-1", "SW-2"]
    tried = result["items"][0]["identificationAttempts"]
    assert [one["identifierName"] for one in tried] == ["Hardware Rule"] * 4


def test_an_older_release_names_neither_class_nor_operation_of_a_failed_item(ire: Any, codes: Any) -> None:
    ire.option(release="old", required_fields={"cmdb_ci": ["assigned_to"]})
    (told,) = ire.send([ire.device(1)], endpoint="")["items"]
    assert set(told) == {"sysId", "identifierEntrySysId", "errors", "identificationAttempts"}
    assert codes(told) == ["REQUIRED_ATTRIBUTE_EMPTY", "ABANDONED"]
    assert told["errors"][1]["message"] == "Too many other errors"
    assert told["sysId"] == "Unknown"
