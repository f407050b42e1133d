"""One batch, one request, one receipt for every item and link, whatever comes back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from beast_dream_snow_loader.core.changes import ItemChange
from beast_dream_snow_loader.core.identity import SysId
from beast_dream_snow_loader.core.known import KnownItem
from beast_dream_snow_loader.core.ports import Batch
from beast_dream_snow_loader.core.receipts import Operation, Outcome, Receipt
from beast_dream_snow_loader.errors import CircuitBreakerOpen, NotAuthenticated
from beast_dream_snow_loader.servicenow.authentication import authenticating
from beast_dream_snow_loader.servicenow.client import ServiceNowAPIClient
from beast_dream_snow_loader.servicenow.config import ServiceNowSettings
from beast_dream_snow_loader.transport.http import HttpTransport
from beast_dream_snow_loader.transport.messages import Request, Response
from tests.servicenow.conftest import (
    Asked,
    Heard,
    Instance,
    Reply,
    StoppedClock,
    change,
    key,
    link,
    refusal,
    sys_id,
)

Verdicts = Callable[[dict[str, Any], int], dict[str, Any]]


def inserted(item: dict[str, Any], index: int) -> dict[str, Any]:
    number = int(item["internal_id"][-2:], 16)
    return {
        "className": item["className"],
        "operation": "INSERT",
        "sysId": sys_id(number),
        "errors": [],
        "inputIndices": [index],
    }


def failed(code: str, message: str = "why", index: int = 0, **more: Any) -> dict[str, Any]:
    return {"sysId": "Unknown", "errors": [{"error": code, "message": message}], "inputIndices": [index], **more}


def engine(verdict: Verdicts = inserted, relation: Verdicts | None = None) -> Callable[[Asked], Reply]:
    """Answers each item as ``verdict`` says and each relation as ``relation`` says."""

    def edge(_: dict[str, Any], index: int) -> dict[str, Any]:
        return {
            "className": "cmdb_rel_ci",
            "operation": "INSERT",
            "sysId": sys_id(900 + index),
            "errors": [],
            "inputIndices": [index],
        }

    def answer(asked: Asked) -> Reply:
        sent = asked.json
        items = [verdict(item, index) for index, item in enumerate(sent["items"])]
        edges = [(relation or edge)(entry, index) for index, entry in enumerate(sent.get("relations", []))]
        return Reply(body={"result": {"items": items, "relations": edges, "hasError": False}})

    return answer


def batch(*items: ItemChange, links: Sequence[Any] = (), carried: Sequence[ItemChange] = ()) -> Batch:
    return Batch(lane="console", items=items, links=tuple(links), carried=tuple(carried))


def outcomes(receipts: Sequence[Receipt]) -> list[tuple[str, Outcome, str]]:
    return [(receipt.subject, receipt.outcome, receipt.code) for receipt in receipts]


def test_a_batch_with_its_links_is_one_request(client: ServiceNowAPIClient, instance: Instance) -> None:
    instance.answer = engine()
    receipts = client.apply(batch(change(1), change(2), links=[link(1, 2), link(1, 3)], carried=[change(3)]))
    assert [(r.subject, r.outcome, r.operation) for r in receipts] == [
        (str(key(1)), Outcome.DONE, Operation.INSERTED),
        (str(key(2)), Outcome.DONE, Operation.INSERTED),
        (link(1, 2).subject, Outcome.DONE, Operation.LINKED),
        (link(1, 3).subject, Outcome.DONE, Operation.LINKED),
        (str(key(3)), Outcome.DONE, Operation.INSERTED),  # carried, and not there any more
    ]
    assert receipts[0].sys_id == sys_id(1)
    assert len(instance.asked) == 1


def test_the_payload_is_the_documented_one(client: ServiceNowAPIClient, instance: Instance) -> None:
    """cmdb-model 6.12."""
    instance.answer = engine()
    client.apply(batch(change(1), change(2), links=[link(1, 2)]))
    asked = instance.asked[0]
    assert asked.path == "/api/now/identifyreconcile/enhanced"
    assert asked.query == {
        "sysparm_data_source": "UniFi",
        "options": "partial_payloads:false,partial_commits:true,deduplicate_payloads:true,generate_summary:true",
    }
    assert asked.json["relations"] == [
        {"parent_id": str(key(1)), "child_id": str(key(2)), "type": "Connects to::Connected by"}
    ]
    adapter = {"name": "00:00:5e:00:53:01", "mac_address": "00:00:5e:00:53:01", "ip_address": "192.0.2.1"}
    serial = {"serial_number": "00005E005301", "serial_number_type": "system", "valid": "true", "absent": "false"}
    assert asked.json["items"][0] == {
        "className": "cmdb_ci_ip_switch",
        "internal_id": "device/00005e005301",
        "values": {
            "name": "sw-1",
            "serial_number": "00005E005301",
            "ip_address": "192.0.2.1",
            "last_discovered": "2026-01-10 08:00:00",
        },
        "lookup": [
            {"className": "cmdb_serial_number", "values": serial},
            {"className": "cmdb_ci_network_adapter", "values": adapter},
        ],
        "settings": {"updateWithoutSwitch": "true", "updateWithoutDowngrade": "true"},
        "sys_object_source_info": {
            "source_name": "UniFi",
            "source_native_key": "device/00005e005301",
            "source_feed": "unifi-devices",
            "source_recency_timestamp": "2026-01-10 08:00:00",
        },
    }


def test_their_serial_stays_when_ours_is_not_to_be_sent(client: ServiceNowAPIClient, instance: Instance) -> None:
    """cmdb-model 2.4: the native key carries on."""
    instance.answer = engine()
    client.apply(batch(change(1, send_serial=False)))
    item = instance.asked[0].json["items"][0]
    assert "serial_number" not in item["values"]
    assert [lookup["className"] for lookup in item["lookup"]] == ["cmdb_ci_network_adapter"]


def test_gear_long_offline_keeps_the_stored_last_discovered(client: ServiceNowAPIClient, instance: Instance) -> None:
    """A missing last_discovered would be stamped with now."""
    held = known(1, stored={"last_discovered": "2025-12-01 00:00:00"})
    instance.answer = engine(lambda item, i: {**inserted(item, i), "operation": "UPDATE"})
    client.apply(batch(change(1, seen_at=None, known=held)))
    assert instance.asked[0].json["items"][0]["values"]["last_discovered"] == "2025-12-01 00:00:00"


def known(number: int, **more: Any) -> KnownItem:
    held = {
        "key": key(number),
        "sys_id": SysId(sys_id(number)),
        "class_name": "cmdb_ci_ip_switch",
        "created_by_us": True,
    }
    return KnownItem(**{**held, **more})


def test_a_ci_that_was_there_before_us_is_addressed_by_its_sys_id(
    client: ServiceNowAPIClient, instance: Instance
) -> None:
    """The few fields of an enrichment would not identify it again."""
    instance.answer = engine(lambda item, i: {**inserted(item, i), "operation": "UPDATE"})
    theirs = change(1, send={"firmware_version": "7.2.123"}, known=known(1, created_by_us=False))
    ours = change(2, send={"firmware_version": "7.2.123"}, known=known(2))
    client.apply(batch(theirs, ours))
    first, second = instance.asked[0].json["items"]
    assert first["values"]["sys_id"] == sys_id(1)
    assert "sys_id" not in second["values"]


def test_a_known_ci_that_was_deleted_is_made_anew_and_whole(client: ServiceNowAPIClient, instance: Instance) -> None:
    """X5: without a second look it would have a firmware version and no name."""

    def verdict(item: dict[str, Any], index: int) -> dict[str, Any]:
        return {**inserted(item, index), "operation": "INSERT" if len(instance.asked) == 1 else "UPDATE"}

    instance.answer = engine(verdict)
    receipts = client.apply(batch(change(1, send={"firmware_version": "7.2.123"}, known=known(1))))
    assert (receipts[0].operation, receipts[0].code) == (Operation.INSERTED, "ire.recreated")
    values = instance.asked[1].json["items"][0]["values"]
    assert (values["name"], values["firmware_version"]) == ("sw-1", "7.2.123")
    assert len(instance.asked) == 2


def test_one_bad_item_does_not_spoil_the_others(client: ServiceNowAPIClient, instance: Instance) -> None:
    """R6.2."""

    def verdict(item: dict[str, Any], index: int) -> dict[str, Any]:
        bad = failed("REQUIRED_ATTRIBUTE_EMPTY", "Missing mandatory field [x]", index)
        return bad if index == 1 else inserted(item, index)

    instance.answer = engine(verdict)
    receipts = client.apply(batch(change(1), change(2), change(3)))
    assert [receipt.outcome for receipt in receipts] == [Outcome.DONE, Outcome.REFUSED, Outcome.DONE]
    assert receipts[1].code == "REQUIRED_ATTRIBUTE_EMPTY"
    assert receipts[1].message.startswith("Missing mandatory field [x] ")
    assert "mapping.extra_fields" in receipts[1].message
    assert len(instance.asked) == 1


@pytest.mark.parametrize("operation", ["INSERT_AS_PARTIAL", "INSERT_AS_INCOMPLETE", "INSERT_INCOMPLETE"])
def test_an_item_put_aside_is_refused(operation: str, client: ServiceNowAPIClient, instance: Instance) -> None:
    instance.answer = engine(
        lambda _, i: {"operation": operation, "sysId": "Unknown", "errors": [], "inputIndices": [i]}
    )
    assert outcomes(client.apply(batch(change(1)))) == [(str(key(1)), Outcome.REFUSED, operation)]


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("UPDATE", Operation.UPDATED),
        ("NO_CHANGE", Operation.UNCHANGED),
        ("UPDATE_WITH_UPGRADE", Operation.UPDATED),
    ],
)
def test_operations_are_told_apart(
    operation: str, expected: Operation, client: ServiceNowAPIClient, instance: Instance
) -> None:
    instance.answer = engine(lambda item, i: {**inserted(item, i), "operation": operation})
    assert client.apply(batch(change(1)))[0].operation is expected


def test_a_relation_already_there_is_done_and_unchanged(client: ServiceNowAPIClient, instance: Instance) -> None:
    instance.answer = engine(relation=lambda _, i: {"operation": "NO_CHANGE", "sysId": sys_id(7), "inputIndices": [i]})
    receipt = client.apply(batch(change(1), change(2), links=[link(1, 2)]))[2]
    assert (receipt.outcome, receipt.operation, receipt.sys_id) == (Outcome.DONE, Operation.UNCHANGED, sys_id(7))


def test_a_link_of_a_refused_item_is_refused_without_another_request(
    client: ServiceNowAPIClient, instance: Instance
) -> None:
    def verdict(item: dict[str, Any], index: int) -> dict[str, Any]:
        return failed("MULTI_MATCH", index=index) if index == 0 else inserted(item, index)

    abandoned = failed("ABANDONED", "depends on a failed item")
    for relation in (None, lambda _, i: {**abandoned, "inputIndices": [i]}):
        instance.asked.clear()
        instance.answer = engine(verdict, relation)
        receipts = client.apply(batch(change(1), change(2), links=[link(1, 2)]))
        assert receipts[0].outcome is Outcome.REFUSED
        if relation is not None:
            assert receipts[2].outcome is Outcome.REFUSED
        assert len(instance.asked) == 1


def test_a_record_the_answer_does_not_mention_is_unknown(client: ServiceNowAPIClient, instance: Instance) -> None:
    instance.answer = lambda asked: Reply(body={"result": {"items": [inserted(asked.json["items"][1], 1)]}})
    receipts = client.apply(batch(change(1), change(2), links=[link(1, 2)]))
    assert [receipt.outcome for receipt in receipts] == [Outcome.UNKNOWN, Outcome.DONE, Outcome.REFUSED]
    assert receipts[0].code == "ire.no_result"


def test_merged_items_share_the_ci_and_it_is_told(client: ServiceNowAPIClient, instance: Instance) -> None:
    merged = {"operation": "INSERT", "sysId": sys_id(1), "errors": [], "inputIndices": [0, 1]}
    instance.answer = lambda _: Reply(body={"result": {"items": [merged]}})
    receipts = client.apply(batch(change(1), change(2)))
    assert [receipt.sys_id for receipt in receipts] == [sys_id(1), sys_id(1)]
    assert [receipt.code for receipt in receipts] == ["ire.merged", "ire.merged"]
    assert str(key(2)) in receipts[0].message


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("LOCK_TIMEOUT", "Failed to acquire synchronization lock for x"),
        ("ABANDONED", "Too many other errors"),
        ("INSERT_FAILED", "Insertion failed with error Error during insert of cmdb_ci_ip_switch (sw-1)"),
    ],
)
def test_contention_is_tried_once_more_alone(
    code: str, message: str, client: ServiceNowAPIClient, instance: Instance
) -> None:
    def verdict(item: dict[str, Any], index: int) -> dict[str, Any]:
        contended = item["internal_id"] == str(key(1)) and len(instance.asked) == 1
        return failed(code, message, index) if contended else inserted(item, index)

    def edge(_: dict[str, Any], index: int) -> dict[str, Any]:
        done = {"operation": "INSERT", "sysId": sys_id(7), "errors": [], "inputIndices": [index]}
        return failed("ABANDONED", "an end failed", index) if len(instance.asked) == 1 else done

    instance.answer = engine(verdict, edge)
    receipts = client.apply(batch(change(1), change(2), change(3), links=[link(1, 2)]))
    assert [receipt.outcome for receipt in receipts] == [Outcome.DONE] * 4
    again = instance.asked[1].json
    assert [item["internal_id"] for item in again["items"]] == [str(key(1)), str(key(2))]
    assert len(again["relations"]) == 1
    assert len(instance.asked) == 2


def test_contention_that_stays_is_refused_after_one_more_try(client: ServiceNowAPIClient, instance: Instance) -> None:
    instance.answer = engine(lambda _, i: failed("LOCK_TIMEOUT", index=i))
    receipts = client.apply(batch(change(1), change(2)))
    assert {(receipt.outcome, receipt.code) for receipt in receipts} == {(Outcome.REFUSED, "LOCK_TIMEOUT")}
    assert len(instance.asked) == 3


def test_a_class_without_a_rule_moves_up_once_and_is_remembered(
    client: ServiceNowAPIClient, instance: Instance, heard: Heard
) -> None:
    """R6.1."""

    def verdict(item: dict[str, Any], index: int) -> dict[str, Any]:
        bad = item["className"] == "cmdb_ci_ip_switch"
        return failed("IDENTIFICATION_RULE_MISSING", index=index) if bad else inserted(item, index)

    instance.answer = engine(verdict)
    first = client.apply(batch(change(1), change(2), links=[link(1, 2)]))
    assert [receipt.outcome for receipt in first] == [Outcome.DONE] * 3
    assert first[0].class_name == "cmdb_ci_netgear"
    assert len(instance.asked) == 2
    client.apply(batch(change(3)))
    assert len(instance.asked) == 3
    assert heard.rules() == ["ire.no_rule"]


def test_at_the_end_of_the_chain_the_refusal_stands_without_the_fallback(
    instance: Instance, settings: ServiceNowSettings, wire: HttpTransport, clock: StoppedClock
) -> None:
    chosen = settings.model_copy(update={"base_class_fallback": False})
    client = ServiceNowAPIClient(chosen, authenticating(wire, chosen, clock), clock)
    instance.answer = engine(lambda _, i: failed("IDENTIFICATION_RULE_MISSING", index=i))
    alone = change(1, class_chain=("cmdb_ci_hardware",), class_name="cmdb_ci_hardware")
    assert outcomes(client.apply(batch(alone))) == [(str(key(1)), Outcome.REFUSED, "IDENTIFICATION_RULE_MISSING")]
    assert len(instance.asked) == 1


def test_items_go_without_lookups_where_the_instance_has_no_rule_for_them(
    client: ServiceNowAPIClient, instance: Instance, heard: Heard
) -> None:
    """R6.4."""

    def verdict(item: dict[str, Any], index: int) -> dict[str, Any]:
        bad = "lookup" in item
        return failed("IDENTIFICATION_RULE_FOR_LOOKUP_MISSING", index=index) if bad else inserted(item, index)

    instance.answer = engine(verdict)
    assert client.apply(batch(change(1)))[0].outcome is Outcome.DONE
    assert client.apply(batch(change(2)))[0].outcome is Outcome.DONE
    assert len(instance.asked) == 3
    assert heard.rules() == ["ire.no_lookup_rule"]


HIBERNATING = Reply(body=b"<title>Instance Hibernating page</title>", headers={"Content-Type": "text/html"})
TO_DEVELOPER_SITE = Reply(status=302, headers={"Location": "https://developer.servicenow.com/dev.do"})
CUT_BY_QUOTA = Reply(body={"result": {"items": []}, **refusal("Transaction cancelled")})
NO_ROLE = Reply(status=403, body=refusal("User Not Authorized", "Failed API level ACL Validation"))
NO_IRE = Reply(status=400, body=refusal("Requested URI does not represent any resource"))


@pytest.mark.parametrize(
    ("reply", "outcome", "code"),
    [
        (Reply(status=429), Outcome.LATER, "transport.throttled"),
        (Reply(status=202), Outcome.LATER, "transport.throttled"),
        (Reply(status=503, body=b"<html>"), Outcome.UNKNOWN, "transport.server_fault"),
        (TO_DEVELOPER_SITE, Outcome.LATER, "cmdb.asleep"),
        (HIBERNATING, Outcome.LATER, "cmdb.asleep"),
        (Reply(status=500, body=refusal("x")), Outcome.UNKNOWN, "transport.server_fault"),
        (Reply(status=502, body=b"<html>"), Outcome.UNKNOWN, "transport.server_fault"),
        (Reply(cut=True), Outcome.UNKNOWN, "transport.outcome_unknown"),
        (Reply(body=b'{"result":{"items":['), Outcome.UNKNOWN, "transport.outcome_unknown"),
        (CUT_BY_QUOTA, Outcome.UNKNOWN, "transport.outcome_unknown"),
        (Reply(body={"result": {"unexpected": 1}}), Outcome.UNKNOWN, "ire.unreadable"),
        (Reply(body=b"<html>Guest network</html>"), Outcome.UNKNOWN, "transport.outcome_unknown"),
        (NO_ROLE, Outcome.REFUSED, "auth.not_authorised"),
        (NO_IRE, Outcome.REFUSED, "transport.rejected"),
    ],
)
def test_an_answer_that_is_none_gives_every_change_the_same_receipt(
    reply: Reply, outcome: Outcome, code: str, client: ServiceNowAPIClient, instance: Instance
) -> None:
    instance.answer = lambda _: reply
    receipts = client.apply(batch(change(1), change(2), links=[link(1, 2)]))
    assert {(receipt.outcome, receipt.code) for receipt in receipts} == {(outcome, code)}
    assert all(receipt.message for receipt in receipts)
    assert len(receipts) == 3


def test_an_unreachable_instance_means_later(client: ServiceNowAPIClient, instance: Instance) -> None:
    instance.close()
    assert outcomes(client.apply(batch(change(1)))) == [(str(key(1)), Outcome.LATER, "transport.not_sent")]


def test_an_open_breaker_means_later(settings: ServiceNowSettings, clock: StoppedClock) -> None:
    class Open:
        def send(self, request: Request) -> Response:
            raise CircuitBreakerOpen("The breaker is open.")

    receipts = ServiceNowAPIClient(settings, Open(), clock).apply(batch(change(1)))
    assert outcomes(receipts) == [(str(key(1)), Outcome.LATER, "transport.breaker_open")]


def test_a_refused_login_is_raised(client: ServiceNowAPIClient, instance: Instance) -> None:
    instance.answer = lambda _: Reply(status=401)
    with pytest.raises(NotAuthenticated):
        client.apply(batch(change(1)))


def test_a_body_over_ten_megabytes_is_sent_in_parts(client: ServiceNowAPIClient, instance: Instance) -> None:
    instance.answer = engine()
    big = [change(n, send={"name": f"sw-{n}", "short_description": "x" * 3_000_000}) for n in (1, 2, 3, 4)]
    receipts = client.apply(batch(*big, links=[link(1, 4), link(2, 1)]))
    assert [receipt.outcome for receipt in receipts] == [Outcome.DONE] * 6
    assert max(len(asked.body) for asked in instance.asked) < 10_000_000
    assert len(instance.asked) in (2, 3)


def test_a_body_the_instance_finds_too_large_is_sent_in_halves(client: ServiceNowAPIClient, instance: Instance) -> None:
    whole = engine()

    def answer(asked: Asked) -> Reply:
        if len(asked.json["items"]) > 1:
            return Reply(
                status=400, body=refusal("Exception while reading request", "Rejected large REST payload with")
            )
        return whole(asked)

    instance.answer = answer
    receipts = client.apply(batch(*(change(n) for n in range(1, 5))))
    assert [receipt.outcome for receipt in receipts] == [Outcome.DONE] * 4


def test_a_link_without_its_ends_is_refused_and_the_rest_written(
    client: ServiceNowAPIClient, instance: Instance
) -> None:
    instance.answer = engine()
    receipts = client.apply(batch(change(1), links=[link(1, 9)]))
    assert outcomes(receipts) == [
        (str(key(1)), Outcome.DONE, ""),
        (link(1, 9).subject, Outcome.REFUSED, "link.end_missing"),
    ]


def test_a_class_switch_and_a_kept_field_are_told(client: ServiceNowAPIClient, instance: Instance) -> None:
    instance.answer = engine(lambda item, i: {**inserted(item, i), "operation": "UPDATE", "maskedAttributes": ["name"]})
    assert client.apply(batch(change(1)))[0].code == "MASKED_ATTRIBUTES"
    instance.answer = engine(lambda item, i: {**inserted(item, i), "operation": "UPDATE_WITH_SWITCH"})
    assert client.apply(batch(change(1)))[0].code == "UPDATE_WITH_SWITCH"


def test_times_are_utc(client: ServiceNowAPIClient, instance: Instance) -> None:
    instance.answer = engine()
    seen = datetime.fromisoformat("2026-01-10T09:30:00+05:30")
    made = change(1)
    client.apply(batch(replace(made, item=replace(made.item, seen_at=seen.astimezone(UTC)))))
    assert instance.asked[0].json["items"][0]["values"]["last_discovered"] == "2026-01-10 04:00:00"
