"""A simulation tells which rule entry would match each new item, and writes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from beast_dream_snow_loader.core.matching import MatchedBy
from beast_dream_snow_loader.errors import NotAuthorised, OutcomeUnknown, Rejected
from beast_dream_snow_loader.servicenow.client import ServiceNowAPIClient
from tests.servicenow.conftest import Asked, Instance, Reply, change, key, refusal, rows, sys_id


def tried(outcome: str, *attributes: str, table: str = "cmdb_ci_hardware", info: str = "") -> dict[str, Any]:
    attempt = {"identifierName": "Hardware Rule", "attemptResult": outcome, "attributes": list(attributes)}
    return {**attempt, "searchOnTable": table, **({"info": info} if info else {})}


NO_SOURCE = tried("NO_MATCH", table="", info="sys_object_source NO_MATCH")
BY_SOURCE = tried("MATCHED", table="", info="sys_object_source MATCHED")
BY_SERIAL_ROW = tried("MATCHED", "serial_number", "serial_number_type", table="cmdb_serial_number")
BY_SERIAL = tried("MATCHED", "serial_number")
BY_NAME = tried("MATCHED", "name")
BY_ADAPTER = tried("MATCHED", "mac_address", "name", table="cmdb_ci_network_adapter")
BY_OTHER = tried("MATCHED", "asset_tag")


def told(operation: str | None, *attempts: dict[str, Any], **more: Any) -> dict[str, Any]:
    found = {"sysId": sys_id(7) if operation != "INSERT" else "Unknown", "identificationAttempts": list(attempts)}
    return {**found, **({"operation": operation} if operation else {}), "errors": [], "inputIndices": [0], **more}


def error(code: str) -> dict[str, Any]:
    return told(None, sysId="Unknown", errors=[{"error": code, "message": "why"}])


@pytest.mark.parametrize(
    ("item", "by"),
    [
        (told("INSERT", NO_SOURCE, tried("NO_MATCH", "name")), MatchedBy.NOTHING),
        (told("NO_CHANGE", BY_SOURCE), MatchedBy.SOURCE),
        (told("UPDATE", NO_SOURCE, BY_SERIAL_ROW), MatchedBy.SERIAL),
        (told("UPDATE", NO_SOURCE, BY_SERIAL), MatchedBy.SERIAL),
        (told("UPDATE", NO_SOURCE, tried("NO_MATCH", "serial_number"), BY_NAME), MatchedBy.NAME),
        (told("UPDATE", NO_SOURCE, BY_ADAPTER), MatchedBy.ADAPTER),
        (told("UPDATE", NO_SOURCE, BY_OTHER), MatchedBy.OTHER),
        (told("UPDATE"), MatchedBy.OTHER),
        (told("UPDATE", identifierEntrySysId="556eb250c3400200d8d4bea192d3ae92"), MatchedBy.NAME),
        (error("MULTIPLE_DUPLICATE_RECORDS"), MatchedBy.SEVERAL),
        (error("REQUIRED_ATTRIBUTE_EMPTY"), MatchedBy.REFUSED),
        (told(None), MatchedBy.REFUSED),
    ],
)
def test_the_entry_that_matched_is_told(
    item: dict[str, Any], by: MatchedBy, client: ServiceNowAPIClient, instance: Instance
) -> None:
    """cmdb-model 2.4."""
    instance.answer = lambda asked: (
        Reply(body={"result": {"items": [item]}}) if "queryEnhanced" in asked.path else rows()
    )
    match = client.simulate([change(1)])[0]
    assert (match.key, match.by) == (key(1), by)
    assert match.sys_ids == (
        (sys_id(7),) if by not in (MatchedBy.NOTHING, MatchedBy.SEVERAL, MatchedBy.REFUSED) else match.sys_ids
    )
    assert instance.paths()[0] == "/api/now/identifyreconcile/queryEnhanced"


def test_several_hits_are_listed_by_what_was_searched(client: ServiceNowAPIClient, instance: Instance) -> None:
    def answer(asked: Asked) -> Reply:
        if "queryEnhanced" in asked.path:
            item = told("UPDATE", NO_SOURCE, tried("MULTI_MATCH", "serial_number"))
            return Reply(body={"result": {"items": [item]}})
        assert asked.query["sysparm_query"] == "serial_number=00005E005301^ORDERBYsys_id"
        return rows(*({"sys_id": sys_id(n), "serial_number": "00005e005301"} for n in (7, 8)))

    instance.answer = answer
    match = client.simulate([change(1)])[0]
    assert (match.by, match.sys_ids) == (MatchedBy.SEVERAL, (sys_id(7), sys_id(8)))


def test_two_new_items_taken_for_one_ci_are_several(client: ServiceNowAPIClient, instance: Instance) -> None:
    item = told("INSERT", NO_SOURCE, inputIndices=[0, 1])
    instance.answer = lambda _: Reply(body={"result": {"items": [item]}})
    matches = client.simulate([change(1), change(2)])
    assert [(match.by, match.code) for match in matches] == [(MatchedBy.SEVERAL, "ire.merged")] * 2
    assert str(key(2)) in matches[0].message


def test_an_item_without_an_answer_is_refused(client: ServiceNowAPIClient, instance: Instance) -> None:
    instance.answer = lambda _: Reply(body={"result": {"items": [told("INSERT", inputIndices=[1])]}})
    assert [match.by for match in client.simulate([change(1), change(2)])] == [MatchedBy.REFUSED, MatchedBy.NOTHING]


def test_a_hundred_items_are_one_request(client: ServiceNowAPIClient, instance: Instance) -> None:
    def answer(asked: Asked) -> Reply:
        items = [told("INSERT", inputIndices=[index]) for index in range(len(asked.json["items"]))]
        return Reply(body={"result": {"items": items}})

    instance.answer = answer
    assert len(client.simulate([change(n) for n in range(1, 201)])) == 200
    assert len(instance.asked) == 2
    assert all("relations" not in asked.json for asked in instance.asked)


def test_a_class_without_a_rule_is_simulated_as_the_next_one(client: ServiceNowAPIClient, instance: Instance) -> None:
    def answer(asked: Asked) -> Reply:
        bad = asked.json["items"][0]["className"] == "cmdb_ci_ip_switch"
        return Reply(body={"result": {"items": [error("IDENTIFICATION_RULE_MISSING") if bad else told("INSERT")]}})

    instance.answer = answer
    assert client.simulate([change(1)])[0].by is MatchedBy.NOTHING
    assert len(instance.asked) == 2


@pytest.mark.parametrize(
    ("reply", "raised"),
    [
        (Reply(status=403, body=refusal("User Not Authorized", "Failed API level ACL Validation")), NotAuthorised),
        (Reply(status=400, body=refusal("Requested URI does not represent any resource")), Rejected),
        (Reply(body={"result": []}), OutcomeUnknown),
    ],
)
def test_an_instance_that_does_not_simulate_says_so(
    reply: Reply, raised: type[Exception], client: ServiceNowAPIClient, instance: Instance
) -> None:
    instance.answer = lambda _: reply
    with pytest.raises(raised):
        client.simulate([change(1)])


def test_nothing_to_simulate_costs_nothing(client: ServiceNowAPIClient, instance: Instance) -> None:
    assert client.simulate([]) == []
    assert instance.asked == []
