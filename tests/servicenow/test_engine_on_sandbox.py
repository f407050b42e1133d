"""Simulating and writing through the sandbox's identification engine, checked in its tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from beast_dream_snow_loader.clock import SystemClock
from beast_dream_snow_loader.core.changes import ChangeType, ItemChange
from beast_dream_snow_loader.core.identity import SysId
from beast_dream_snow_loader.core.known import KnownItem
from beast_dream_snow_loader.core.matching import MatchedBy
from beast_dream_snow_loader.core.ports import Batch, Wishes
from beast_dream_snow_loader.core.receipts import Operation, Outcome
from beast_dream_snow_loader.sandbox.servicenow.app import ServiceNowApp
from beast_dream_snow_loader.sandbox.serving import Server
from beast_dream_snow_loader.servicenow.authentication import authenticating
from beast_dream_snow_loader.servicenow.client import ServiceNowAPIClient
from beast_dream_snow_loader.servicenow.config import ServiceNowSettings
from beast_dream_snow_loader.transport.http import HttpTransport
from tests.servicenow.conftest import change, key, link

Connect = Callable[..., ServiceNowAPIClient]


@pytest.fixture
def app() -> Iterator[ServiceNowApp]:
    made = ServiceNowApp.create(seed=1, sources=("UniFi",))
    made.seed_demo()
    yield made
    made.close()


@pytest.fixture
def connect(app: ServiceNowApp) -> Iterator[Connect]:
    clock = SystemClock()
    with Server(app) as server:

        def made(**settings: Any) -> ServiceNowAPIClient:
            login = {"username": "snowload", "password": "snowload-demo"}
            chosen = ServiceNowSettings.model_validate({"instance": server.url, **login, **settings})
            return ServiceNowAPIClient(chosen, authenticating(HttpTransport("servicenow"), chosen, clock), clock)

        made().apply(batch(change(99)))
        yield made


def batch(*items: ItemChange, **more: Any) -> Batch:
    return Batch(lane="console", items=items, **more)


def called(item: ItemChange, **values: str) -> ItemChange:
    """The change with other values, on the wire too."""
    merged = {**item.item.values, **values}
    return replace(item, item=replace(item.item, values=merged), send=merged)


def test_a_first_load_inserts_and_a_second_changes_nothing(connect: Connect, app: ServiceNowApp) -> None:
    client, work = connect(), batch(change(1), change(2), links=(link(1, 2),))
    first, second = client.apply(work), client.apply(work)
    assert [receipt.operation for receipt in first] == [Operation.INSERTED, Operation.INSERTED, Operation.LINKED]
    assert [receipt.outcome for receipt in second] == [Outcome.DONE] * 3
    assert [receipt.sys_id for receipt in second] == [receipt.sys_id for receipt in first]
    assert second[2].operation is Operation.UNCHANGED
    assert len(app.instance.find("cmdb_ci_ip_switch", name="sw-1")) == 1
    sources = app.instance.find("sys_object_source", name="UniFi")
    assert sorted(row["id"] for row in sources) == [str(key(1)), str(key(2)), str(key(99))]
    found = client.find([key(1), key(2)])
    assert found == {key(n): (receipt.sys_id,) for n, receipt in zip((1, 2), first[:2], strict=True)}
    edges = app.instance.find("cmdb_rel_ci", parent=str(first[0].sys_id), child=str(first[1].sys_id))
    assert len(edges) == 1


def test_the_entry_that_would_match_is_told_before_anything_is_written(connect: Connect, app: ServiceNowApp) -> None:
    foreign = app.instance.find("cmdb_ci_ip_switch", name="core-sw-01")[0]
    client = connect()
    client.apply(batch(change(4)))
    before = app.instance.count("cmdb_ci_ip_switch")
    # Asked separately: inside one simulation the first match changes the CI that the second would find.
    matches = [
        *client.simulate([change(1), called(change(2), name="core-sw-01")]),
        *client.simulate([called(change(3), serial_number="FDO2213A0QX"), change(4)]),
    ]
    assert [match.by for match in matches] == [
        MatchedBy.NOTHING,
        MatchedBy.NAME,
        MatchedBy.SERIAL,
        MatchedBy.SOURCE,
    ]
    assert matches[1].sys_ids == matches[2].sys_ids == (foreign["sys_id"],)
    assert app.instance.count("cmdb_ci_ip_switch") == before


def test_an_existing_ci_is_enriched_where_it_is_and_nowhere_else(connect: Connect, app: ServiceNowApp) -> None:
    foreign = app.instance.find("cmdb_ci_ip_switch", name="core-sw-01")[0]["sys_id"]
    held = KnownItem(key=key(1), sys_id=SysId(foreign), class_name="cmdb_ci_ip_switch", created_by_us=False)
    enrich = replace(change(1), type=ChangeType.UPDATE, send={"model_number": "X"}, known=held, send_serial=False)
    client = connect()
    receipt = client.apply(batch(enrich))[0]
    assert (receipt.outcome, receipt.sys_id) == (Outcome.DONE, foreign)
    stored = app.instance.find("cmdb_ci_ip_switch", name="core-sw-01")[0]
    assert (stored["model_number"], stored["serial_number"]) == ("X", "FDO2213A0QX")
    assert client.find([key(1)]) == {key(1): (foreign,)}


def test_a_known_ci_deleted_by_hand_is_made_anew_and_whole(connect: Connect, app: ServiceNowApp) -> None:
    client = connect()
    made = client.apply(batch(change(1)))[0]
    assert made.sys_id is not None
    app.instance.delete("cmdb_ci_ip_switch", made.sys_id)
    held = KnownItem(key=key(1), sys_id=made.sys_id, class_name="cmdb_ci_ip_switch", created_by_us=True)
    receipt = client.apply(batch(replace(change(1), type=ChangeType.UPDATE, send={"model_number": "X"}, known=held)))[0]
    assert receipt.outcome is Outcome.DONE
    assert receipt.sys_id != made.sys_id
    stored = client.read_back([receipt.sys_id or SysId("")], ["name", "model_number"])
    assert stored[receipt.sys_id or SysId("")]["name"] == "sw-1"


def test_a_source_the_instance_does_not_know_refuses_every_record(connect: Connect, app: ServiceNowApp) -> None:
    receipts = connect(data_source="Nobody").apply(batch(change(1), change(2)))
    assert {(receipt.outcome, receipt.code) for receipt in receipts} == {(Outcome.REFUSED, "INVALID_INPUT_DATA")}
    assert app.instance.find("cmdb_ci_ip_switch", name="sw-1") == []


def test_the_usual_classes_are_usable(connect: Connect) -> None:
    chains = frozenset({("cmdb_ci_ip_switch", "cmdb_ci_hardware"), ("cmdb_ci_wap_network", "cmdb_ci_hardware")})
    facts = connect().facts(Wishes(class_chains=chains, relation_types=frozenset(), references=frozenset()))
    assert {name for name, fact in facts.classes.items() if fact.usable} == {"cmdb_ci_ip_switch", "cmdb_ci_wap_network"}
    fields = facts.classes["cmdb_ci_ip_switch"].fields
    assert fields is not None
    assert "serial_number" in fields
    assert facts.findings == ()
