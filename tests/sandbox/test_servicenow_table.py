"""The Table API of the sandbox answers as documented, refusals in the product's words."""

from __future__ import annotations

import pytest
import requests

NO_RECORD = {
    "error": {
        "message": "No Record found",
        "detail": "Record doesn't exist or ACL restricts the record retrieval",
    },
    "status": "failure",
}


def error(answer: requests.Response) -> tuple[int, str, str | None]:
    body = answer.json()
    assert (set(body), body["status"]) == ({"error", "status"}, "failure")
    return answer.status_code, body["error"]["message"], body["error"]["detail"]


def switches(snow, count: int) -> list[str]:
    return [snow.insert("cmdb_ci_ip_switch", name=f"sw-{number}")["sys_id"] for number in range(count)]


def test_every_value_is_text_and_an_empty_one_is_there(snow) -> None:
    snow.insert("cmdb_ci_ip_switch", name="sw", ports=24, can_switch=True)
    row = snow.rows("cmdb_ci_ip_switch", sysparm_exclude_reference_link="true")[0]
    assert all(isinstance(value, str) for value in row.values())
    assert (row["ports"], row["can_switch"], row["serial_number"]) == ("24", "true", "")


def test_a_list_on_a_parent_table_holds_each_record_with_its_own_class(snow) -> None:
    snow.insert("cmdb_ci_ip_switch", name="sw")
    snow.insert("cmdb_ci", name="gw", sys_class_name="cmdb_ci_ip_router")
    assert {row["sys_class_name"] for row in snow.rows("cmdb_ci")} == {"cmdb_ci_ip_switch", "cmdb_ci_ip_router"}


def test_a_parents_table_shows_and_takes_the_parents_fields_only(snow) -> None:
    row = snow.insert("cmdb_ci_ip_switch", name="sw", ports=24)
    assert "ports" not in snow.rows("cmdb_ci")[0]
    assert snow.rows("cmdb_ci", sysparm_fields="name,ports") == [{"name": "sw"}]
    snow.call("PATCH", f"/api/now/table/cmdb_ci/{row['sys_id']}", {"ports": 8, "name": "new"})
    assert snow.rows("cmdb_ci_netgear", sysparm_fields="name,ports") == [{"name": "new", "ports": "24"}]


def test_references_show_as_the_display_parameter_asks(snow) -> None:
    company = snow.insert("core_company", name="Ubiquiti")["sys_id"]
    snow.insert("cmdb_ci_ip_switch", name="sw", manufacturer=company)
    link = f"{snow.url}/api/now/table/core_company/{company}"
    asked = {"sysparm_fields": "manufacturer,location"}

    def shown(display: str, exclude: str) -> dict[str, object]:
        parameters = {"sysparm_display_value": display, "sysparm_exclude_reference_link": exclude}
        return snow.rows("cmdb_ci_ip_switch", **asked, **parameters)[0]

    assert shown("false", "false") == {"manufacturer": {"link": link, "value": company}, "location": ""}
    assert shown("true", "false")["manufacturer"] == {"display_value": "Ubiquiti", "link": link}
    assert shown("all", "false") == {
        "manufacturer": {"display_value": "Ubiquiti", "link": link, "value": company},
        "location": {"display_value": "", "value": ""},
    }
    assert shown("false", "true")["manufacturer"] == company
    assert shown("true", "true")["manufacturer"] == "Ubiquiti"
    assert shown("all", "true")["manufacturer"] == {"display_value": "Ubiquiti", "value": company}


def test_choices_classes_and_times_have_display_values(snow) -> None:
    snow.insert("cmdb_ci_ip_switch", name="sw", install_status="7")
    asked = "install_status,sys_class_name,sys_created_on"
    row = snow.rows("cmdb_ci", sysparm_fields=asked, sysparm_display_value="all")[0]
    assert row == {
        "install_status": {"display_value": "Retired", "value": "7"},
        "sys_class_name": {"display_value": "IP Switch", "value": "cmdb_ci_ip_switch"},
        "sys_created_on": {"display_value": "2026-11-21 20:31:23", "value": "2026-11-22 04:31:23"},
    }


def test_fields_may_walk_references_and_unknown_ones_are_left_out(snow) -> None:
    parent = snow.insert("cmn_location", name="Europe")["sys_id"]
    place = snow.insert("cmn_location", name="Lyon", parent=parent)["sys_id"]
    snow.insert("cmdb_ci", name="a", location=place)
    asked = "name,location.parent.name,location.u_x,u_y"
    assert snow.rows("cmdb_ci", sysparm_fields=asked) == [{"name": "a", "location.parent.name": "Europe"}]
    assert snow.rows("cmn_location", "name=Lyon", sysparm_fields="full_name") == [{"full_name": "Europe/Lyon"}]


def test_a_sole_record_is_an_object_and_a_missing_one_is_404_whatever_the_reason(snow) -> None:
    sys_id = switches(snow, 1)[0]
    assert snow.get(f"/api/now/table/cmdb_ci/{sys_id}").json()["result"]["sys_class_name"] == "cmdb_ci_ip_switch"
    for path in (f"cmdb_ci_ip_router/{sys_id}", f"cmdb_ci/{'0' * 32}", "cmdb_ci/NoId"):
        for method in ("GET", "PATCH", "DELETE"):
            answer = snow.call(method, f"/api/now/table/{path}", {} if method == "PATCH" else None)
            assert (answer.status_code, answer.json()) == (404, NO_RECORD)


def test_an_unknown_table_is_400_for_every_account_and_has_no_count(snow) -> None:
    for auth in (("snowload", "snowload-demo"), snow.admin):
        answer = snow.get("/api/now/table/not_a_real_class", auth=auth)
        assert error(answer) == (400, "Invalid table not_a_real_class", None)
        assert "X-Total-Count" not in answer.headers


@pytest.mark.parametrize("path", ["/api/now/nothing", "/api/now/v7/table/incident", "/api/now/table", "/api/x/y"])
def test_an_unknown_path_is_no_resource(snow, path: str) -> None:
    assert error(snow.get(path)) == (400, "Requested URI does not represent any resource", None)


def test_only_the_first_version_answers_404_for_an_empty_list(snow) -> None:
    for path, status in (("", 200), ("v2/", 200), ("v1/", 404)):
        answer = snow.get(f"/api/now/{path}table/incident")
        assert answer.status_code == status
        assert answer.json() == (NO_RECORD if status == 404 else {"result": []})


def test_insert_answers_201_with_the_record_and_where_it_is_under_the_same_version(snow) -> None:
    for version in ("", "v1/", "v2/"):
        answer = snow.post(f"/api/now/{version}table/incident", {"short_description": "x" * 200})
        result = answer.json()["result"]
        assert answer.status_code == 201
        assert answer.headers["Location"] == f"{snow.url}/api/now/{version}table/incident/{result['sys_id']}"
        assert (len(result["short_description"]), result["priority"], result["sys_created_by"]) == (
            160,
            "5",
            "snowload",
        )


def test_only_the_first_record_of_a_list_is_inserted(snow) -> None:
    answer = snow.post("/api/now/table/incident", [{"number": "A"}, {"number": "B"}])
    assert answer.json()["result"]["number"] == "A"
    assert len(snow.rows("incident")) == 1


def test_an_empty_body_makes_an_empty_record_and_a_broken_one_is_400(snow) -> None:
    assert snow.post("/api/now/table/incident", {}).status_code == 201
    broken = requests.post(
        f"{snow.url}/api/now/table/incident",
        data="{",
        auth=snow.admin,
        headers={"Content-Type": "application/json"},
        timeout=30,
    )
    assert error(broken)[:2] == (400, "Exception while reading request")


def test_put_and_patch_keep_fields_that_are_not_sent(snow) -> None:
    row = snow.insert("cmdb_ci_ip_switch", name="sw", comments="c", ports=8)
    for method, values, count in (
        ("PUT", {"name": "b"}, "1"),
        ("PATCH", {"ports": 9}, "2"),
        ("PATCH", {"ports": 9}, "2"),
    ):
        answer = snow.call(method, f"/api/now/table/cmdb_ci_ip_switch/{row['sys_id']}", values)
        assert (answer.status_code, "Location" in answer.headers) == (200, False)
        assert answer.json()["result"]["sys_mod_count"] == count
    kept = answer.json()["result"]
    assert (kept["name"], kept["ports"], kept["comments"]) == ("b", "9", "c")


def test_an_empty_text_and_null_clear_a_field(snow) -> None:
    row = snow.insert("cmdb_ci", name="sw", comments="c", asset_tag="t")
    answer = snow.call("PATCH", f"/api/now/table/cmdb_ci/{row['sys_id']}", {"comments": "", "asset_tag": None})
    assert (answer.json()["result"]["comments"], answer.json()["result"]["asset_tag"]) == ("", "")


def test_unknown_fields_and_choices_vanish_without_a_word(snow) -> None:
    row = snow.insert("cmdb_ci", name="sw", u_size="9", install_status="99", discovery_source="Nobody")
    assert ("u_size" in row, row["install_status"], row["discovery_source"]) == (False, "", "")
    snow.properties(glide__rest__choice__allow_non_existing_value="true")
    assert snow.insert("cmdb_ci", name="sw", discovery_source="Nobody")["discovery_source"] == "Nobody"


def test_a_known_sys_id_is_refused_without_saying_so(snow) -> None:
    row = snow.insert("incident", sys_id="0" * 31 + "1", number="N1")
    assert row["sys_id"] == "0" * 31 + "1"
    answer = snow.post("/api/now/table/incident", {"sys_id": row["sys_id"], "number": "N2"})
    assert error(answer) == (403, "Operation Failed", "Error during insert of incident (N2)")
    assert len(snow.rows("incident")) == 1


def test_display_values_on_the_way_in_are_resolved_when_asked_for(snow) -> None:
    company = snow.insert("core_company", name="Ubiquiti")["sys_id"]
    values = {"manufacturer": "ubiquiti", "install_status": "Retired", "last_discovered": "2026-11-21 20:00:00"}
    answer = snow.post("/api/now/table/cmdb_ci", values, sysparm_input_display_value="true",
                       sysparm_exclude_reference_link="true")  # fmt: skip
    row = answer.json()["result"]
    expected = (company, "7", "2026-11-22 04:00:00")
    assert (row["manufacturer"], row["install_status"], row["last_discovered"]) == expected
    nobody = snow.post("/api/now/table/cmdb_ci", {"manufacturer": "x"}, sysparm_input_display_value="true")
    assert nobody.json()["result"]["manufacturer"] == ""


def test_delete_is_204_once_and_404_again_and_a_204_has_no_content_type(snow) -> None:
    sys_id = switches(snow, 1)[0]
    first = snow.call("DELETE", f"/api/now/table/cmdb_ci_ip_switch/{sys_id}")
    assert (first.status_code, first.content, first.headers.get("Content-Type")) == (204, b"", None)
    assert snow.call("DELETE", f"/api/now/table/cmdb_ci_ip_switch/{sys_id}").status_code == 404


def test_an_answer_without_body_keeps_its_location(snow) -> None:
    answer = snow.post("/api/now/table/incident", {"number": "A"}, headers={"X-no-response-body": "true"})
    assert (answer.status_code, answer.content, "Content-Type" in answer.headers) == (201, b"", False)
    assert answer.headers["Location"].startswith(f"{snow.url}/api/now/table/incident/")
    assert snow.get("/api/now/table/incident", headers={"X-no-response-body": "true"}).json()["result"]


def test_plain_pairs_filter_and_take_display_values(snow) -> None:
    company = snow.insert("core_company", name="Ubiquiti")["sys_id"]
    snow.insert("cmdb_ci", name="a", install_status="7", manufacturer=company)
    snow.insert("cmdb_ci", name="b")
    assert [row["name"] for row in snow.rows("cmdb_ci", install_status="Retired")] == ["a"]
    assert [row["name"] for row in snow.rows("cmdb_ci", manufacturer="Ubiquiti", name="a", u_x="1")] == ["a"]


def test_pages_count_and_link(snow) -> None:
    switches(snow, 5)
    page = {"sysparm_query": "ORDERBYname", "sysparm_limit": "2", "sysparm_fields": "name"}
    answer = snow.get("/api/now/table/cmdb_ci", **page, sysparm_offset="2")
    assert [row["name"] for row in answer.json()["result"]] == ["sw-2", "sw-3"]
    assert answer.headers["X-Total-Count"] == "5"
    links = requests.utils.parse_header_links(answer.headers["Link"])
    targets = {link["rel"]: link["url"].rpartition("sysparm_offset=")[2] for link in links}
    assert targets == {"first": "0", "prev": "0", "next": "4", "last": "4"}
    following = requests.get(next(link["url"] for link in links if link["rel"] == "next"), auth=snow.admin, timeout=30)
    assert [row["name"] for row in following.json()["result"]] == ["sw-4"]
    quiet = snow.get("/api/now/table/cmdb_ci", **page, sysparm_suppress_pagination_header="true")
    assert ("Link" in quiet.headers, quiet.headers["X-Total-Count"]) == (False, "5")
    assert "X-Total-Count" not in snow.get("/api/now/table/cmdb_ci", **page, sysparm_no_count="true").headers


def test_hidden_rows_shorten_and_empty_pages_but_are_counted(snow) -> None:
    snow.option(hidden_rows={"cmdb_ci": "nameINsw-0,sw-1"})
    hidden = switches(snow, 4)[0]
    page = {"sysparm_query": "ORDERBYname", "sysparm_limit": "2", "sysparm_fields": "name"}
    first, second = (snow.get("/api/now/table/cmdb_ci", **page, sysparm_offset=offset) for offset in ("0", "2"))
    assert (first.json()["result"], first.headers["X-Total-Count"]) == ([], "4")
    assert [row["name"] for row in second.json()["result"]] == ["sw-2", "sw-3"]
    assert snow.get(f"/api/now/table/cmdb_ci/{hidden}").status_code == 404
    assert snow.get(f"/api/now/table/cmdb_ci/{hidden}", auth=snow.admin).status_code == 200


def test_a_hidden_field_is_left_out_and_may_not_be_queried(snow) -> None:
    switches(snow, 1)
    snow.option(hidden_fields={"cmdb_ci": ["serial_number"]})
    assert "serial_number" not in snow.rows("cmdb_ci_ip_switch")[0]
    assert error(snow.get("/api/now/table/cmdb_ci_ip_switch", sysparm_query="serial_number=1")) == (
        403,
        "Insufficient rights to query records",
        "Field(s) present in the query do not have permission to be read",
    )


def test_an_unknown_query_field_returns_all_rows_or_none_or_403_as_the_instance_is_set(snow) -> None:
    switches(snow, 3)
    assert len(snow.rows("cmdb_ci", "u_key=1")) == 3
    snow.option(strict_query_tables=["cmdb_ci"])
    assert snow.get("/api/now/table/cmdb_ci", sysparm_query="u_key=1").status_code == 403
    snow.option(strict_query_tables=[])
    snow.properties(glide__invalid_query__returns_no_rows="true")
    assert snow.rows("cmdb_ci", "u_key=1") == []


def test_refusals_by_content_name_policy_rule_or_access_and_leave_nothing_behind(snow) -> None:
    snow.option(
        data_policies=[{"table": "incident", "fields": ["close_notes", "close_code"], "when": "state=6"}],
        business_rules=[{"table": "cmdb_ci", "name": "No blanks", "when": "nameISEMPTY", "sys_id": "f" * 32}],
        protected_tables=["core_company"],
    )
    answer = snow.post("/api/now/table/incident", {"state": "6", "close_code": "invented"})
    policy = "Data Policy Exception: The following fields are mandatory: Resolution notes, Resolution code"
    assert error(answer) == (403, "Operation Failed", policy)
    rule = f"Operation against file 'cmdb_ci_ip_switch' was aborted by Business Rule 'No blanks^{'f' * 32}'."
    status, message, detail = error(snow.post("/api/now/table/cmdb_ci_ip_switch", {}))
    assert (status, message, str(detail).startswith(rule)) == (403, "Operation Failed", True)
    access = "ACL Exception Insert Failed due to security constraints"
    assert error(snow.post("/api/now/table/core_company", {"name": "x"}, auth=snow.admin))[2] == access
    assert snow.rows("incident") == snow.rows("cmdb_ci") == snow.rows("core_company") == []
    row = snow.insert("cmdb_ci", name="a")
    assert snow.call("PATCH", f"/api/now/table/cmdb_ci/{row['sys_id']}", {"name": ""}).status_code == 403
    assert [found["name"] for found in snow.rows("cmdb_ci")] == ["a"]


def test_a_row_budget_cuts_a_list_off_inside_a_200(snow) -> None:
    switches(snow, 4)
    snow.option(row_budget=2)
    answer = snow.get("/api/now/table/cmdb_ci")
    body = answer.json()
    assert (answer.status_code, list(body), len(body["result"])) == (200, ["result", "error", "status"], 2)
    assert body["error"]["message"] == "Transaction cancelled: maximum execution time exceeded"
    assert body["error"]["detail"].endswith("enable glide.rest.debug property to verify REST request processing")


def test_a_long_query_string_gets_a_page_in_html_and_a_batch_takes_it(snow) -> None:
    answer = snow.get("/api/now/table/cmdb_ci", sysparm_query="sys_idIN" + ",".join(["0" * 32] * 400))
    assert answer.headers["Content-Type"].startswith("text/html")


def test_media_types_and_methods_that_are_not_offered_are_refused(snow) -> None:
    assert error(snow.get("/api/now/table/incident", headers={"Accept": "application/xml"}))[0] == 406
    form = requests.post(f"{snow.url}/api/now/table/incident", data={"a": "b"}, auth=snow.admin, timeout=30)
    assert error(form)[0] == 415
    assert error(snow.call("DELETE", "/api/now/table/incident"))[0] == 405
    overridden = snow.post("/api/now/table/incident", {}, headers={"X-HTTP-Method-Override": "GET"})
    assert (overridden.status_code, overridden.json()["result"]) == (200, [])


def test_what_an_account_may_see_depends_on_its_roles(make_snow) -> None:
    from beast_dream_snow_loader.sandbox.servicenow.app import ADMIN_USER, DEMO_USER
    from beast_dream_snow_loader.sandbox.servicenow.auth import User

    snow = make_snow(users=(DEMO_USER, ADMIN_USER, User(user_name="guest", password="g")))
    snow.insert("cmdb_ci", name="a")
    guest = ("guest", "g")
    for table in ("sys_dictionary", "sys_properties"):
        assert snow.rows(table) == []
        assert int(snow.get(f"/api/now/table/{table}").headers["X-Total-Count"]) > 20
        assert snow.get(f"/api/now/table/{table}", auth=snow.admin).json()["result"]
    assert snow.rows("sys_db_object", "name=cmdb_ci", sysparm_fields="name") == [{"name": "cmdb_ci"}]
    empty = snow.get("/api/now/table/cmdb_ci", auth=guest)
    assert (empty.json()["result"], empty.headers["X-Total-Count"]) == ([], "1")
    assert snow.get("/api/now/table/sys_db_object", auth=guest).status_code == 403
    choices = snow.get("/api/now/table/sys_choice", auth=guest, sysparm_limit="1").json()["result"]
    assert set(choices[0]) == {"label"}
    assert snow.get("/api/now/table/sys_choice", auth=guest, sysparm_query="name=cmdb_ci").status_code == 403
    assert error(snow.post("/api/now/table/sys_choice", {"name": "x"}))[2].startswith("ACL Exception Insert")


def test_the_dictionary_holds_only_the_fields_a_table_declares_itself(snow) -> None:
    answer = snow.get(
        "/api/now/table/sys_dictionary", auth=snow.admin, sysparm_query="name=cmdb_ci_pdu^elementISNOTEMPTY"
    )
    assert [row["element"] for row in answer.json()["result"]] == ["outlet_count"]
    parent = snow.rows("sys_db_object", "name=cmdb_ci_pdu", sysparm_fields="super_class.name")
    assert parent == [{"super_class.name": "cmdb_ci_hardware"}]


def test_an_administrator_registers_a_discovery_source_by_one_choice_row(make_snow) -> None:
    snow = make_snow(sources=())
    assert snow.insert("cmdb_ci", name="a", discovery_source="UniFi")["discovery_source"] == ""
    snow.insert("sys_choice", name="cmdb_ci", element="discovery_source", label="UniFi", value="UniFi", language="en",
                inactive="false")  # fmt: skip
    assert snow.insert("cmdb_ci", name="b", discovery_source="UniFi")["discovery_source"] == "UniFi"
