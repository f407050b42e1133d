"""A sandbox console over real HTTP: Network Integration and the controller API in both flavours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.estate.identifiers import DEFAULT_SITE_UUID
from beast_dream_snow_loader.sandbox.serving import Server
from beast_dream_snow_loader.sandbox.unifi.access import AccessRules
from beast_dream_snow_loader.sandbox.unifi.assembly import CONSOLE_KEY, PASSWORD, USERNAME, console_app

KEY = {"X-API-KEY": CONSOLE_KEY}
ROOT = "/proxy/network/integration/v1"
LOGIN = {"username": USERNAME, "password": PASSWORD}


@dataclass(frozen=True)
class Console:
    """A running console and the estate behind it; ``prefix`` is that of the controller API."""

    server: Server
    estate: Estate
    prefix: str = "/proxy/network"

    def get(self, path: str, **headers: str) -> requests.Response:
        return requests.get(f"{self.server.url}{path}", headers=headers or KEY, timeout=5, allow_redirects=False)

    def session(self, login: str = "/api/auth/login") -> requests.Session:
        session = requests.Session()
        answer = session.post(f"{self.server.url}{login}", json=LOGIN, timeout=5)
        assert answer.status_code == 200
        session.headers["X-CSRF-Token"] = answer.headers.get("X-CSRF-Token") or session.cookies["csrf_token"]
        return session

    def rows(self, session: requests.Session, page: str, site: str = "default") -> list[dict[str, Any]]:
        answer = session.get(f"{self.server.url}{self.prefix}/api/s/{site}/{page}", timeout=5).json()
        assert answer["meta"] == {"rc": "ok"}
        return answer["data"]


def _console(place: int, rules: AccessRules | None = None) -> tuple[Estate, Any]:
    estate = Estate.demo()
    host = estate.consoles()[place].host_id
    return estate, console_app(estate, host, rules=rules) if rules else console_app(estate, host)


@pytest.fixture
def hq() -> Iterator[Console]:
    estate, app = _console(0)
    with Server(app) as server:
        yield Console(server, estate)


@pytest.fixture
def branch() -> Iterator[Console]:
    """Network 9.1."""
    estate, app = _console(1)
    with Server(app) as server:
        yield Console(server, estate)


@pytest.fixture
def classic() -> Iterator[Console]:
    estate, app = _console(2)
    with Server(app) as server:
        yield Console(server, estate, prefix="")


def test_pages_go_on_until_the_total(hq: Console) -> None:
    found, offset = [], 0
    while True:
        page = hq.get(f"{ROOT}/sites/{DEFAULT_SITE_UUID}/devices?limit=7&offset={offset}").json()
        found += page["data"]
        offset += page["count"]
        if offset >= page["totalCount"]:
            break
    site = hq.estate.sites()[0]
    assert len({one["id"] for one in found}) == len(found) == page["totalCount"]
    assert len(found) == sum(device.adopted for device in hq.estate.site_devices(site.legacy_id))


def test_a_page_has_25_rows_unless_asked_and_200_at_most(hq: Console) -> None:
    assert hq.get(f"{ROOT}/sites").json()["limit"] == 25
    assert hq.get(f"{ROOT}/sites?limit=200").status_code == 200
    assert hq.get(f"{ROOT}/sites?limit=201").status_code == 400
    beyond = hq.get(f"{ROOT}/sites?offset=99").json()
    assert (beyond["count"], beyond["totalCount"], beyond["data"]) == (0, 2, [])


def test_the_key_is_looked_at_before_the_path(hq: Console) -> None:
    missing = hq.get(f"{ROOT}/nonsense", Accept="application/json")
    wrong = hq.get(f"{ROOT}/sites", **{"X-API-KEY": "wrong"})
    assert [missing.status_code, wrong.status_code] == [401, 401]
    assert missing.json()["code"] == "api.authentication.missing-credentials"
    assert wrong.json()["code"] == "api.authentication.invalid-credentials"
    assert hq.get(f"{ROOT}/nonsense").status_code == 404


def test_a_short_name_is_no_site_id(hq: Console) -> None:
    answer = hq.get(f"{ROOT}/sites/default/devices")
    assert (answer.status_code, answer.json()["code"]) == (400, "api.request.argument-type-mismatch")
    assert answer.json()["requestPath"] == "/integration/v1/sites/default/devices"


def test_a_detail_turns_features_and_interfaces_into_objects_and_names_the_parent(hq: Console) -> None:
    overviews = hq.get(f"{ROOT}/sites/{DEFAULT_SITE_UUID}/devices").json()["data"]
    details = [hq.get(f"{ROOT}/sites/{DEFAULT_SITE_UUID}/devices/{one['id']}").json() for one in overviews]
    ids = {one["id"] for one in overviews}
    for overview, detail in zip(overviews, details, strict=True):
        assert list(detail["features"]) == overview["features"]
        assert list(detail["interfaces"]) == overview["interfaces"]
        assert ("uplink" in detail) == (detail["model"] != "UDM Pro Max")
        assert detail.get("uplink", {"deviceId": overview["id"]})["deviceId"] in ids
    assert {port.get("connector") for one in details for port in one["interfaces"].get("ports", [])} >= {
        "RJ45",
        "SFPPLUS",
    }


def test_statistics_exist_for_what_is_online(hq: Console) -> None:
    devices = hq.get(f"{ROOT}/sites/{DEFAULT_SITE_UUID}/devices").json()["data"]
    for one in devices:
        answer = hq.get(f"{ROOT}/sites/{DEFAULT_SITE_UUID}/devices/{one['id']}/statistics/latest")
        assert answer.status_code == (404 if one["state"] == "OFFLINE" else 200)


def test_offline_devices_have_an_address_in_words_and_no_firmware(hq: Console) -> None:
    devices = hq.get(f"{ROOT}/sites/{DEFAULT_SITE_UUID}/devices").json()["data"]
    off = [one for one in devices if one["state"] == "OFFLINE"]
    assert off
    assert all(one["ipAddress"] == "unknown" and "firmwareVersion" not in one for one in off)


def test_clients_are_of_every_type_and_found_by_id(hq: Console, branch: Console) -> None:
    ours = hq.get(f"{ROOT}/sites/{DEFAULT_SITE_UUID}/clients").json()["data"]
    theirs = branch.get(f"{ROOT}/sites/{DEFAULT_SITE_UUID}/clients").json()["data"]
    assert {"WIRED", "WIRELESS"} <= {one["type"] for one in ours}
    bodiless = [one for one in ours + theirs if one["type"] in ("VPN", "TELEPORT")]
    assert all("macAddress" not in one and "uplinkDeviceId" not in one for one in bodiless)
    detail = hq.get(f"{ROOT}/sites/{DEFAULT_SITE_UUID}/clients/{ours[0]['id']}").json()
    assert detail["id"] == ours[0]["id"]


def test_pending_devices_have_neither_id_nor_name(hq: Console) -> None:
    (pending,) = hq.get(f"{ROOT}/pending-devices").json()["data"]
    assert not {"id", "name"} & set(pending)
    assert pending["state"] == "PENDING_ADOPTION"


def test_an_older_network_knows_fewer_fields_and_pages(branch: Console) -> None:
    device = branch.get(f"{ROOT}/sites/{DEFAULT_SITE_UUID}/devices").json()["data"][0]
    assert not {"supported", "firmwareVersion", "firmwareUpdatable"} & set(device)
    answer = branch.get(f"{ROOT}/pending-devices")
    assert answer.status_code == 404
    assert answer.json()["message"] == "No endpoint GET /integration/v1/pending-devices."


def test_unifi_os_lets_in_by_session_and_by_key(hq: Console) -> None:
    assert hq.get("/").status_code == 200
    session = hq.session()
    assert "TOKEN" in session.cookies
    for asked in (
        session.get(f"{hq.server.url}{hq.prefix}/api/self/sites", timeout=5),
        hq.get(f"{hq.prefix}/api/self/sites"),
    ):
        assert next(site["name"] for site in asked.json()["data"]) == "default"


def test_the_classic_flavour_has_other_paths_and_cookies_and_no_integration(classic: Console) -> None:
    front = classic.get("/")
    assert (front.status_code, front.headers["Location"]) == (302, "/manage")
    assert classic.get("/api/self/sites").json()["meta"] == {"rc": "error", "msg": "api.err.LoginRequired"}
    assert classic.get(f"{ROOT}/info").status_code == 404
    session = classic.session("/api/login")
    assert {"unifises", "csrf_token"} <= set(session.cookies.keys())
    assert [row["type"] for row in classic.rows(session, "stat/device")] == ["uxg", "usw"]


def test_a_key_may_not_open_the_controller_api() -> None:
    rules = AccessRules(api_key=CONSOLE_KEY, username=USERNAME, password=PASSWORD, key_opens_controller=False)
    estate, app = _console(0, rules)
    with Server(app) as server:
        console = Console(server, estate)
        assert console.get("/proxy/network/api/self/sites").status_code == 401
        assert console.get(f"{ROOT}/sites").status_code == 200


def test_writing_methods_need_the_csrf_token(hq: Console) -> None:
    session = hq.session()
    url = f"{hq.server.url}{hq.prefix}/api/s/default/stat/alluser"
    assert session.post(url, json={"within": 24}, timeout=5).status_code == 200
    del session.headers["X-CSRF-Token"]
    assert session.post(url, json={"within": 24}, timeout=5).status_code == 403
    assert session.get(f"{hq.server.url}{hq.prefix}/api/self/sites", timeout=5).status_code == 200


def test_a_lost_session_is_told_in_plain_text(hq: Console) -> None:
    session = hq.session()
    assert requests.post(f"{hq.server.url}/_sandbox/sessions/drop", timeout=5).json() == {"dropped": 1}
    answer = session.get(f"{hq.server.url}{hq.prefix}/api/self/sites", timeout=5)
    assert (answer.status_code, answer.text) == (401, "Unauthorized")
    assert answer.headers["Content-Type"].startswith("text/plain")


def test_a_session_may_end_after_so_many_requests() -> None:
    rules = AccessRules(api_key=CONSOLE_KEY, username=USERNAME, password=PASSWORD, session_requests=2)
    estate, app = _console(0, rules)
    with Server(app) as server:
        session = Console(server, estate).session()
        url = f"{server.url}/proxy/network/api/self/sites"
        assert [session.get(url, timeout=5).status_code for _ in range(3)] == [200, 200, 401]


def test_logging_out_ends_the_session(hq: Console) -> None:
    session = hq.session()
    session.post(f"{hq.server.url}/api/auth/logout", timeout=5)
    assert session.get(f"{hq.server.url}{hq.prefix}/api/self/sites", timeout=5).status_code == 401


def test_wrong_logins_bring_the_brake_on(hq: Console, classic: Console) -> None:
    def statuses(url: str) -> list[int]:
        wrong = {"username": USERNAME, "password": "wrong"}
        return [requests.post(url, json=wrong, timeout=5).status_code for _ in range(6)]

    assert statuses(f"{hq.server.url}/api/auth/login") == [401] * 5 + [429]
    assert statuses(f"{classic.server.url}/api/login") == [400] * 5 + [429]
    braked = requests.post(f"{hq.server.url}/api/auth/login", json=LOGIN, timeout=5)
    assert (braked.status_code, "Retry-After" in braked.headers) == (429, False)
    assert braked.json()["code"] == "AUTHENTICATION_FAILED_LIMIT_REACHED"


def test_many_right_logins_are_not_braked(hq: Console) -> None:
    assert all(hq.session() for _ in range(20))


def test_a_second_factor_is_asked_for_with_499() -> None:
    rules = AccessRules(api_key=CONSOLE_KEY, username=USERNAME, password=PASSWORD, multi_factor=True)
    _, app = _console(0, rules)
    with Server(app) as server:
        assert requests.post(f"{server.url}/api/auth/login", json=LOGIN, timeout=5).status_code == 499


def test_controller_errors_come_in_its_envelope_some_with_200(hq: Console) -> None:
    session = hq.session()

    def asked(page: str) -> tuple[int, str]:
        answer = session.get(f"{hq.server.url}{hq.prefix}/api/s/{page}", timeout=5)
        return answer.status_code, answer.json()["meta"]["msg"]

    assert asked("Default/stat/device") == (401, "api.err.NoSiteContext")
    assert asked("default/stat/device/00:00:00:00:00:00") == (200, "api.err.UnknownStation")
    assert asked("default/stat/sta/00:00:00:00:00:00") == (400, "api.err.InvalidArgument")
    assert asked("default/stat/event") == (404, "api.err.NotFound")


def test_the_device_list_has_neighbours_and_the_oddities_of_real_ones(hq: Console) -> None:
    rows = hq.rows(hq.session(), "stat/device")
    neighbours = [row for row in rows if not row["adopted"]]
    assert [(row["_id"], row["state"], "ip" in row, "name" in row) for row in neighbours] == [("", 2, False, False)]
    by_model = {row["model"]: row for row in rows}
    assert by_model["UP6"]["serial"] == by_model["UP6"]["mac"].replace(":", "")
    assert by_model["UP6"]["type"] == by_model["U7PRO"]["type"] == "uap"
    assert by_model["USPPDUP"]["type"] == by_model["USWDA25"]["type"] == "usw"
    assert isinstance(by_model["USPPDUP"]["outlet_table"][10]["outlet_power"], str)
    assert isinstance(by_model["UDMPROMAX"]["system-stats"]["cpu"], str)
    assert isinstance(by_model["U7PRO"]["system-stats"]["cpu"], float)
    assert "uplink_mac" not in by_model["UDMPROMAX"]["uplink"]
    assert "lldp_table" not in by_model["US16P150"]
    off = [row for row in rows if row["state"] == 0]
    assert off
    assert all("ip" not in row and "uptime" not in row and "uplink" not in row for row in off)
    assert all(row["last_uplink"]["uplink_mac"] for row in off)


def test_some_devices_and_one_device_can_be_asked_for(hq: Console) -> None:
    session = hq.session()
    macs = [row["mac"] for row in hq.rows(session, "stat/device")][:3]
    url = f"{hq.server.url}{hq.prefix}/api/s/default/stat/device"
    assert [row["mac"] for row in session.post(url, json={"macs": macs}, timeout=5).json()["data"]] == macs
    assert [row["mac"] for row in hq.rows(session, f"stat/device/{macs[1]}")] == [macs[1]]
    assert len(hq.rows(session, "stat/device-basic")) == len(hq.rows(session, "stat/device"))


def test_known_clients_include_the_gone_and_one_without_a_mac_and_a_window_narrows_them(hq: Console) -> None:
    session = hq.session()
    known, connected = hq.rows(session, "rest/user"), hq.rows(session, "stat/sta")
    assert {row.get("mac") for row in connected} < {row.get("mac") for row in known}
    assert sum("mac" not in row for row in known) == 1
    url = f"{hq.server.url}{hq.prefix}/api/s/default/stat/alluser"
    within = session.post(url, json={"type": "all", "conn": "all", "within": 24}, timeout=5).json()["data"]
    assert len(connected) <= len(within) < len(known)


def test_the_three_views_of_a_site_agree(hq: Console) -> None:
    session = hq.session()
    (site, other) = session.get(f"{hq.server.url}{hq.prefix}/api/self/sites", timeout=5).json()["data"]
    integration = {one["id"]: one for one in hq.get(f"{ROOT}/sites").json()["data"]}
    assert integration[site["external_id"]]["internalReference"] == site["name"] == "default"
    assert integration[other["external_id"]]["name"] == other["desc"]
    devices = hq.get(f"{ROOT}/sites/{other['external_id']}/devices").json()["data"]
    rows = hq.rows(session, "stat/device", other["name"])
    assert [one["macAddress"] for one in devices] == [row["mac"] for row in rows if row["adopted"]]
    assert {row["site_id"] for row in rows} == {other["_id"]}


def test_sysinfo_tells_network_and_unifi_os_versions_apart(hq: Console) -> None:
    (system,) = hq.rows(hq.session(), "stat/sysinfo")
    assert system["version"] == hq.get(f"{ROOT}/info").json()["applicationVersion"] == "10.5.67"
    assert system["console_display_version"] == "5.0.16"
