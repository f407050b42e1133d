"""Logins of the sandbox instance, and the one answer every failed login gets."""

from __future__ import annotations

import pytest
import requests

from beast_dream_snow_loader.sandbox.servicenow.app import ADMIN_USER, DEMO_USER
from beast_dream_snow_loader.sandbox.servicenow.auth import User

PATH = "/api/now/table/incident"
REFUSED = {
    "error": {"message": "User Not Authenticated", "detail": "Required to provide Auth information"},
    "status": "failure",
}
CLIENT = {"client_id": "snowload-demo", "client_secret": "snowload-demo-secret"}
PASSWORD = {"grant_type": "password", "username": "snowload", "password": "snowload-demo", **CLIENT}


def token(snow, **form: str) -> requests.Response:
    return requests.post(f"{snow.url}/oauth_token.do", data=form, timeout=30)


def bearer(snow, access_token: str) -> requests.Response:
    return snow.get(PATH, auth=None, headers={"Authorization": f"Bearer {access_token}"})


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Basic !!"},
        {"Authorization": "Basic c25vd2xvYWQ6bm8="},
        {"x-sn-apikey": "wrong"},
        {"Cookie": "JSESSIONID=1"},
    ],
)
def test_every_failed_login_gets_the_same_answer(snow, headers: dict[str, str]) -> None:
    answer = snow.get(PATH, auth=None, headers=headers)
    assert (answer.status_code, answer.json()) == (401, REFUSED)
    assert answer.headers["WWW-Authenticate"] == 'BASIC realm="Service-now"'
    assert not {"X-Is-Logged-In", "X-Transaction-ID", "X-Total-Count"} & set(answer.headers)
    assert "JSESSIONID" in answer.cookies


def test_an_api_key_logs_in_by_header_or_parameter(snow) -> None:
    key = "snowload-demo-key"
    assert snow.get(PATH, auth=None, headers={"x-sn-apikey": key}).status_code == 200
    assert snow.get(PATH, auth=None, **{"x-sn-apikey": key}).status_code == 200


@pytest.mark.parametrize("grant", [PASSWORD, {"grant_type": "client_credentials", **CLIENT}])
def test_a_token_is_granted_used_handed_out_again_and_expires(snow, grant: dict[str, str]) -> None:
    first = token(snow, **grant).json()
    assert (first["scope"], first["token_type"], first["expires_in"]) == ("useraccount", "Bearer", 1799)
    assert ("refresh_token" in first) == (grant["grant_type"] == "password")
    assert bearer(snow, first["access_token"]).status_code == 200
    snow.clock.advance(600)
    again = token(snow, **grant).json()
    assert (again["access_token"], again["expires_in"]) == (first["access_token"], 1199)
    snow.clock.advance(1200)
    expired = bearer(snow, first["access_token"])
    assert (expired.status_code, expired.json()) == (401, REFUSED)
    assert expired.headers["WWW-Authenticate"] == 'BEARER realm="Service-now"'
    assert token(snow, **grant).json()["access_token"] != first["access_token"]


def test_a_refresh_token_gives_a_new_access_token_until_it_expires_too(snow) -> None:
    first = token(snow, **PASSWORD).json()
    snow.clock.advance(1801)
    renewed = token(snow, grant_type="refresh_token", refresh_token=first["refresh_token"], **CLIENT).json()
    assert bearer(snow, renewed["access_token"]).status_code == 200
    snow.clock.advance(8_640_000)
    assert token(snow, grant_type="refresh_token", refresh_token=first["refresh_token"], **CLIENT).status_code == 401


@pytest.mark.parametrize(
    "form",
    [
        {**PASSWORD, "client_secret": "wrong"},
        {**PASSWORD, "password": "wrong"},
        {**PASSWORD, "grant_type": "invented"},
        {"grant_type": "refresh_token", "refresh_token": "x", **CLIENT},
        {},
    ],
)
def test_every_refused_token_gets_the_same_answer(snow, form: dict[str, str]) -> None:
    answer = token(snow, **form)
    assert (answer.status_code, answer.json()) == (401, {"error_description": "access_denied", "error": "server_error"})


def test_the_token_endpoint_reads_forms_only_and_needs_the_property_for_machine_grants(snow) -> None:
    assert requests.post(f"{snow.url}/oauth_token.do", json=PASSWORD, timeout=30).status_code == 401
    snow.properties(glide__oauth__inbound__client__credential__grant_type__enabled="false")
    assert token(snow, grant_type="client_credentials", **CLIENT).status_code == 401
    assert token(snow, **PASSWORD).status_code == 200


def test_a_client_limited_by_scopes_is_told_so(snow) -> None:
    snow.option(oauth_scopes={"snowload-demo": ["GET /api/now/table/incident"]})
    access = token(snow, **PASSWORD).json()["access_token"]
    assert bearer(snow, access).status_code == 200
    refused = snow.get("/api/now/stats/incident", auth=None, headers={"Authorization": f"Bearer {access}"})
    expected = {"message": "User Not Authorized", "detail": "Access to unscoped api is not allowed"}
    assert (refused.status_code, refused.json()["error"]) == (403, expected)
    assert snow.get("/api/now/stats/incident").status_code == 200


def test_revoked_tokens_are_worthless(snow) -> None:
    access = token(snow, **PASSWORD).json()["access_token"]
    assert requests.post(f"{snow.url}/_sandbox/tokens/revoke", timeout=30).status_code == 200
    assert bearer(snow, access).status_code == 401


def test_the_restriction_of_basic_keeps_right_passwords_out(make_snow) -> None:
    service = User(user_name="svc", password="p", roles=frozenset({"itil"}), web_service_access_only=True)
    allowed = User(user_name="role", password="p", roles=frozenset({"itil", "snc_basic_auth_api_access"}))
    snow = make_snow(users=(DEMO_USER, ADMIN_USER, service, allowed))
    snow.properties(glide__authenticate__basic_auth__restriction__active="true")
    statuses = [
        snow.get(PATH, auth=auth).status_code
        for auth in (("snowload", "snowload-demo"), snow.admin, ("svc", "p"), ("role", "p"))
    ]
    assert statuses == [401, 401, 200, 200]
    assert bearer(snow, token(snow, **PASSWORD).json()["access_token"]).status_code == 200
    snow.properties(glide__authenticate__basic_auth__restriction__allowed_users="snowload")
    assert snow.get(PATH).status_code == 200


def test_a_session_opens_once_per_cookie_jar(snow) -> None:
    with requests.Session() as jar:
        first = snow.get(PATH, session=jar)
        second = snow.get(PATH, session=jar)
    for name in ("JSESSIONID", "glide_user_route", "glide_session_store", "BIGipServerpool_sandbox"):
        assert f"{name}=" in first.headers["Set-Cookie"]
    assert (second.headers["X-Is-Logged-In"], "Set-Cookie" in second.headers) == ("true", False)
    for _ in range(3):
        snow.get(PATH)
    assert snow.app.sessions.count() == 4


def test_the_route_names_the_node_and_nothing_of_the_session(snow) -> None:
    first, second = snow.get(PATH).cookies, snow.get(PATH).cookies
    assert first["glide_user_route"] == second["glide_user_route"]
    assert first["JSESSIONID"] != second["JSESSIONID"]
    assert first["JSESSIONID"].lower() not in first["glide_user_route"]


def test_cookies_alone_need_the_user_token_and_end_with_the_session(snow) -> None:
    cookies = {"Cookie": f"JSESSIONID={snow.get(PATH).cookies['JSESSIONID']}"}
    assert snow.get(PATH, auth=None, headers=cookies).status_code == 401
    (session,) = snow.app.sessions._sessions.values()
    known = {**cookies, "X-UserToken": session.token}
    answer = snow.get(PATH, auth=None, headers=known)
    assert (answer.status_code, answer.headers["X-UserToken-Response"]) == (200, session.token)
    snow.clock.advance(301)
    assert snow.get(PATH, auth=None, headers=known).status_code == 401


def test_an_api_asks_for_its_own_role(make_snow) -> None:
    snow = make_snow(users=(User(user_name="guest", password="g"), ADMIN_USER))
    answer = snow.post("/api/now/identifyreconcile/enhanced", {"items": []}, auth=("guest", "g"))
    expected = {"message": "User Not Authorized", "detail": "Failed API level ACL Validation"}
    assert (answer.status_code, answer.json()["error"]) == (403, expected)
