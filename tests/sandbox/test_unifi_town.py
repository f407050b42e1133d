"""The whole sandbox at once: how to reach it, one day played over the control plane, recorded payloads, speed."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.messages import HttpAnswer, HttpRequest
from beast_dream_snow_loader.sandbox.serving import Server
from beast_dream_snow_loader.sandbox.town import Sandbox
from beast_dream_snow_loader.sandbox.unifi.assembly import CONSOLE_KEY, console_app

FIXTURES = Path(__file__).parents[1] / "fixtures" / "unifi"


class Instance:
    """Stands where a ServiceNow would."""

    def answer(self, request: HttpRequest) -> HttpAnswer:
        return HttpAnswer(body=request.path.encode())


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.create(servicenow=Instance()) as running:
        yield running


def test_the_variables_lead_to_every_server(sandbox: Sandbox) -> None:
    found = sandbox.environment()
    key = {"X-API-Key": found["UNIFI_API_KEY"]}
    assert requests.get(f"{found['UNIFI_SITE_MANAGER_URL']}/v1/hosts", headers=key, timeout=5).status_code == 200
    assert requests.get(f"{found['SERVICENOW_INSTANCE']}/api/now", timeout=5).text == "/api/now"
    by_key, by_session, classic = json.loads(found["SNOWLOAD_UNIFI__CONSOLES"])
    info = f"{by_key['url']}/proxy/network/integration/v1/info"
    assert requests.get(info, headers={"X-API-KEY": by_key["api_key"]}, timeout=5).status_code == 200
    for console, path in ((by_session, "/api/auth/login"), (classic, "/api/login")):
        login = {"username": console["username"], "password": console["password"]}
        assert requests.post(f"{console['url']}{path}", json=login, timeout=5).status_code == 200
    assert sandbox.settings()["unifi"]["consoles"] == [by_key, by_session, classic]


def test_a_servicenow_of_its_own_comes_with_an_account(tmp_path: Path) -> None:
    file = tmp_path / "cmdb.sqlite"
    with Sandbox.create(servicenow_file=file) as sandbox:
        found = sandbox.environment()
        account = (found["SERVICENOW_USERNAME"], found["SERVICENOW_PASSWORD"])
        url = f"{found['SERVICENOW_INSTANCE']}/api/now/table/cmdb_ci?sysparm_limit=1"
        assert requests.get(url, auth=account, timeout=5).status_code == 200
    assert file.stat().st_size > 0


def test_consoles_may_have_certificates_to_pin() -> None:
    with Sandbox.create(servicenow=Instance(), tls=True) as sandbox:
        consoles = json.loads(sandbox.environment()["SNOWLOAD_UNIFI__CONSOLES"])
    assert all(one["url"].startswith("https://127.0.0.1:") for one in consoles)
    assert all(len(one["verify_tls"].removeprefix("fingerprint:")) == 64 for one in consoles)


def test_fixed_ports_are_consecutive_and_a_taken_one_leaves_nothing_open() -> None:
    first = _five_free_ports()
    with Sandbox.create(servicenow=Instance(), port=first) as sandbox:
        ports = [server.port for server in sandbox.servers.values()]
        assert ports == list(range(first, first + 5))
    with socket.create_server(("127.0.0.1", first + 3)):
        with pytest.raises(OSError, match="in use"):
            Sandbox.create(servicenow=Instance(), port=first).start()
        with socket.create_server(("127.0.0.1", first)):
            pass


def _five_free_ports() -> int:
    """Below the range from which the system gives out ports of its own."""
    for first in range(21_000, 30_000, 7):
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(first, first + 5):
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
            return first
    raise AssertionError("no five free ports in a row")


def _play(sandbox: Sandbox, operation: str, **arguments: object) -> requests.Response:
    return requests.post(f"{sandbox.site_manager.url}/_sandbox/estate/{operation}", json=arguments, timeout=5)


def _rows(sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    console = sandbox.consoles[0].server.url
    answer = requests.get(
        f"{console}/proxy/network/api/s/default/stat/device", headers={"X-API-KEY": CONSOLE_KEY}, timeout=5
    )
    return {row["mac"]: row for row in answer.json()["data"]}


def test_a_day_played_over_the_control_plane_shows_in_every_view(sandbox: Sandbox) -> None:
    assert sandbox.estate
    before = _rows(sandbox)
    core = next(mac for mac, row in before.items() if row.get("name") == "hq-core")
    leaf, other, gone = [mac for mac, row in before.items() if row["type"] == "uap" and row["adopted"]][:3]
    site = sandbox.estate.sites()[0].legacy_id
    assert _play(sandbox, "rename-device", mac=leaf, name="renamed").status_code == 200
    assert _play(sandbox, "set-online", mac=other, online=False).status_code == 200
    assert _play(sandbox, "change-uplink", mac=leaf, uplink=core, port=9).status_code == 200
    assert _play(sandbox, "upgrade-device", mac=core, firmware="9.1.2.34567").status_code == 200
    assert _play(sandbox, "remove-device", mac=gone).status_code == 200
    added = _play(sandbox, "add-device", site=site, model="U7PRO", name="brand new").json()["now"]
    after = _rows(sandbox)
    assert (after[leaf]["name"], after[leaf]["uplink"]["uplink_mac"]) == ("renamed", core)
    assert after[other]["state"] == 0
    assert after[core]["displayable_version"] == "9.1.2"
    assert gone not in after
    groups = requests.get(
        f"{sandbox.site_manager.url}/v1/devices", headers={"X-API-Key": sandbox.site_manager_key}, timeout=5
    ).json()["data"]
    names = {device["mac"]: device["name"] for device in groups[0]["devices"]}
    assert names[added["mac"]] == "brand new"
    assert names[leaf.replace(":", "").upper()] == "renamed"


def test_the_truth_can_be_read_and_bad_orders_are_refused(sandbox: Sandbox) -> None:
    root = f"{sandbox.consoles[0].server.url}/_sandbox/estate"
    counts = requests.get(root, timeout=5).json()
    assert len(requests.get(f"{root}/devices", timeout=5).json()["devices"]) == counts["devices"]
    assert _play(sandbox, "rename-device", mac="00:00:00:00:00:00", name="x").status_code == 404
    assert _play(sandbox, "rename-device", name="x").status_code == 400
    assert _play(sandbox, "set-online", mac="x", online="yes").status_code == 400
    assert _play(sandbox, "explode").status_code == 404


def test_one_log_counts_the_requests_of_all_servers(sandbox: Sandbox) -> None:
    for server in sandbox.servers.values():
        requests.get(f"{server.url}/x", timeout=5)
    assert {line.service for line in sandbox.log.lines()} == set(sandbox.servers)
    assert len(sandbox.log.lines("servicenow")) == 1


def test_recorded_payloads_are_served_verbatim_and_each_once() -> None:
    with Sandbox.create(recorded=FIXTURES, servicenow=Instance()) as sandbox:
        (console,) = json.loads(sandbox.environment()["SNOWLOAD_UNIFI__CONSOLES"])
        key = {"X-API-Key": sandbox.environment()["UNIFI_API_KEY"]}

        def cloud(path: str) -> list[dict[str, Any]]:
            return requests.get(f"{sandbox.site_manager.url}/v1/{path}", headers=key, timeout=5).json()["data"]

        def local(path: str) -> Any:
            return requests.get(f"{console['url']}/proxy/network/{path}", headers=key, timeout=5).json()

        recorded = json.loads((FIXTURES / "site-manager" / "hosts_list.constructed.json").read_bytes())["data"]
        hosts = cloud("hosts")
        assert all(host in hosts for host in recorded)
        assert len({host["id"] for host in hosts}) == len(hosts) == 7
        assert len(cloud("devices?pageSize=200")) == 4
        devices = local("api/s/default/stat/device")["data"]
        macs = [row["mac"] for row in devices if "mac" in row]
        assert len(macs) == len(set(macs))
        assert {"U7PG2", "UGW3", "USPPDUP", "USWDA26", "UP1"} <= {row["model"] for row in devices}
        site = local("api/self/sites")["data"][0]["external_id"]
        overviews = local(f"integration/v1/sites/{site}/devices?limit=200")
        assert overviews["totalCount"] == len(overviews["data"]) == 7
        assert local(f"integration/v1/sites/{site}/devices/{overviews['data'][0]['id']}")["macAddress"]
        assert local(f"integration/v1/sites/{site}/clients")["totalCount"] == 8


def test_a_directory_without_payloads_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no recorded payloads"):
        Sandbox.create(recorded=tmp_path, servicenow=Instance())


@pytest.mark.bench
def test_twelve_thousand_full_device_records_are_answered_in_seconds() -> None:
    estate = Estate.generate(sites=1, devices=12_000)
    with Server(console_app(estate, estate.consoles()[0].host_id)) as server:
        started = time.perf_counter()
        answer = requests.get(
            f"{server.url}/proxy/network/api/s/default/stat/device", headers={"X-API-KEY": CONSOLE_KEY}, timeout=60
        )
        assert time.perf_counter() - started < 10
    assert len(answer.content) > 20_000_000
