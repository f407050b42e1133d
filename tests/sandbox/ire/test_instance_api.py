"""The CMDB Instance API (servicenow-api 6.3): one CI per call, through the engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

RECORDED = Path(__file__).parents[2] / "fixtures" / "servicenow"
ROOT = "/api/now/cmdb/instance"
DEPENDS, EXCHANGES = "1a9cb166f1571100a92eb60da2bce5c5", "607ad1b2c0a8010e01941856b365af90"


def recorded(name: str) -> Any:
    return json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))["response"]["body"]


@pytest.fixture
def servers(ire: Any) -> tuple[str, str]:
    """Two CIs to relate to: a database and a web server of sorts."""
    made = [ire.instance.insert("cmdb_ci_linux_server", {"name": name}) for name in ("PS ORA01", "PS Apache01")]
    return made[0]["sys_id"], made[1]["sys_id"]


def _post(ire: Any, body: dict[str, Any], path: str = "/cmdb_ci_linux_server", method: str = "POST") -> Any:
    return ire.snow.call(method, ROOT + path, {"source": "ServiceNow", **body})


def _printed_payload(servers: tuple[str, str]) -> dict[str, Any]:
    return {
        "attributes": {"name": "lnux999", "firewall_status": "Intranet"},
        "outbound_relations": [{"type": kind, "target": servers[0]} for kind in (DEPENDS, EXCHANGES)],
        "inbound_relations": [{"type": DEPENDS, "target": servers[1]}],
    }


def test_a_ci_is_made_with_its_relations_as_printed(ire: Any, servers: tuple[str, str]) -> None:
    answer = _post(ire, _printed_payload(servers))
    ours, theirs = answer.json()["result"], recorded("cmdb-instance-post-200")["result"]

    assert answer.status_code == 200
    assert set(ours) == set(theirs)
    assert ours["attributes"]["discovery_source"] == "ServiceNow"
    both = set(ours["attributes"]) & set(theirs["attributes"])
    assert len(both) > 100
    for name in both:
        assert isinstance(ours["attributes"][name], str | dict), name
    for direction, count in (("outbound_relations", 2), ("inbound_relations", 1)):
        assert len(ours[direction]) == count
        assert set(ours[direction][0]) == set(theirs[direction][0])
        for name in ("type", "target"):
            assert set(ours[direction][0][name]) == set(theirs[direction][0][name])
    assert ours["inbound_relations"][0]["target"]["display_value"] == "PS Apache01"
    assert f"{ROOT}/cmdb_ci/{servers[1]}" in ours["inbound_relations"][0]["target"]["link"]


def test_targets_of_relations_are_left_as_they_are(ire: Any, servers: tuple[str, str]) -> None:
    before = [ire.instance.get("cmdb_ci", one) for one in servers]
    _post(ire, _printed_payload(servers))
    assert [ire.instance.get("cmdb_ci", one) for one in servers] == before


def test_the_same_call_twice_finds_the_ci_and_its_relations(ire: Any, servers: tuple[str, str]) -> None:
    first, again = (_post(ire, _printed_payload(servers)).json()["result"] for _ in range(2))
    assert again["attributes"]["sys_id"] == first["attributes"]["sys_id"]
    assert ire.count("cmdb_rel_ci") == 3


def test_a_dependent_class_hangs_on_the_target_of_its_relation(ire: Any, servers: tuple[str, str]) -> None:
    owns = ire.row("cmdb_rel_type", name="Owns::Owned by")["sys_id"]
    attributes = {"name": "eth0", "mac_address": "aa:aa:aa:aa:aa:aa"}
    alone = _post(ire, {"attributes": attributes}, "/cmdb_ci_network_adapter")
    assert alone.json()["result"]["items"][0]["errors"][0]["error"] == "MISSING_DEPENDENCY"
    body = {"attributes": attributes, "inbound_relations": [{"type": owns, "target": servers[0]}]}
    assert _post(ire, body, "/cmdb_ci_network_adapter").status_code == 200
    assert ire.count("cmdb_ci_network_adapter") == 1


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_an_update_keeps_what_was_not_sent(ire: Any, servers: tuple[str, str], method: str) -> None:
    path = f"/cmdb_ci_linux_server/{servers[0]}"
    answer = _post(ire, {"attributes": {"ip_address": "10.0.0.1"}}, path, method)
    assert answer.status_code == 200
    told = answer.json()["result"]["attributes"]
    assert (told["name"], told["ip_address"], told["sys_id"]) == ("PS ORA01", "10.0.0.1", servers[0])


def test_relations_are_added_and_removed_alone(ire: Any, servers: tuple[str, str]) -> None:
    path = f"/cmdb_ci_linux_server/{servers[0]}/relation"
    relation = {"outbound_relations": [{"type": DEPENDS, "target": servers[1]}]}
    told = [_post(ire, relation, path).json()["result"] for _ in range(2)]
    assert len(told[1]["outbound_relations"]) == 1
    assert ire.count("cmdb_rel_ci") == 1

    row = told[0]["outbound_relations"][0]["sys_id"]
    stranger = ire.instance.insert("cmdb_ci_linux_server", {"name": "Other"})["sys_id"]
    assert ire.snow.call("DELETE", f"{ROOT}/cmdb_ci_linux_server/{stranger}/relation/{row}").status_code == 404
    gone = ire.snow.call("DELETE", f"{ROOT}{path}/{row}")
    assert (gone.status_code, gone.content) == (200, b"")
    assert ire.count("cmdb_rel_ci") == 0
    assert ire.snow.call("DELETE", f"{ROOT}{path}/{row}").status_code == 404
    assert ire.snow.call("DELETE", f"{ROOT}{path}").status_code == 405
    assert ire.snow.call("GET", f"{ROOT}{path}/{row}").status_code == 405


def test_a_list_holds_sys_id_and_name_and_takes_limit_offset_and_query(ire: Any, servers: tuple[str, str]) -> None:
    def listed(**parameters: Any) -> list[dict[str, str]]:
        result: list[dict[str, str]] = ire.snow.get(f"{ROOT}/cmdb_ci_linux_server", **parameters).json()["result"]
        return result

    assert [set(one) for one in listed()] == [set(recorded("cmdb-instance-list-200")["result"][0])] * 2
    ordered = "ORDERBYname"
    assert [one["name"] for one in listed(sysparm_query=ordered)] == ["PS Apache01", "PS ORA01"]
    assert [one["name"] for one in listed(sysparm_query=ordered, sysparm_limit=1, sysparm_offset=1)] == ["PS ORA01"]
    assert [one["sys_id"] for one in listed(sysparm_query="name=ps ora01")] == [servers[0]]


def test_one_ci_shows_references_with_link_value_and_display_value(ire: Any, servers: tuple[str, str]) -> None:
    place = ire.instance.insert("cmn_location", {"name": "HQ"})["sys_id"]
    ire.instance.update("cmdb_ci", servers[0], {"location": place})
    ire.instance.insert("cmdb_rel_ci", {"parent": servers[0], "child": servers[1], "type": DEPENDS})
    ours = ire.snow.get(f"{ROOT}/cmdb_ci_linux_server/{servers[0]}").json()["result"]
    theirs = recorded("cmdb-instance-get-200")["result"]

    assert set(ours) == set(theirs)
    assert set(ours["outbound_relations"][0]) == set(theirs["outbound_relations"][0])
    assert ours["attributes"]["location"]["display_value"] == "HQ"
    assert set(ours["attributes"]["location"]) == set(theirs["attributes"]["managed_by"])
    assert ours["attributes"]["operational_status"] == "1"


def test_a_source_that_is_no_choice_is_the_engines_envelope_in_a_400(ire: Any) -> None:
    body = {"attributes": {"name": "HOST", "serial_number": "SN"}, "source": "Intune"}
    answer = ire.snow.post(f"{ROOT}/cmdb_ci_computer", body)
    assert answer.status_code == 400
    assert answer.json() == recorded("cmdb-instance-post-invalid-data-source")
    assert ire.count("cmdb_ci") == 0


@pytest.mark.parametrize(
    ("value", "java"), [(4, "java.lang.Double"), (1.5, "java.lang.Double"), (True, "java.lang.Boolean")]
)
def test_a_value_that_is_no_string_is_a_500(ire: Any, value: object, java: str) -> None:
    answer = _post(ire, {"attributes": {"name": "x", "cpu_count": value}})
    assert answer.status_code == 500
    expected = recorded("error-500-cmdb-instance-nonstring")["error"]
    told = answer.json()["error"]
    assert told["message"] == f"class {java} cannot be cast to class java.lang.String"
    assert set(told) == set(expected)
    assert java != "java.lang.Double" or told == expected
    assert ire.count("cmdb_ci") == 0


@pytest.mark.parametrize(
    "body",
    [
        {"attributes": {"name": "x"}, "outbound_relations": {"type": DEPENDS}},
        {"attributes": {"name": "x"}, "outbound_relations": [{"type": DEPENDS}]},
        {"attributes": {"name": "x"}, "inbound_relations": [{"type": "f" * 32, "target": "f" * 32}]},
        {"name": "x"},
    ],
)
def test_what_does_not_fit_is_the_generic_500(ire: Any, body: dict[str, Any]) -> None:
    answer = _post(ire, body)
    assert (answer.status_code, answer.json()) == (500, recorded("cmdb-instance-post-missing-target-error"))
    assert ire.count("cmdb_ci") == 0


def test_what_is_not_there_is_a_404_and_other_methods_a_405(ire: Any, servers: tuple[str, str]) -> None:
    assert ire.snow.get(f"{ROOT}/cmdb_ci_nothing").status_code == 404
    assert ire.snow.get(f"{ROOT}/cmdb_ci_linux_server/{'f' * 32}").status_code == 404
    assert ire.snow.get(f"{ROOT}/cmdb_ci_printer/{servers[0]}").status_code == 404
    assert ire.snow.call("DELETE", f"{ROOT}/cmdb_ci_linux_server/{servers[0]}").status_code == 405
    assert ire.snow.get(f"{ROOT}/cmdb_ci_linux_server/{servers[0]}/relation").status_code == 405
    assert ire.snow.get(f"{ROOT}/cmdb_ci_linux_server/{servers[0]}/other").status_code == 400


def test_the_role_itil_is_needed(ire: Any) -> None:
    keeper = {"user_name": "keeper", "password": "p", "roles": ["asset"]}
    ire.snow.call("POST", "/_sandbox/users", keeper, auth=None).raise_for_status()
    assert ire.snow.get(f"{ROOT}/cmdb_ci", auth=("keeper", "p")).status_code == 403
