"""The administrator's hand on the sandbox instance: what tests and newcomers use to play the other side."""

from __future__ import annotations

from pathlib import Path

import requests


def page(snow, method: str, path: str, json: object = None, **parameters: str) -> requests.Response:
    return requests.request(method, f"{snow.url}/_sandbox/{path}", json=json, params=parameters, timeout=30)


def test_rows_are_read_and_changed_behind_the_apis_back(snow) -> None:
    row = page(snow, "POST", "tables/cmdb_ci_ip_switch", {"name": "a"}, by="ann").json()
    assert row["sys_created_by"] == "ann"
    changed = page(snow, "PATCH", f"tables/cmdb_ci/{row['sys_id']}", {"name": "b"}).json()
    assert (changed["name"], changed["sys_updated_by"], changed["sys_mod_count"]) == ("b", "admin", "1")
    moved = page(snow, "POST", f"tables/cmdb_ci/{row['sys_id']}/class", {"class": "cmdb_ci_ip_router"}).json()
    assert moved["sys_class_name"] == "cmdb_ci_ip_router"
    dump = page(snow, "GET", "tables/cmdb_ci", query="name=b").json()
    assert [found["sys_id"] for found in dump["rows"]] == [row["sys_id"]]
    assert page(snow, "DELETE", f"tables/cmdb_ci/{row['sys_id']}").json() == {"deleted": True}
    assert page(snow, "GET", "tables/cmdb_ci").json() == {"rows": []}


def test_options_and_sources_are_set_while_it_runs(make_snow) -> None:
    snow = make_snow(sources=())
    assert page(snow, "POST", "options", {"row_budget": 5}).json()["row_budget"] == 5
    assert page(snow, "GET", "options").json()["row_budget"] == 5
    assert page(snow, "POST", "sources", {"name": "UniFi"}).status_code == 200
    assert snow.insert("cmdb_ci", name="a", discovery_source="UniFi")["discovery_source"] == "UniFi"


def test_users_are_added_and_changed(snow) -> None:
    page(snow, "POST", "users", {"user_name": "bob", "password": "b", "roles": ["itil"]})
    assert snow.get("/api/now/table/incident", auth=("bob", "b")).status_code == 200
    page(snow, "POST", "users", {"user_name": "bob", "password": "other", "roles": []})
    assert snow.get("/api/now/table/incident", auth=("bob", "b")).status_code == 401


def test_mistakes_are_told(snow) -> None:
    for method, path, body in (
        ("POST", "options", {"sleeping": True}),
        ("GET", "tables/nope", None),
        ("PATCH", "tables/cmdb_ci/" + "0" * 32, {}),
        ("POST", "tables/cmdb_ci", []),
        ("POST", "sources", {}),
        ("POST", "users", {"user_name": "x"}),
    ):
        assert page(snow, method, path, body).status_code == 400
    assert page(snow, "GET", "nothing").status_code == 404


def test_the_demo_rows_are_those_of_a_lived_in_instance_and_come_once(snow) -> None:
    snow.app.seed_demo()
    snow.app.seed_demo()
    assert snow.rows("core_company", "manufacturer=true", sysparm_fields="name") == [{"name": "Ubiquiti"}]
    foreign = snow.rows("cmdb_ci_hardware", "ORDERBYname", sysparm_fields="name,sys_created_by")
    assert [(row["name"], row["sys_created_by"]) for row in foreign] == [
        ("Access Point", "discovery"),
        ("core-sw-01", "discovery"),
        ("unifi-nvr-backup", "discovery"),
    ]
    model = snow.rows("cmdb_hardware_product_model", "model_number=U6-Lite", sysparm_fields="display_name")
    assert model == [{"display_name": "Ubiquiti U6 Lite"}]


def test_what_was_written_over_http_is_in_the_file_after_each_request(make_snow, tmp_path: Path) -> None:
    path = tmp_path / "cmdb.sqlite"
    first = make_snow(path=path)
    row = first.insert("cmdb_ci_ip_switch", name="a")
    second = make_snow(path=path)
    assert [found["sys_id"] for found in second.rows("cmdb_ci")] == [row["sys_id"]]


def test_a_merged_ci_leaves_its_keys_serials_and_relations_to_the_other(snow) -> None:
    kept, gone, neighbour = (snow.insert("cmdb_ci_ip_switch", name=name)["sys_id"] for name in "abc")
    kind = snow.rows("cmdb_rel_type")[0]["sys_id"]
    snow.insert("sys_object_source", name="UniFi", id="device/1", target_sys_id=gone, target_table="cmdb_ci_ip_switch")
    snow.insert("cmdb_serial_number", serial_number="1", cmdb_ci=gone)
    snow.insert("cmdb_rel_ci", parent=gone, child=neighbour, type=kind)
    snow.insert("cmdb_rel_ci", parent=kept, child=neighbour, type=kind)
    assert page(snow, "POST", f"tables/cmdb_ci/{gone}/merge", {"into": kept}).status_code == 200
    instance = snow.app.instance
    assert instance.get("cmdb_ci", gone) is None
    assert instance.find("sys_object_source", id="device/1")[0]["target_sys_id"] == kept
    assert instance.find("cmdb_serial_number", serial_number="1")[0]["cmdb_ci"] == kept
    assert [row["parent"] for row in instance.rows("cmdb_rel_ci")] == [kept]
    assert page(snow, "POST", f"tables/cmdb_ci/{gone}/merge", {"into": kept}).status_code == 400


def test_time_that_goes_by_moves_every_stored_moment_and_nothing_else(snow) -> None:
    row = snow.insert("cmdb_ci_ip_switch", name="a", last_discovered="2026-11-22 04:00:00")
    assert page(snow, "POST", "older", {"seconds": 86400}).status_code == 200
    now = snow.app.instance.get("cmdb_ci", row["sys_id"])
    assert (now["last_discovered"], now["sys_created_on"]) == ("2026-11-21 04:00:00", "2026-11-21 04:31:23")
    assert (now["name"], now["sys_mod_count"]) == ("a", "0")


def test_tables_and_apis_are_closed_to_everybody_but_administrators(snow) -> None:
    auth, table = ("snowload", "snowload-demo"), "/api/now/table/cmdb_rel_type"
    page(snow, "POST", "options", {"table_reading": {"cmdb_rel_type": "refused", "sys_properties": "all"}})
    assert snow.get(table, auth=auth).status_code == 403
    assert snow.get("/api/now/stats/cmdb_rel_type", auth=auth).status_code == 403
    assert snow.get("/api/now/table/sys_properties", auth=auth).json()["result"]
    page(snow, "POST", "options", {"table_reading": {"cmdb_rel_type": "empty"}, "closed_apis": ["CMDB Meta API"]})
    assert snow.get(table, auth=auth).json()["result"] == []
    meta = snow.get("/api/now/cmdb/meta/cmdb_ci", auth=auth)
    assert (meta.status_code, meta.json()["error"]["detail"]) == (403, "Failed API level ACL Validation")
    admin = ("admin", "admin-demo")
    assert snow.get(table, auth=admin).json()["result"]
    assert snow.get("/api/now/cmdb/meta/cmdb_ci", auth=admin).status_code == 200
