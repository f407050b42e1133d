"""The sandbox answers in the shape of recorded and printed answers: same status, keys, JSON types and headers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import requests

RECORDED = Path(__file__).parents[1] / "fixtures" / "servicenow"
RELEASES = {"rejection_goto", "wf_activity", "hold_reason", "reopened_by", "reopened_time"}
"""Incident fields that came or went between the releases the answers were taken from."""

PRESENT_ON_EVERY_ANSWER = {"Strict-Transport-Security", "Server", "X-Is-Logged-In", "X-Transaction-ID", "Set-Cookie"}
PRESENT_WITH_A_BODY = {"Pragma", "Cache-Control", "Expires", "Content-Type"}
"""As in recorded exchanges; a 204 and a 201 without body have only the first group."""


def recorded(name: str) -> dict[str, Any]:
    exchange: dict[str, Any] = json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))
    return exchange["response"]


def kinds(value: Any) -> Any:
    """Keys and types; of a list the kinds of its entries."""
    if isinstance(value, dict):
        return {key: kinds(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [kinds(entry) for entry in value[:1]]
    return type(value).__name__


def assert_alike(answer: requests.Response, name: str) -> None:
    expected = recorded(name)
    assert answer.status_code == expected["status"]
    assert kinds(answer.json()) == kinds(expected["body"])
    lacking = set(expected["headers"]) - {"Transfer-Encoding"} - set(answer.headers)
    assert not lacking, f"headers {lacking} are not sent"


@pytest.mark.parametrize("name", ["table-post-201", "table-patch-200", "table-get-record-200"])
def test_an_incident_has_the_fields_and_kinds_of_the_printed_ones(snow, name: str) -> None:
    user = snow.app.instance.find("sys_user", user_name="snowload")[0]["sys_id"]
    group = snow.insert("sys_user_group", name="g")["sys_id"]
    row = snow.insert("incident", short_description="x", assignment_group=group, assigned_to=user, impact=2, urgency=2)
    ours, theirs = row, recorded(name)["body"]["result"]
    assert set(ours) ^ set(theirs) <= RELEASES
    for key in set(ours) & set(theirs):
        if ours[key] and theirs[key]:
            assert kinds(ours[key]) == kinds(theirs[key]), key
    assert (ours["priority"], ours["state"], ours["notify"], ours["severity"]) == ("3", "1", "1", "3")


def test_the_headers_of_a_get_are_those_of_a_real_one(snow) -> None:
    answer = snow.get("/api/now/table/incident")
    expected = recorded("headers-table-get-basic-auth")["headers"]
    assert set(expected) - {"Transfer-Encoding", "X-Content-Type-Options"} <= set(answer.headers)
    for name in ("Content-Type", "Pragma", "Cache-Control", "Expires", "Server", "X-Is-Logged-In"):
        assert answer.headers[name] == expected[name]
    assert len(answer.headers["X-Transaction-ID"]) == 12
    sent = {cookie.partition("=")[0] for cookie in answer.raw.headers.getlist("Set-Cookie")}
    real = {cookie.partition("=")[0] for cookie in expected["Set-Cookie"]}
    assert {name.partition("_")[0] if name.startswith("BIGip") else name for name in sent} == {
        name.partition("_")[0] if name.startswith("BIGip") else name for name in real
    }


def test_each_kind_of_answer_has_the_headers_recorded_for_it(snow) -> None:
    created = snow.post("/api/now/table/incident", {"number": "A"})
    silent = snow.post("/api/now/table/incident", {"number": "B"}, headers={"X-no-response-body": "true"})
    path = f"/api/now/table/incident/{created.json()['result']['sys_id']}"
    deleted, missing = snow.call("DELETE", path), snow.call("DELETE", path)
    for answer, with_body in ((created, True), (silent, False), (deleted, False), (missing, True)):
        assert set(answer.headers) >= PRESENT_ON_EVERY_ANSWER
        assert bool(set(answer.headers) & PRESENT_WITH_A_BODY) == with_body
    refused = snow.get(path, auth=("snowload", "wrong"))
    assert refused.headers["Connection"] == "close"
    assert set(refused.headers) >= PRESENT_WITH_A_BODY | {"WWW-Authenticate", "Set-Cookie"}


def test_display_values_have_the_measured_shape(snow) -> None:
    company = snow.insert("core_company", name="Ubiquiti")["sys_id"]
    snow.insert("cmdb_ci_ip_switch", name="IP-Switch-1", manufacturer=company)
    asked = {"sysparm_display_value": "all", "sysparm_fields": "sys_id,name,manufacturer,sys_created_on"}
    answer = snow.get("/api/now/table/cmdb_ci_ip_switch", **asked, sysparm_limit="1")
    assert_alike(answer, "table-get-displayvalue-all-constructed-200")


def test_walked_fields_with_display_values_have_the_printed_shape(snow) -> None:
    department = snow.insert("cmn_department", name="Accounting")["sys_id"]
    user = snow.insert("sys_user", user_name="fred", name="Fred", department=department)["sys_id"]
    role = snow.app.instance.find("sys_user_role", name="itil")[0]["sys_id"]
    snow.insert("sys_user_has_role", user=user, role=role)
    answer = snow.get(
        "/api/now/table/sys_user_has_role",
        auth=snow.admin,
        sysparm_fields="role,role.name,user,user.name,user.sys_id,user.department",
        sysparm_query=f"role={role}^ORrole=x",
        sysparm_display_value="true",
    )
    assert_alike(answer, "table-get-dotwalk-displayvalue-200")


def test_the_link_header_has_the_printed_form(snow) -> None:
    for number in range(5):
        snow.insert("cmdb_ci", name=str(number))
    answer = snow.get("/api/now/table/cmdb_ci", sysparm_limit="2", sysparm_offset="2", sysparm_fields="sys_id")
    assert_alike(answer, "table-get-link-header-constructed-200")
    relations = [part.rpartition(";")[2] for part in answer.headers["Link"].split(",")]
    printed = recorded("table-get-link-header-constructed-200")["headers"]["Link"]
    assert relations == [part.rpartition(";")[2] for part in printed.split(",")]


def test_batches_have_the_printed_shape(snow) -> None:
    headers = [{"name": "Accept", "value": "application/json"}]
    requests_sent = [
        {"id": "a", "method": "GET", "url": "/api/now/table/cmdb_ci_ip_switch?sysparm_limit=1", "headers": headers},
        {"id": "b", "method": "GET", "url": f"/api/now/table/cmdb_ci/{'0' * 32}", "exclude_response_headers": True},
        {"id": "c", "method": "POST", "url": "/api/now/table/cmdb_rel_ci", "body": "e30="},
    ]
    snow.option(batch_items=2)
    answer = snow.post("/api/now/v1/batch", {"batch_request_id": "7", "rest_requests": requests_sent})
    assert_alike(answer, "batch-mixed-constructed-200")
    assert (
        answer.json()["serviced_requests"][1]["body"]
        == (recorded("batch-mixed-constructed-200")["body"]["serviced_requests"][1]["body"])
    )
    printed = recorded("batch-200")["body"]["serviced_requests"][1]
    assert kinds(answer.json()["serviced_requests"][1]) == kinds(printed)


def test_counts_and_groups_have_the_printed_shape(snow) -> None:
    snow.insert("incident", reassignment_count=2, business_stc=10)
    assert_alike(snow.get("/api/now/stats/incident", sysparm_count="true"), "stats-count-constructed-200")
    grouped = {"sysparm_avg_fields": "reassignment_count,business_stc", "sysparm_group_by": "assignment_group"}
    answer = snow.get("/api/now/stats/incident", **grouped)
    assert_alike(answer, "stats-groupby-200")
    assert answer.json()["result"][0]["stats"]["avg"] == {"business_stc": "10.0000", "reassignment_count": "2.0000"}


def test_a_token_has_the_printed_shape(snow) -> None:
    login = {"username": "snowload", "password": "snowload-demo"}
    client = {"client_id": "snowload-demo", "client_secret": "snowload-demo-secret"}
    answer = requests.post(f"{snow.url}/oauth_token.do", data={"grant_type": "password", **login, **client}, timeout=30)
    assert_alike(answer, "oauth-password-200")


def test_refusals_are_word_for_word_the_recorded_ones(snow) -> None:
    snow.option(
        data_policies=[{"table": "incident", "fields": ["close_code"], "when": "state=6"}],
        hidden_fields={"sys_choice": ["element"]},
        oauth_scopes={"snowload-demo": []},
    )
    incident = snow.insert("incident", number="A")["sys_id"]
    login = {"grant_type": "password", "username": "snowload", "password": "snowload-demo"}
    client = {"client_id": "snowload-demo", "client_secret": "snowload-demo-secret"}
    token = requests.post(f"{snow.url}/oauth_token.do", data={**login, **client}, timeout=30).json()["access_token"]
    said = {
        "error-400-invalid-table": snow.get("/api/now/table/not_a_real_class"),
        "error-401": snow.get("/api/now/table/sys_user", auth=("snowload", "wrong")),
        "error-401-bearer-constructed": snow.get(
            "/api/now/table/incident", auth=None, headers={"Authorization": "Bearer expired"}
        ),
        "error-403-data-policy": snow.call(
            "PATCH", f"/api/now/table/incident/{incident}", {"state": "6", "close_code": "Solved (Permanently)"}
        ),
        "error-403-query-field-acl": snow.get("/api/now/table/sys_choice", sysparm_query="name=incident^element=state"),
        "error-403-oauth-unscoped-api": snow.get(
            "/api/now/table/incident", auth=None, headers={"Authorization": f"Bearer {token}"}
        ),
    }
    for name, answer in said.items():
        assert_alike(answer, name)
        assert answer.json() == recorded(name)["body"], name


def test_the_rate_limits_refusal_is_the_printed_one(snow) -> None:
    snow.insert("sys_rate_limit_rules", rest_api="Table API", request_limit=100, type="all", active="true")
    with requests.Session() as jar:
        for _ in range(100):
            snow.get("/api/now/table/incident", session=jar)
    answer = snow.get("/api/now/table/incident")
    assert_alike(answer, "error-429-rate-limit")
    assert answer.json() == recorded("error-429-rate-limit")["body"]
