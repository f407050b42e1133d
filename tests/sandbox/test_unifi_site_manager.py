"""The sandbox's Site Manager over real HTTP: paging, refusals, the connector."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.estate.things import HostType
from beast_dream_snow_loader.sandbox.serving import Server
from beast_dream_snow_loader.sandbox.unifi.assembly import CLOUD_KEY, CloudOptions, site_manager_app

KEY = {"X-API-Key": CLOUD_KEY}


@pytest.fixture
def estate() -> Estate:
    return Estate.demo()


@pytest.fixture
def cloud(estate: Estate) -> Iterator[Server]:
    with Server(site_manager_app(estate)) as server:
        yield server


def _get(cloud: Server, path: str, **query: str) -> requests.Response:
    return requests.get(f"{cloud.url}{path}", params=query, headers=KEY, timeout=5)


def _all(cloud: Server, path: str, size: int) -> tuple[list[dict[str, Any]], int]:
    """Every record, and the number of pages it took."""
    records: list[dict[str, Any]] = []
    query, pages = {"pageSize": str(size)}, 0
    while True:
        body = _get(cloud, path, **query).json()
        records += body["data"]
        pages += 1
        if not body.get("nextToken"):
            return records, pages
        query["nextToken"] = body["nextToken"]


@pytest.mark.parametrize("path", ["/v1/hosts", "/v1/sites", "/v1/devices"])
@pytest.mark.parametrize("size", [1, 2, 100])
def test_pages_of_any_size_give_every_record_once(cloud: Server, path: str, size: int) -> None:
    whole = _get(cloud, path).json()["data"]
    records, pages = _all(cloud, path, size)
    assert records == whole
    assert pages == -(-len(whole) // size)


def test_the_end_of_a_list_is_an_absent_or_an_empty_token(cloud: Server) -> None:
    assert "nextToken" not in _get(cloud, "/v1/hosts").json()
    assert _get(cloud, "/v1/sites").json()["nextToken"] == ""


def test_every_answer_has_its_envelope(cloud: Server) -> None:
    body = _get(cloud, "/v1/hosts").json()
    assert body["httpStatusCode"] == 200
    assert len(body["traceId"]) == 32


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/devices?time=2026-11-01", 400, "parameter_invalid"),
        ("/v1/hosts?pageSize=x", 400, "parameter_invalid"),
        ("/v1/hosts?nextToken=gone", 400, "parameter_invalid"),
        ("/v1/hosts/nobody:1", 404, "NOT_FOUND"),
        ("/v1/elsewhere", 404, "NOT_FOUND"),
        ("/v1/connector/consoles/x", 400, "parameter_invalid"),
    ],
)
def test_refusals_have_the_error_envelope(cloud: Server, path: str, status: int, code: str) -> None:
    answer = _get(cloud, path)
    body = answer.json()
    assert (answer.status_code, body["code"], body["httpStatusCode"]) == (status, code, status)
    assert set(body) == {"code", "httpStatusCode", "message", "traceId"}


@pytest.mark.parametrize("headers", [{}, {"X-API-Key": "wrong"}])
def test_without_the_key_nothing_is_told(cloud: Server, headers: dict[str, str]) -> None:
    answer = requests.get(f"{cloud.url}/v1/hosts", headers=headers, timeout=5)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


def test_the_hosts_are_of_every_shape(cloud: Server) -> None:
    hosts = _get(cloud, "/v1/hosts").json()["data"]
    assert {host["type"] for host in hosts} == {kind.value for kind in HostType}
    blocked = next(host for host in hosts if host["isBlocked"])
    assert blocked["reportedState"] is None
    server = next(host for host in hosts if host["type"] == "network-server")
    assert (server["userData"], server["reportedState"]["firmware_version"]) == (None, None)
    assert all(len(host["id"].partition(":")[0]) == 60 for host in hosts if host is not server)


def test_one_host_is_found_by_an_id_with_a_colon(cloud: Server, estate: Estate) -> None:
    wanted = estate.consoles()[0].host_id
    assert _get(cloud, f"/v1/hosts/{wanted}").json()["data"]["id"] == wanted


def test_device_groups_are_chosen_by_host(cloud: Server, estate: Estate) -> None:
    chosen = [estate.consoles()[0].host_id, estate.consoles()[3].host_id]
    answer = requests.get(
        f"{cloud.url}/v1/devices", params=[("hostIds[]", one) for one in chosen], headers=KEY, timeout=5
    )
    groups = answer.json()["data"]
    assert [group["hostId"] for group in groups] == chosen
    lines = {device["productLine"] for group in groups for device in group["devices"]}
    assert lines == {"network", "protect"}
    consoles = [device["mac"] for group in groups for device in group["devices"] if device["isConsole"]]
    assert consoles == [estate.consoles()[0].mac, estate.consoles()[3].mac]


def _connector(host: str, path: str = "proxy/network/integration/v1/sites") -> str:
    return f"/v1/connector/consoles/{host}/{path}"


def test_the_connector_passes_on_the_consoles_own_answers(cloud: Server, estate: Estate) -> None:
    host = estate.consoles()[0].host_id
    sites = _get(cloud, _connector(host)).json()
    assert (sites["totalCount"], "traceId" in sites) == (2, False)
    legacy = _get(cloud, _connector(host, "proxy/network/api/s/default/stat/device")).json()
    assert legacy["meta"]["rc"] == "ok"
    short = _get(cloud, _connector(host, "proxy/network/integration/v1/sites/default/devices"))
    assert short.status_code == 400


def test_the_connector_says_why_it_cannot(cloud: Server, estate: Estate) -> None:
    hq, branch, server, recorder, blocked = (console.host_id for console in estate.consoles())
    estate.set_reachable(branch, False)
    answers = [_get(cloud, _connector(host)) for host in (server, blocked, branch, recorder, "nobody")]
    assert [answer.status_code for answer in answers] == [403, 403, 408, 404, 404]
    assert answers[2].json()["code"] == "DeviceTimeout"
    assert _get(cloud, _connector(hq, "elsewhere")).status_code == 400


def test_the_connector_may_pack_bodies_without_saying_so(estate: Estate) -> None:
    app = site_manager_app(estate, options=CloudOptions(squeezed=True))
    with Server(app) as cloud:
        answer = _get(cloud, _connector(estate.consoles()[0].host_id))
    assert "Content-Encoding" not in answer.headers
    assert answer.content[:2] == b"\x1f\x8b"
    assert b"totalCount" in gzip.decompress(answer.content)


def test_the_connector_refuses_an_answer_beyond_ten_megabytes() -> None:
    estate = Estate.generate(sites=1, devices=3000)
    with Server(site_manager_app(estate)) as cloud:
        host = estate.consoles()[0].host_id
        answer = _get(cloud, _connector(host, "proxy/network/api/s/default/stat/device"))
    assert (answer.status_code, answer.json()["code"]) == (500, "server_error")


def test_the_connector_takes_a_hundred_requests_a_minute_per_console(estate: Estate) -> None:
    with Server(site_manager_app(estate, options=CloudOptions(limited=True))) as cloud, requests.Session() as session:
        url = f"{cloud.url}{_connector(estate.consoles()[0].host_id, 'proxy/network/integration/v1/info')}"
        statuses = [session.get(url, headers=KEY, timeout=5).status_code for _ in range(101)]
        refused = session.get(url, headers=KEY, timeout=5)
    assert statuses == [200] * 100 + [429]
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert refused.json()["message"].startswith("rate limit exceeded, retry after ")
