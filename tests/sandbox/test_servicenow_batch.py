"""The Batch API of the sandbox: many requests in one, each with its own fate."""

from __future__ import annotations

import base64
import json
from typing import Any


def item(identity: str, url: str, method: str = "GET", values: object = None, **more: object) -> dict[str, object]:
    sent: dict[str, object] = {"id": identity, "method": method, "url": url, **more}
    sent.setdefault("headers", [{"name": "Content-Type", "value": "application/json"}])
    if values is not None:
        sent["body"] = base64.b64encode(json.dumps(values).encode()).decode()
    return sent


def run(snow, *items: dict[str, object], **headers: str) -> dict[str, Any]:
    answer = snow.post("/api/now/v1/batch", {"batch_request_id": 7, "rest_requests": list(items)}, headers=headers)
    assert answer.status_code == 200
    body: dict[str, Any] = answer.json()
    assert (set(body), body["batch_request_id"]) == (
        {"batch_request_id", "serviced_requests", "unserviced_requests"},
        "7",
    )
    return body


def decoded(serviced: dict[str, Any]) -> Any:
    return json.loads(base64.b64decode(serviced["body"]))


def test_an_inner_failure_changes_neither_the_outer_status_nor_its_neighbours(snow) -> None:
    body = run(
        snow,
        item("a", "/api/now/table/cmdb_ci_ip_switch", "POST", {"name": "sw", "ports": 8}),
        item("b", f"/api/now/table/cmdb_ci/{'0' * 32}", exclude_response_headers=True),
        item("c", "/api/now/table/cmdb_ci?sysparm_query=name%3Dsw&sysparm_fields=name%2Cports", headers=[]),
    )
    first, second, third = body["serviced_requests"]
    assert [one["status_code"] for one in (first, second, third)] == [201, 404, 200]
    assert (first["status_text"], second["headers"]) == ("Created", [])
    assert decoded(second)["error"]["message"] == "No Record found"
    assert decoded(third)["result"] == [{"name": "sw"}]
    headers = {header["name"]: header["value"] for header in third["headers"]}
    assert (headers["X-Total-Count"], headers["Content-Type"]) == ("1", "application/json;charset=UTF-8")
    assert "Location" in {header["name"] for header in first["headers"]}


def test_items_run_under_the_rights_of_the_outer_login(snow) -> None:
    body = run(
        snow, item("a", "/api/now/table/sys_choice", "POST", {"name": "x"}), item("b", "/api/now/table/sys_dictionary")
    )
    refused, empty = body["serviced_requests"]
    assert (refused["status_code"], decoded(empty)) == (403, {"result": []})
    assert snow.post("/api/now/v1/batch", {"rest_requests": []}, auth=("snowload", "no")).status_code == 401


def test_a_query_too_long_for_a_url_works_inside_a_batch(snow) -> None:
    snow.insert("cmdb_ci", name="a")
    query = "nameINa," + ",".join(["0" * 32] * 600)
    body = run(snow, item("a", f"/api/now/table/cmdb_ci?sysparm_query={query}&sysparm_fields=name"))
    assert decoded(body["serviced_requests"][0]) == {"result": [{"name": "a"}]}


def test_what_no_longer_fits_the_time_is_listed_and_not_done(snow) -> None:
    snow.option(request_seconds=12)
    inserts = [item(str(number), "/api/now/table/cmdb_ci", "POST", {"name": f"c{number}"}) for number in range(5)]
    body = run(snow, *inserts)
    assert [one["id"] for one in body["serviced_requests"]] == ["0", "1", "2"]
    assert body["serviced_requests"][0]["execution_time"] == 12000
    assert body["unserviced_requests"] == ["3", "4"]
    assert snow.app.instance.count("cmdb_ci") == 3


def test_the_item_running_when_time_is_up_is_reported_failed_though_it_was_done(snow) -> None:
    snow.option(request_seconds=20, batch_times_out_running=True)
    inserts = [item(str(number), "/api/now/table/cmdb_ci", "POST", {"name": f"c{number}"}) for number in range(3)]
    body = run(snow, *inserts)
    assert [one["status_code"] for one in body["serviced_requests"]] == [201, 500]
    assert "maximum execution time exceeded" in decoded(body["serviced_requests"][1])["error"]["detail"]
    assert (body["unserviced_requests"], snow.app.instance.count("cmdb_ci")) == (["2"], 2)


def test_sizes_limit_an_item_and_the_answer(snow) -> None:
    snow.properties(glide__rest__batch__max__inputSize="50")
    too_large = item("a", "/api/now/table/cmdb_ci", "POST", {"name": "x" * 100})
    assert run(snow, too_large)["serviced_requests"][0]["status_code"] == 400
    reads = [item(str(number), "/api/now/table/sys_choice?sysparm_limit=1") for number in range(3)]
    body = run(snow, *reads, **{"X-BATCHREQUEST-MAX-OUTPUT-SIZE": "100"})
    assert (len(body["serviced_requests"]), body["unserviced_requests"]) == (1, ["1", "2"])


def test_a_count_of_items_can_be_the_limit(snow) -> None:
    snow.option(batch_items=1)
    body = run(snow, item("a", "/api/now/table/incident"), item("b", "/api/now/table/incident"))
    assert body["unserviced_requests"] == ["b"]


def test_a_body_that_is_not_base64_fails_its_item_only(snow) -> None:
    body = run(snow, item("a", "/api/now/table/incident", "POST", body="{}"), item("b", "/api/now/stats/incident"))
    assert [one["status_code"] for one in body["serviced_requests"]] == [400, 200]
