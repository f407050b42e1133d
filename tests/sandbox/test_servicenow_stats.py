"""The Aggregate API of the sandbox: numbers as text, one object ungrouped, a list grouped."""

from __future__ import annotations

import pytest


@pytest.fixture
def filled(snow):
    for name, table, ports in (
        ("a", "cmdb_ci_ip_switch", 8),
        ("b", "cmdb_ci_ip_switch", 24),
        ("c", "cmdb_ci_ip_router", 4),
    ):
        snow.insert(table, name=name, ports=ports)
    return snow


def result(snow, table: str, **parameters: str):
    answer = snow.get(f"/api/now/stats/{table}", **parameters)
    assert answer.status_code == 200
    return answer.json()["result"]


def test_an_ungrouped_count_is_an_object(filled) -> None:
    assert result(filled, "cmdb_ci", sysparm_count="true") == {"stats": {"count": "3"}}
    assert result(filled, "cmdb_ci", sysparm_count="true", sysparm_query="name=a") == {"stats": {"count": "1"}}


def test_an_unknown_term_is_dropped_here_too(filled) -> None:
    assert result(filled, "cmdb_ci", sysparm_count="true", sysparm_query="u_x=a") == {"stats": {"count": "3"}}


def test_aggregates_have_the_printed_forms(filled) -> None:
    fields = {f"sysparm_{kind}_fields": "ports" for kind in ("avg", "min", "max", "sum")}
    stats = result(filled, "cmdb_ci_netgear", **fields)["stats"]
    assert stats == {"avg": {"ports": "12.0000"}, "min": {"ports": "4"}, "max": {"ports": "24"}, "sum": {"ports": "36"}}


def test_groups_come_as_a_list_with_their_field_and_value(filled) -> None:
    grouped = {"sysparm_count": "true", "sysparm_group_by": "sys_class_name"}
    assert result(filled, "cmdb_ci", **grouped, sysparm_order_by="COUNT") == [
        {"stats": {"count": "2"}, "groupby_fields": [{"value": "cmdb_ci_ip_switch", "field": "sys_class_name"}]},
        {"stats": {"count": "1"}, "groupby_fields": [{"value": "cmdb_ci_ip_router", "field": "sys_class_name"}]},
    ]
    shown = result(filled, "cmdb_ci", **grouped, sysparm_having="count^*^>^1", sysparm_display_value="true")
    assert [group["groupby_fields"] for group in shown] == [[{"value": "IP Switch", "field": "sys_class_name"}]]


def test_an_unknown_table_is_refused_as_in_the_table_api(filled) -> None:
    answer = filled.get("/api/now/stats/nope", sysparm_count="true")
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, "Invalid table nope")
