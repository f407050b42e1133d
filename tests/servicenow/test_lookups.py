"""Native keys, counts, candidates and stored values are read in few requests and believed only when checked."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

import pytest

from beast_dream_snow_loader.core.identity import SourceKey, SysId
from beast_dream_snow_loader.errors import NotAuthorised
from beast_dream_snow_loader.servicenow.client import ServiceNowAPIClient
from tests.servicenow.conftest import JSON, Asked, Instance, Reply, key, refusal, rows, sys_id

CLOSED = Reply(status=403, body=refusal("User Not Authorized", "ACL Exception"))
SOURCES, CIS = "/api/now/table/sys_object_source", "/api/now/table/cmdb_ci"
ADAPTERS, STATS = "/api/now/table/cmdb_ci_network_adapter", "/api/now/stats/sys_object_source"

Record = Mapping[str, str]


class Tables:
    """Answers ``IN``, ``=`` and ``sys_id>`` over rows, also inside a batch unless ``batch`` is False.

    ``closed`` tables answer 403; ``unserviced`` counts how often the batch leaves its last request out.
    """

    def __init__(self, *, batch: bool = True, closed: frozenset[str] = frozenset(), **tables: list[Record]) -> None:
        self.tables, self.batch, self.closed = tables, batch, closed
        self.unserviced = 0

    def __call__(self, asked: Asked) -> Reply:
        if asked.path == "/api/now/v1/batch":
            return self._batch(asked) if self.batch else Reply(status=404)
        return self._table(asked.path, asked.query)

    def _table(self, path: str, query: Mapping[str, str]) -> Reply:
        name = path.rpartition("/")[2]
        if path in self.closed:
            return CLOSED
        if name not in self.tables or path.startswith("/api/now/stats/"):
            return Reply(status=400, body=refusal(f"Invalid table {name}"))
        found = [row for row in self.tables[name] if all(_holds(row, t) for t in query["sysparm_query"].split("^"))]
        page = found[: int(query["sysparm_limit"])]
        fields = query["sysparm_fields"].split(",")
        return rows(*({f: row[f] for f in fields if f in row} for row in page), total=len(found))

    def _batch(self, asked: Asked) -> Reply:
        inner = asked.json["rest_requests"]
        left_out = [inner.pop()["id"]] if self.unserviced > 0 else []
        self.unserviced -= 1
        served = []
        for request in inner:
            parts = urlsplit(request["url"])
            reply = self._table(parts.path, dict(parse_qsl(parts.query)))
            headers = [{"name": name, "value": value} for name, value in reply.headers.items()]
            body = base64.b64encode(reply.wire).decode()
            served.append({"id": request["id"], "status_code": reply.status, "body": body, "headers": headers})
        return Reply(body={"batch_request_id": "1", "serviced_requests": served[::-1], "unserviced_requests": left_out})


def _holds(row: Record, term: str) -> bool:
    if term.startswith("ORDERBY"):
        return True
    for operator in ("IN", "=", ">"):
        field, found, value = term.partition(operator)
        if found:
            stored = row.get(field, "")
            return (
                stored in value.split(",")
                if operator == "IN"
                else stored == value
                if operator == "="
                else stored > value
            )
    raise AssertionError(term)


def source(number: int, ci: int | None = None, name: str = "UniFi") -> Record:
    target = sys_id(number if ci is None else ci)
    return {"sys_id": sys_id(500 + number), "name": name, "id": str(key(number)), "target_sys_id": target}


def named(number: int, native_key: SourceKey) -> Record:
    return {
        "sys_id": sys_id(9_000 + number),
        "name": "UniFi",
        "id": str(native_key),
        "target_sys_id": sys_id(number),
    }


def ci(number: int, class_name: str = "cmdb_ci_ip_switch", **more: str) -> Record:
    shared = {"sys_id": sys_id(number), "name": f"sw-{number}", "sys_class_name": class_name, "duplicate_of": ""}
    return {**shared, **more}


def test_the_cis_behind_native_keys_are_found(client: ServiceNowAPIClient, instance: Instance) -> None:
    instance.answer = Tables(sys_object_source=[source(1), source(2)], cmdb_ci=[ci(1), ci(2)])
    assert client.find([key(1), key(2), key(3)]) == {key(1): (sys_id(1),), key(2): (sys_id(2),)}
    assert instance.paths() == [SOURCES, CIS]


def test_all_of_ours_are_found_when_nothing_is_named(client: ServiceNowAPIClient, instance: Instance) -> None:
    foreign = {**source(3), "id": "not one of our keys"}
    instance.answer = Tables(sys_object_source=[source(1), foreign], cmdb_ci=[ci(1), ci(3)])
    assert client.find() == {key(1): (sys_id(1),)}


def test_a_ci_that_is_gone_or_a_duplicate_is_not_found(client: ServiceNowAPIClient, instance: Instance) -> None:
    """X5: the identity map must notice a CI deleted or merged in ServiceNow."""
    duplicate = ci(2, duplicate_of=sys_id(9))
    instance.answer = Tables(sys_object_source=[source(1), source(2), source(3)], cmdb_ci=[duplicate, ci(3)])
    assert client.find([key(1), key(2), key(3)]) == {key(3): (sys_id(3),)}


def test_two_cis_of_one_key_are_both_told(client: ServiceNowAPIClient, instance: Instance) -> None:
    twice = {**source(1, ci=2), "sys_id": sys_id(600)}
    instance.answer = Tables(sys_object_source=[source(1), source(1), twice], cmdb_ci=[ci(1), ci(2)])
    assert client.find([key(1)]) == {key(1): (sys_id(1), sys_id(2))}


def test_another_sources_rows_are_not_ours(client: ServiceNowAPIClient, instance: Instance) -> None:
    """The name of a source counts in its exact case."""
    instance.answer = lambda asked: rows(source(1, name="unifi")) if asked.path == SOURCES else rows(ci(1))
    assert client.find([key(1)]) == {}


def test_nothing_to_find_costs_nothing(client: ServiceNowAPIClient, instance: Instance) -> None:
    assert client.find([]) == {}
    assert instance.asked == []


@pytest.mark.parametrize("batch", [True, False])
def test_two_thousand_keys_cost_few_requests(batch: bool, client: ServiceNowAPIClient, instance: Instance) -> None:
    keys = [SourceKey("device", f"{n:012x}") for n in range(2_000)]
    found = [named(n, key_) for n, key_ in enumerate(keys)]
    instance.answer = Tables(batch=batch, sys_object_source=found, cmdb_ci=[ci(n) for n in range(2_000)])
    assert len(client.find(keys)) == 2_000
    assert len(instance.asked) == (2 if batch else 41)


def test_what_a_batch_left_unserviced_is_sent_again(client: ServiceNowAPIClient, instance: Instance) -> None:
    keys = [SourceKey("device", f"{n:012x}") for n in range(300)]
    found = [
        {"sys_id": sys_id(9_000 + n), "name": "UniFi", "id": str(k), "target_sys_id": sys_id(n)}
        for n, k in enumerate(keys)
    ]
    answer = instance.answer = Tables(sys_object_source=found, cmdb_ci=[ci(n) for n in range(300)])
    answer.unserviced = 1
    assert len(client.find(keys)) == 300
    assert instance.paths() == ["/api/now/v1/batch"] * 3


def test_a_closed_source_table_is_replaced_by_the_correlation_id(
    client: ServiceNowAPIClient, instance: Instance
) -> None:
    """R6.4."""
    ours = ci(1, correlation_id=str(key(1)), discovery_source="UniFi")
    instance.answer = Tables(closed=frozenset({SOURCES}), cmdb_ci=[ours, ci(2)])
    assert client.find([key(1), key(2)]) == {key(1): (sys_id(1),)}


def test_when_nothing_can_be_read_it_is_an_error(client: ServiceNowAPIClient, instance: Instance) -> None:
    instance.answer = lambda _: CLOSED
    with pytest.raises(NotAuthorised):
        client.find([key(1)])


def test_native_keys_are_counted_without_reading_them(client: ServiceNowAPIClient, instance: Instance) -> None:
    instance.answer = lambda _: Reply(body={"result": {"stats": {"count": "42"}}})
    assert client.count_sources() == 42
    assert instance.paths() == [STATS]
    assert instance.asked[0].query["sysparm_query"] == "name=UniFi"


def test_without_counting_the_total_of_a_list_is_taken(client: ServiceNowAPIClient, instance: Instance) -> None:
    instance.answer = lambda asked: CLOSED if asked.path == STATS else rows(source(1), total=17)
    assert client.count_sources() == 17


def test_a_count_nobody_may_see_is_none(client: ServiceNowAPIClient, instance: Instance) -> None:
    instance.answer = lambda _: CLOSED
    assert client.count_sources() is None
    instance.answer = lambda _: Reply(body={"result": []}, headers=JSON)
    assert client.count_sources() is None


def test_candidates_show_what_a_person_needs(client: ServiceNowAPIClient, instance: Instance) -> None:
    adapters = [{"sys_id": sys_id(70 + n), "cmdb_ci": sys_id(1), "mac_address": f"00:00:5e:00:53:0{n}"} for n in (2, 1)]
    known = ci(1, serial_number="S1", mac_address="00:00:5e:00:53:01", ip_address="192.0.2.1", discovery_source="SCCM")
    instance.answer = Tables(cmdb_ci=[known], cmdb_ci_network_adapter=adapters)
    found = client.candidates([sys_id(1), sys_id(2)], ["name"])
    assert list(found) == [sys_id(1)]
    candidate = found[sys_id(1)]
    assert (candidate.name, candidate.class_name, candidate.serial_number) == ("sw-1", "cmdb_ci_ip_switch", "S1")
    assert (candidate.discovery_source, candidate.ip_address) == ("SCCM", "192.0.2.1")
    assert candidate.adapter_macs == ("00:00:5e:00:53:01", "00:00:5e:00:53:02")
    assert candidate.values == {"name": "sw-1"}


def test_candidates_without_readable_adapters_are_still_shown(client: ServiceNowAPIClient, instance: Instance) -> None:
    instance.answer = Tables(closed=frozenset({ADAPTERS}), cmdb_ci=[ci(1)])
    assert client.candidates([sys_id(1)], [])[sys_id(1)].adapter_macs == ()


def test_stored_values_of_a_class_are_read_from_its_own_table(client: ServiceNowAPIClient, instance: Instance) -> None:
    switch = {**ci(1), "ports": "24"}
    instance.answer = Tables(cmdb_ci=[ci(1), ci(2, "cmdb_ci_ups")], cmdb_ci_ip_switch=[switch])
    stored = client.read_back([SysId(sys_id(1)), SysId(sys_id(2)), SysId(sys_id(3))], ["name", "ports"])
    assert stored == {
        sys_id(1): {"name": "sw-1", "ports": "24", "sys_class_name": "cmdb_ci_ip_switch"},
        sys_id(2): {"name": "sw-2", "sys_class_name": "cmdb_ci_ups"},
    }


def test_shared_fields_of_a_hundred_cis_are_one_request(client: ServiceNowAPIClient, instance: Instance) -> None:
    instance.answer = Tables(cmdb_ci=[ci(n) for n in range(100)])
    assert len(client.read_back([SysId(sys_id(n)) for n in range(100)], ["name"])) == 100
    assert len(instance.asked) == 1


def test_a_class_name_that_is_no_table_name_is_not_asked_for(client: ServiceNowAPIClient, instance: Instance) -> None:
    """S4: what the CMDB says is data too."""
    instance.answer = Tables(cmdb_ci=[ci(1, "../sys_user")])
    assert client.read_back([SysId(sys_id(1))], ["ports"]) == {sys_id(1): {"sys_class_name": "../sys_user"}}
    assert instance.paths() == [CIS]


def test_a_batch_of_reads_is_documented_json(client: ServiceNowAPIClient, instance: Instance) -> None:
    instance.answer = Tables(cmdb_ci=[ci(n) for n in range(150)])
    client.read_back([SysId(sys_id(n)) for n in range(150)], ["name"])
    sent = json.loads(instance.asked[0].body)
    assert set(sent) == {"batch_request_id", "rest_requests"}
    first = sent["rest_requests"][0]
    assert first["method"] == "GET"
    assert first["url"].startswith("/api/now/table/cmdb_ci?sysparm_query=sys_idIN")
    assert first["headers"] == [{"name": "Accept", "value": "application/json"}]
