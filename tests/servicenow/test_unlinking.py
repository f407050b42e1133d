"""Removing relations: looked up first, never somebody else's, and told apart from what only failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from beast_dream_snow_loader.clock import SystemClock
from beast_dream_snow_loader.core.changes import UnlinkChange
from beast_dream_snow_loader.core.known import KnownRelation
from beast_dream_snow_loader.core.ports import Batch
from beast_dream_snow_loader.core.receipts import Operation, Outcome, Receipt
from beast_dream_snow_loader.errors import NotAuthenticated
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from beast_dream_snow_loader.sandbox.servicenow.app import ServiceNowApp
from beast_dream_snow_loader.sandbox.serving import Server
from beast_dream_snow_loader.servicenow.authentication import authenticating
from beast_dream_snow_loader.servicenow.client import ServiceNowAPIClient
from beast_dream_snow_loader.servicenow.config import ServiceNowSettings
from beast_dream_snow_loader.transport.http import HttpTransport
from tests.servicenow.conftest import change, key, link

DELETE = "/api/now/cmdb/instance/*/relation/*"


@dataclass(slots=True, kw_only=True)
class Cmdb:
    """Three switches in a row on a sandbox: 2 hangs on 1, 3 on 2; and the client that drew it."""

    app: ServiceNowApp
    server: Server
    connect: Callable[..., ServiceNowAPIClient]
    edges: dict[int, KnownRelation]

    def unlink(self, *lower: int, **changed: Any) -> list[Receipt]:
        known = [replace(self.edges[number], **changed) for number in lower]
        return list(self.connect().unlink([UnlinkChange(known=edge, reason="test") for edge in known]))

    def drawn(self) -> set[str]:
        return {row["sys_id"] for row in self.app.instance.find("cmdb_rel_ci")}

    def deletes(self) -> int:
        return sum(1 for line in self.server.log.lines() if line.method == "DELETE")


@pytest.fixture
def cmdb() -> Iterator[Cmdb]:
    app, clock = ServiceNowApp.create(seed=1, sources=("UniFi",)), SystemClock()
    with Server(app) as server:

        def connect(**settings: Any) -> ServiceNowAPIClient:
            login = {"username": "snowload", "password": "snowload-demo", **settings}
            chosen = ServiceNowSettings.model_validate({"instance": server.url, **login})
            return ServiceNowAPIClient(chosen, authenticating(HttpTransport("servicenow"), chosen, clock), clock)

        links = (link(2, 1), link(3, 2))
        done = connect().apply(Batch(lane="c", items=(change(1), change(2), change(3)), links=links))
        cis = {number: receipt.sys_id for number, receipt in enumerate(done[:3], start=1)}
        edges = {
            lower: KnownRelation(
                relation_key=link(lower, lower - 1).subject,
                parent=key(lower),
                child=key(lower - 1),
                type="Connects to::Connected by",
                sys_id=receipt.sys_id,
                parent_sys_id=cis[lower],
                child_sys_id=cis[lower - 1],
            )
            for lower, receipt in zip((2, 3), done[3:], strict=True)
        }
        yield Cmdb(app=app, server=server, connect=connect, edges=edges)
    app.close()


def outcomes(receipts: list[Receipt]) -> list[tuple[Outcome, Operation, str]]:
    return [(receipt.outcome, receipt.operation, receipt.code) for receipt in receipts]


@pytest.mark.parametrize("known", [{}, {"sys_id": None}])
def test_an_edge_is_removed_by_its_row_or_by_its_ends_and_the_others_stay(cmdb: Cmdb, known: dict[str, Any]) -> None:
    assert outcomes(cmdb.unlink(2, **known)) == [(Outcome.DONE, Operation.UNLINKED, "")]
    assert cmdb.drawn() == {cmdb.edges[3].sys_id}


def test_edges_that_exist_are_found_in_one_read_and_those_that_are_gone_are_not(cmdb: Cmdb) -> None:
    cmdb.app.instance.delete("cmdb_rel_ci", str(cmdb.edges[2].sys_id))
    client = cmdb.connect()
    before = len(cmdb.server.log.lines())
    found = client.find_edges(cmdb.edges.values())
    assert (found, len(cmdb.server.log.lines()) - before) == ({cmdb.edges[3].relation_key: cmdb.edges[3].sys_id}, 1)


@pytest.mark.parametrize("known", [{}, {"sys_id": None}])
def test_an_edge_that_is_gone_already_is_done_without_a_call(cmdb: Cmdb, known: dict[str, Any]) -> None:
    cmdb.app.instance.delete("cmdb_rel_ci", str(cmdb.edges[2].sys_id))
    assert outcomes(cmdb.unlink(2, **known)) == [(Outcome.DONE, Operation.UNLINKED, "unlink.gone")]
    assert cmdb.deletes() == 0


def test_a_row_that_somebody_turned_into_another_edge_is_left_alone(cmdb: Cmdb) -> None:
    row = str(cmdb.edges[2].sys_id)
    cmdb.app.instance.update("cmdb_rel_ci", row, {"child": cmdb.edges[3].parent_sys_id})
    assert outcomes(cmdb.unlink(2)) == [(Outcome.DONE, Operation.UNLINKED, "unlink.gone")]
    assert row in cmdb.drawn()


def test_an_edge_that_another_source_recorded_too_stays(cmdb: Cmdb) -> None:
    row = str(cmdb.edges[2].sys_id)
    cmdb.app.instance.insert("sys_rel_source", {"name": "Discovery", "cmdb_rel_ci": row})
    cmdb.app.instance.insert("sys_rel_source", {"name": "UniFi", "cmdb_rel_ci": str(cmdb.edges[3].sys_id)})
    receipts = cmdb.unlink(2, 3)
    assert outcomes(receipts) == [
        (Outcome.DONE, Operation.NONE, "unlink.shared"),
        (Outcome.DONE, Operation.UNLINKED, ""),
    ]
    assert "Discovery" in receipts[0].message
    assert cmdb.drawn() == {row}


def test_who_may_not_delete_is_refused_once_and_told_what_to_do(cmdb: Cmdb) -> None:
    words = (
        '{"error":{"message":"Operation Failed","detail":"ACL Exception Delete Failed due to security constraints"}}'
    )
    cmdb.server.faults.add(Fault(effect=Effect.STATUS, status=403, method="DELETE", path=DELETE, body=words))
    receipts = cmdb.unlink(2, 3)
    assert [receipt.outcome for receipt in receipts] == [Outcome.REFUSED] * 2
    assert all("cmdb_rel_ci" in receipt.message for receipt in receipts)
    assert (cmdb.deletes(), len(cmdb.drawn())) == (1, 2)


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (Fault(effect=Effect.STATUS, status=429), Outcome.LATER),
        (Fault(effect=Effect.HIBERNATING), Outcome.LATER),
        (Fault(effect=Effect.STATUS, status=503, method="GET"), Outcome.LATER),
        (Fault(effect=Effect.STATUS, status=500, method="DELETE"), Outcome.UNKNOWN),
        (Fault(effect=Effect.RESET_AFTER, method="DELETE", path=DELETE, acts=True), Outcome.UNKNOWN),
    ],
)
def test_an_instance_that_is_away_queues_and_a_lost_answer_is_unknown(
    cmdb: Cmdb, fault: Fault, outcome: Outcome
) -> None:
    client = cmdb.connect()
    cmdb.server.faults.add(fault)
    receipt = client.unlink([UnlinkChange(known=cmdb.edges[2], reason="test")])[0]
    assert receipt.outcome is outcome
    assert receipt.code


def test_a_wrong_password_ends_it(cmdb: Cmdb) -> None:
    client = cmdb.connect(password="wrong")
    with pytest.raises(NotAuthenticated):
        client.unlink([UnlinkChange(known=cmdb.edges[2], reason="test")])
