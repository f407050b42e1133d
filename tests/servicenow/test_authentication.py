"""The most secure login that is not refused is used, and a refusal says what to check (R1.4, R5.x)."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from typing import Any

import pytest

from beast_dream_snow_loader.core.events import HealingSettled
from beast_dream_snow_loader.errors import CmdbAsleep, NotAuthenticated, NotAuthorised, NotSent, Throttled
from beast_dream_snow_loader.operations.healing import LOGIN, TOKEN
from beast_dream_snow_loader.servicenow.authentication import authenticating
from beast_dream_snow_loader.servicenow.client import ServiceNowAPIClient
from beast_dream_snow_loader.servicenow.config import ServiceNowSettings
from beast_dream_snow_loader.transport.http import HttpTransport
from beast_dream_snow_loader.transport.messages import Request
from tests.servicenow.conftest import Asked, Heard, Instance, Reply, Responder, StoppedClock, refusal, rows

NOT_AUTHENTICATED = Reply(status=401, body=refusal("User Not Authenticated", "Required to provide Auth information"))
OAUTH = {"client_id": "cid", "client_secret": "oauth-canary"}
BASIC = {"username": "loader", "password": "basic-canary"}

Connect = Callable[..., ServiceNowAPIClient]


@pytest.fixture
def connect(instance: Instance, wire: HttpTransport, clock: StoppedClock, heard: Heard) -> Connect:
    def made(**settings: Any) -> ServiceNowAPIClient:
        chosen = ServiceNowSettings.model_validate({"instance": instance.url, **settings})
        return ServiceNowAPIClient(chosen, authenticating(wire, chosen, clock, heard), clock, heard)

    return made


class Door:
    """Lets in who shows one of ``good``; hands out tokens at ``/oauth_token.do``."""

    def __init__(self, *good: str) -> None:
        self.good = set(good)
        self.tokens = 0
        self.grants: list[dict[str, str]] = []
        self.refused_grants: set[str] = set()

    def __call__(self, asked: Asked) -> Reply:
        if asked.path == "/oauth_token.do":
            return self._token(asked.form)
        shown = asked.headers.get("authorization") or asked.headers.get("x-sn-apikey") or ""
        return rows() if shown in self.good else NOT_AUTHENTICATED

    def _token(self, form: dict[str, str]) -> Reply:
        self.grants.append(form)
        if form["grant_type"] in self.refused_grants or form.get("client_secret") != "oauth-canary":
            return Reply(status=401, body={"error_description": "access_denied", "error": "server_error"})
        self.tokens += 1
        self.good.add(f"Bearer token-{self.tokens}")
        body = {"access_token": f"token-{self.tokens}", "refresh_token": "again", "expires_in": 1800}
        return Reply(body=body)


def basic(pair: str) -> str:
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def test_basic_is_sent_when_nothing_else_is_set(connect: Connect, instance: Instance) -> None:
    instance.answer = Door(basic("loader:basic-canary"))
    connect(**BASIC).ping()


def test_a_token_is_fetched_once_and_kept_until_it_ends(
    connect: Connect, instance: Instance, clock: StoppedClock
) -> None:
    door = instance.answer = Door()
    client = connect(**OAUTH)
    client.ping()
    client.ping()
    assert [grant["grant_type"] for grant in door.grants] == ["client_credentials"]
    clock.seconds = 1790
    client.ping()
    assert [grant["grant_type"] for grant in door.grants] == ["client_credentials", "refresh_token"]


def test_the_password_grant_is_used_when_a_user_is_named_too(connect: Connect, instance: Instance) -> None:
    door = instance.answer = Door()
    connect(**OAUTH, **BASIC).ping()
    assert door.grants[0]["grant_type"] == "password"
    assert door.grants[0]["username"] == "loader"


def test_a_token_refused_in_the_middle_of_a_run_is_renewed_once(connect: Connect, instance: Instance) -> None:
    door = instance.answer = Door()
    client = connect(**OAUTH)
    client.ping()
    door.good.clear()
    client.ping()
    assert [grant["grant_type"] for grant in door.grants] == ["client_credentials", "refresh_token"]
    assert len(instance.asked) == 5  # token, read, read refused, token, read


def test_a_refresh_token_that_ended_falls_back_to_the_grant(connect: Connect, instance: Instance) -> None:
    door = instance.answer = Door()
    client = connect(**OAUTH)
    client.ping()
    door.good.clear()
    door.refused_grants = {"refresh_token"}
    client.ping()
    assert [grant["grant_type"] for grant in door.grants] == [
        "client_credentials",
        "refresh_token",
        "client_credentials",
    ]


def test_the_next_method_is_used_after_a_refusal_and_stays(connect: Connect, instance: Instance, heard: Heard) -> None:
    instance.answer = Door(basic("loader:basic-canary"))
    client = connect(oauth_token="stale", api_key="wrong-key", **BASIC)
    client.ping()
    assert [set(asked.headers) & {"authorization", "x-sn-apikey"} for asked in instance.asked] == [
        {"authorization"},
        {"x-sn-apikey"},
        {"authorization"},
    ]
    client.ping()
    assert len(instance.asked) == 4
    assert heard.rules() == ["auth.method_refused", "auth.method_refused"]
    assert "going on with API key" in heard.findings[0].message
    assert heard.refused == ["OAuth token", "API key"]


def test_the_order_is_token_oauth_key_basic(connect: Connect, instance: Instance, heard: Heard) -> None:
    instance.answer = lambda _: NOT_AUTHENTICATED
    with pytest.raises(NotAuthenticated) as caught:
        connect(oauth_token="t", api_key="k", **OAUTH, **BASIC).ping()
    assert "Tried: OAuth token, then OAuth password grant, then API key, then basic." in str(caught.value)


def test_a_refusal_names_method_setting_and_the_restriction_of_basic(connect: Connect, instance: Instance) -> None:
    instance.answer = lambda _: NOT_AUTHENTICATED
    with pytest.raises(NotAuthenticated) as caught:
        connect(**BASIC).ping()
    for told in ("basic", "SERVICENOW_USERNAME", "snc_basic_auth_api_access", "Web service access only"):
        assert told in str(caught.value)


def test_no_credentials_at_all_is_said_as_such(connect: Connect, instance: Instance) -> None:
    instance.answer = lambda _: NOT_AUTHENTICATED
    with pytest.raises(NotAuthenticated, match="none is configured"):
        connect().ping()


def test_no_error_and_no_finding_shows_a_secret(connect: Connect, instance: Instance, heard: Heard) -> None:
    """S: every secret is a canary."""
    instance.answer = lambda _: NOT_AUTHENTICATED
    with pytest.raises(NotAuthenticated) as caught:
        connect(oauth_token="token-canary", api_key="key-canary", **OAUTH, **BASIC).ping()
    assert "canary" not in str(caught.value) + "".join(finding.message for finding in heard.findings)


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_token_endpoint_that_refuses_counts_as_a_refused_login(
    status: int, connect: Connect, instance: Instance
) -> None:
    def answer(asked: Asked) -> Reply:
        if asked.path == "/oauth_token.do":
            return Reply(status=status, body={"error": "invalid_client"})
        return rows() if asked.headers.get("x-sn-apikey") == "good" else NOT_AUTHENTICATED

    instance.answer = answer
    connect(api_key="good", **OAUTH).ping()
    assert instance.paths() == ["/oauth_token.do", "/api/now/table/cmdb_ci"]


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(status=503, body=b"<html>down</html>", headers={"Content-Type": "text/html"}), NotSent),
        (Reply(cut=True), NotSent),
        (Reply(body={"unexpected": "shape"}), NotSent),
        (Reply(body=b"<title>Instance Hibernating page</title>", headers={"Content-Type": "text/html"}), CmdbAsleep),
        (Reply(status=429), Throttled),
    ],
)
def test_without_a_token_nothing_was_sent(
    reply: Reply, error: type[Exception], connect: Connect, instance: Instance
) -> None:
    instance.answer = lambda _: reply
    with pytest.raises(error):
        connect(**OAUTH).ping()
    assert instance.paths() == ["/oauth_token.do"]


def test_credentials_go_to_the_instance_only(wire: HttpTransport, clock: StoppedClock, instance: Instance) -> None:
    """S: another host never sees them."""
    settings = ServiceNowSettings.model_validate({"instance": "http://127.0.0.1:1", **BASIC})
    request = Request(method="GET", url=f"{instance.url}/x", operation="x")
    authenticating(wire, settings, clock).send(request)
    assert "authorization" not in instance.asked[0].headers


def test_many_threads_share_one_token(connect: Connect, instance: Instance) -> None:
    door = instance.answer = Door()
    client = connect(**OAUTH)
    threads = [threading.Thread(target=client.ping) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert door.tokens == 1


def shut(door: Door, *ways: str) -> Responder:
    """As the door, but whoever shows one of these is let in and may do nothing (403)."""

    def answer(asked: Asked) -> Reply:
        shown = asked.headers.get("authorization") or asked.headers.get("x-sn-apikey") or ""
        if shown in ways:
            return Reply(status=403, body=refusal("Insufficient rights to query records"))
        return door(asked)

    return answer


def healed(heard: Heard) -> list[tuple[str, bool, bool]]:
    """What was put right: its name, whether that was verified, whether it was taken back."""
    settled = [event for event in heard.events if isinstance(event, HealingSettled)]
    return [(event.what, event.verified, bool(event.undone)) for event in settled]


def test_a_renewed_token_is_written_down_and_the_answer_proves_it(
    connect: Connect, instance: Instance, heard: Heard
) -> None:
    """X5."""
    door = instance.answer = Door()
    client = connect(**OAUTH)
    client.ping()
    door.good.clear()
    client.ping()
    assert healed(heard) == [(TOKEN, True, False)]


def test_a_new_token_that_is_refused_as_well_is_not_used_again(
    connect: Connect, instance: Instance, heard: Heard
) -> None:
    """X5: the next method takes over."""
    door = Door(basic("loader:basic-canary"))
    instance.answer = lambda asked: (
        door(asked)
        if asked.path == "/oauth_token.do" or asked.headers.get("authorization", "").startswith("Basic")
        else NOT_AUTHENTICATED
    )
    connect(client_id="cid", client_secret="oauth-canary", **BASIC).ping()
    assert healed(heard) == [(TOKEN, False, True), (LOGIN, True, False)]


def test_a_change_of_the_login_that_opens_less_is_taken_back_once_the_former_works_again(
    connect: Connect, instance: Instance, heard: Heard
) -> None:
    """X5: a token had only ended; the key that took over may not read."""
    door = Door("Bearer ready", "key")
    instance.answer = shut(door, "key")
    client = connect(oauth_token="ready", api_key="key")
    client.ping()
    refusals = iter([NOT_AUTHENTICATED])
    inner = instance.answer
    instance.answer = lambda asked: (
        next(refusals, None) or inner(asked) if "authorization" in asked.headers else inner(asked)
    )
    client.ping()
    assert healed(heard) == [(LOGIN, False, True)]
    before = len(instance.asked)
    client.ping()
    assert len(instance.asked) == before + 1
    assert "authorization" in instance.asked[-1].headers


def test_a_former_login_that_stays_refused_is_not_gone_back_to_again(
    connect: Connect, instance: Instance, heard: Heard
) -> None:
    door = Door("Bearer ready", "key")
    instance.answer = shut(door, "key")
    client = connect(oauth_token="ready", api_key="key")
    client.ping()
    door.good.discard("Bearer ready")
    for _ in range(2):
        with pytest.raises(NotAuthorised):
            client.ping()
    assert healed(heard) == [(LOGIN, False, False)]
    assert [set(asked.headers) & {"authorization", "x-sn-apikey"} for asked in instance.asked[1:]] == [
        {"authorization"},
        {"x-sn-apikey"},
        {"authorization"},
        {"x-sn-apikey"},
    ]
