"""What goes wrong costs only itself, is said with its next step, and never makes something look gone."""

from __future__ import annotations

from dataclasses import dataclass

import orjson
import pytest

from beast_dream_snow_loader.core.observed import Snapshot, Subject
from beast_dream_snow_loader.errors import (
    ConfigurationError,
    NotAuthenticated,
    NotAuthorised,
    SnowloadError,
    SourceUnavailable,
)
from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.estate.shape import Shape
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from beast_dream_snow_loader.sandbox.messages import HttpAnswer
from beast_dream_snow_loader.sandbox.serving import Server
from beast_dream_snow_loader.transport.http import HttpTransport
from beast_dream_snow_loader.transport.messages import Request
from beast_dream_snow_loader.unifi.source import UniFiSource
from tests.unifi.conftest import Opening, Script, Town, by_account, by_key, fixture_bytes, read, source

SHAPE = Shape(seed=7, sites=4, devices=40, clients=20, consoles=2)
NEVER = "http://127.0.0.1:9"


@dataclass
class Pair:
    """Two consoles, read at their own doors."""

    town: Town

    @property
    def servers(self):
        return list(self.town.consoles.values())

    def read(self, login=by_key, **settings: object) -> Snapshot:
        return read(consoles=[login(server) for server in self.servers], **settings)


@pytest.fixture
def pair(town: Opening) -> Pair:
    return Pair(town(Estate.of(SHAPE)))


def incomplete(snapshot: Snapshot) -> set[tuple[str, str | None]]:
    return {(r.subject.value, r.site) for r in snapshot.reads if not r.complete}


def test_a_console_that_is_away_costs_only_its_own_devices(pair: Pair) -> None:
    pair.servers[0].stop()
    snapshot = pair.read()
    alive = next(c for c in snapshot.consoles)
    assert len(snapshot.devices) == 20
    assert snapshot.complete(alive.key, Subject.DEVICES)
    assert incomplete(snapshot) == {("sites", None), ("devices", None), ("clients", None)}
    assert [f.rule for f in snapshot.findings if f.record.startswith("console/")] == ["transport.not_sent"]


def test_a_site_that_fails_costs_only_itself(pair: Pair) -> None:
    site = pair.town.estate.sites()[0]
    pair.servers[0].faults.add(Fault(effect=Effect.STATUS, status=500, path=f"*/api/s/{site.name}/stat/device"))
    pair.servers[0].faults.add(Fault(effect=Effect.STATUS, status=500, path="*/integration/*"))
    snapshot = pair.read()
    assert len(snapshot.devices) == 30
    assert incomplete(snapshot) == {("devices", site.name)}
    assert sum("500" in f.message for f in snapshot.findings) == 1


def test_a_device_list_that_does_not_come_whole_is_read_in_pages_instead(pair: Pair) -> None:
    pair.servers[0].faults.add(Fault(effect=Effect.CUT_JSON, keep=0.5, path="*/stat/device"))
    snapshot = pair.read()
    assert len(snapshot.devices) == 40
    assert not snapshot.partial


def test_a_session_that_ends_in_the_middle_is_renewed_once(town: Opening) -> None:
    there = Pair(town(Estate.of(SHAPE), session_requests=5))
    snapshot = there.read(by_account)
    assert len(snapshot.devices) == 40
    assert not snapshot.partial
    assert there.town.asked("/login", "POST") == 4, "two consoles, each logged in anew once"


def test_a_session_that_keeps_ending_is_given_up_without_logging_in_over_and_over(town: Opening) -> None:
    there = Pair(town(Estate.of(Shape(seed=7, sites=20, devices=40, consoles=2)), session_requests=6))
    snapshot = there.read(by_account)
    assert there.town.asked("/login", "POST") == 4
    assert snapshot.partial
    assert there.town.asked("stat/device") < 30
    assert {f.rule for f in snapshot.findings if f.record.startswith("console/")} == {"auth.not_authenticated"}


@pytest.mark.parametrize(
    ("login", "setting"), [(by_key, "UNIFI_CONSOLE_API_KEY"), (by_account, "UNIFI_USERNAME and UNIFI_PASSWORD")]
)
def test_a_refused_login_names_the_settings_to_check(pair: Pair, login, setting: str) -> None:
    with pytest.raises(NotAuthenticated, match=setting):
        pair.read(lambda server: login(server, "wrong"))


def test_a_refused_site_manager_key_names_its_own_setting(pair: Pair) -> None:
    with pytest.raises(NotAuthenticated, match="UNIFI_API_KEY"):
        read(**pair.town.settings(api_key="wrong"))


def test_a_refused_key_does_not_hide_what_the_consoles_say(pair: Pair) -> None:
    snapshot = pair.read(site_manager_url=pair.town.cloud.url, api_key="wrong")
    assert len(snapshot.devices) == 40
    assert ("devices", None) in incomplete(snapshot)
    assert any("UNIFI_API_KEY" in f.message for f in snapshot.findings)


def test_an_account_that_is_not_let_in_gives_way_to_the_key(pair: Pair) -> None:
    snapshot = pair.read(lambda server: {**by_account(server, "wrong"), **by_key(server)})
    assert len(snapshot.devices) == 40


def test_a_throttled_console_is_not_asked_again(town: Opening) -> None:
    there = Pair(town(Estate.of(SHAPE), wrong_logins=0))
    with pytest.raises(SourceUnavailable, match="no more logins"):
        there.read(by_account)
    assert there.town.asked("/login", "POST") == 2


@pytest.mark.parametrize("estate", [Estate.of(SHAPE), Estate.demo()], ids=["UniFi OS", "with a classic one"])
def test_a_second_factor_is_explained(town: Opening, estate: Estate) -> None:
    there = Pair(town(estate, multi_factor=True))
    with pytest.raises(NotAuthenticated, match=r"second factor.*local account"):
        there.read(by_account)


def test_an_application_that_is_starting_is_said_to_be(pair: Pair) -> None:
    for server in pair.servers:
        server.faults.add(Fault(effect=Effect.STATUS, status=200, body="<html>starting</html>", path="*"))
    with pytest.raises(SourceUnavailable, match="starting"):
        pair.read()


def test_nothing_configured_says_what_to_set() -> None:
    with pytest.raises(ConfigurationError, match="UNIFI_API_KEY"):
        read()
    with pytest.raises(ConfigurationError, match="UNIFI_CONSOLE_API_KEY"):
        read(consoles=[{"url": "https://127.0.0.1"}])


def test_nothing_reachable_is_unavailable_and_counts_the_sources() -> None:
    with pytest.raises(SourceUnavailable, match="1 more of its sources"):
        read(site_manager_url=NEVER, api_key="k", consoles=[{"url": NEVER, "api_key": "k"}])


def test_a_console_out_of_the_clouds_reach_is_incomplete_not_empty(pair: Pair) -> None:
    lost = pair.town.estate.consoles()[0]
    pair.town.estate.set_reachable(lost.host_id, False)
    snapshot = read(**pair.town.settings())
    key = next(c.key for c in snapshot.consoles if c.host_id == lost.host_id)
    assert not snapshot.complete(key, Subject.CLIENTS)
    assert len([d for d in snapshot.devices if d.console == key]) == 20, "the cloud still lists them"


def test_a_console_away_from_here_is_read_through_the_connector(pair: Pair) -> None:
    pair.servers[0].stop()
    snapshot = pair.read(**pair.town.settings())
    assert len([d for d in snapshot.devices if d.site]) == 40
    assert len(snapshot.consoles) == 2


def test_a_device_list_that_hides_a_host_is_incomplete(serve) -> None:
    host = {"id": "h1", "type": "console", "reportedState": {"mac": "00005E005301", "name": "HQ"}}
    site = {"siteId": "s", "hostId": "h1", "meta": {"name": "default"}, "statistics": {"counts": {"totalDevice": 3}}}
    answers = {"/v1/hosts": [{"data": [host]}], "/v1/sites": [{"data": [site]}], "/v1/devices": [{"data": []}]}
    snapshot = read(site_manager_url=serve(Script(answers)).url, api_key="k")
    assert not snapshot.complete("00005e005301", Subject.DEVICES)


def test_a_site_the_login_may_not_see_is_incomplete(town: Opening) -> None:
    there = town(Estate.of(Shape(seed=7, sites=2, devices=20, consoles=1)))
    hidden = there.estate.sites()[1]
    server = next(iter(there.consoles.values()))
    shown = {"meta": {"rc": "ok"}, "data": [{"name": there.estate.sites()[0].name, "_id": "1", "desc": "one"}]}
    server.faults.add(Fault(effect=Effect.STATUS, status=200, body=_json(shown), path="*/self/sites"))
    snapshot = read(**there.settings(consoles=[by_key(server)]))
    assert {("devices", hidden.name), ("clients", hidden.name)} <= incomplete(snapshot)
    assert len(snapshot.devices) == 20, "what the cloud lists of the hidden site is not thrown away"


def test_the_word_of_a_console_read_whole_counts_over_the_clouds(town: Opening) -> None:
    there = town(Estate.of(Shape(seed=7, sites=1, devices=10, consoles=1)))
    server = next(iter(there.consoles.values()))
    gone = next(d.mac for d in there.estate.devices(there.estate.consoles()[0].host_id) if not d.is_console)
    devices = _answer(server, f"s/{there.estate.sites()[0].name}/stat/device")
    kept = [row for row in devices["data"] if row["mac"].replace(":", "").upper() != gone]
    body = _json({**devices, "data": kept})
    server.faults.add(Fault(effect=Effect.STATUS, status=200, body=body, path="*/stat/device"))
    snapshot = read(**there.settings(consoles=[by_key(server)]))
    assert gone.lower() not in {d.mac for d in snapshot.devices}
    assert any("its console does not" in f.message for f in snapshot.findings)


@pytest.mark.parametrize(
    ("name", "status", "error", "words"),
    [
        ("400_parameter_invalid.json", 400, SourceUnavailable, "400"),
        ("401_unauthorized.json", 401, NotAuthenticated, "UNIFI_API_KEY"),
        ("404_not_found.json", 404, SourceUnavailable, "404"),
        ("429_rate_limit.json", 429, SourceUnavailable, "slow down"),
        ("500_server_error.json", 500, SourceUnavailable, "500"),
        ("502_bad_gateway.json", 502, SourceUnavailable, "502"),
        ("connector_403.constructed.json", 403, NotAuthorised, "UNIFI_API_KEY"),
        ("connector_408.constructed.json", 408, SourceUnavailable, "408"),
    ],
)
def test_every_recorded_refusal_of_site_manager_has_its_error(
    serve, name: str, status: int, error: type[SnowloadError], words: str
) -> None:
    answer = HttpAnswer(status=status, body=fixture_bytes(f"site-manager/errors/{name}"))
    with pytest.raises(error, match=words):
        read(site_manager_url=serve(Script({"/v1/hosts": [answer]})).url, api_key="k")


@pytest.mark.parametrize(
    ("name", "status", "error", "words"),
    [
        ("network-integration/errors/400_argument_type_mismatch.constructed.json", 400, SourceUnavailable, "400"),
        ("network-integration/errors/401_alternate_shape.json", 401, NotAuthenticated, "UNIFI_CONSOLE_API_KEY"),
        ("network-integration/errors/401_invalid_credentials.constructed.json", 401, NotAuthenticated, "401"),
        ("network-integration/errors/401_missing_credentials.constructed.json", 401, NotAuthenticated, "401"),
    ],
)
def test_every_recorded_refusal_of_the_network_api_has_its_error(
    serve, name: str, status: int, error: type[SnowloadError], words: str
) -> None:
    answer = HttpAnswer(status=status, body=fixture_bytes(name))
    server = serve(Script({"/proxy/network/integration/v1/info": [answer]}))
    with pytest.raises(error, match=words):
        read(consoles=[{"url": server.url, "api_key": "k"}])


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("400_invalid_argument", 400, "transport.rejected"),
        ("401_login_required", 401, "auth.not_authenticated"),
        ("no_permission", 200, "auth.not_authorised"),
        ("no_site_context", 200, "transport.rejected"),
        ("no_site_context", 401, "transport.rejected"),
        ("unknown_station", 200, "transport.rejected"),
    ],
)
def test_every_recorded_refusal_of_the_controller_has_its_finding_even_with_status_200(
    pair: Pair, name: str, status: int, code: str
) -> None:
    body = fixture_bytes(f"legacy/errors/{name}.constructed.json").decode()
    pair.servers[0].faults.add(Fault(effect=Effect.STATUS, status=status, body=body, path="*/stat/sta"))
    snapshot = pair.read()
    assert code in {f.rule for f in snapshot.findings}
    assert len(snapshot.devices) >= 20


@pytest.mark.parametrize(
    ("name", "status", "error"),
    [
        ("legacy/errors/429_login_limit.constructed.json", 429, SourceUnavailable),
        ("legacy/errors/classic_400_invalid_login.constructed.json", 400, NotAuthenticated),
    ],
)
def test_every_recorded_refusal_of_a_login_has_its_error(
    serve, name: str, status: int, error: type[SnowloadError]
) -> None:
    answer = HttpAnswer(status=status, body=fixture_bytes(name))
    server = serve(Script({"/": [b"<html/>"], "/api/auth/login": [answer]}))
    with pytest.raises(error):
        read(consoles=[by_account(server)])


def test_a_login_answered_empty_or_with_a_page_is_no_wrong_password(serve) -> None:
    for body, words in ((b"", "no more logins"), (b"<html>starting</html>", "starting")):
        server = serve(Script({"/": [b"<html/>"], "/api/auth/login": [HttpAnswer(body=body)]}))
        with pytest.raises(SourceUnavailable, match=words):
            read(consoles=[by_account(server)])


def test_probing_asks_little_of_each_source_and_says_what_is_wrong(pair: Pair) -> None:
    good, bad = pair.servers
    probe = source(**pair.town.settings(consoles=[by_account(good), by_key(bad, "wrong")])).probe()
    assert [error is None for _, error in probe] == [True, True, False]
    assert isinstance(probe[2][1], NotAuthenticated)
    assert pair.town.asked("/logout", "POST") == 1
    assert len(pair.town.log.lines()) <= 8


def test_a_source_may_be_read_again_and_gives_the_same(pair: Pair) -> None:
    settings = pair.town.settings(consoles=[by_account(server) for server in pair.servers])
    again: UniFiSource = source(**settings)
    one, two = again.read(), again.read()
    assert [d.mac for d in one.devices] == [d.mac for d in two.devices]
    assert one.reads == two.reads


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def _answer(server: Server, path: str) -> dict[str, list[dict[str, str]]]:
    request = Request(
        method="GET",
        url=f"{server.url}/proxy/network/api/{path}",
        operation="test",
        headers={"X-API-KEY": by_key(server)["api_key"]},
    )
    return orjson.loads(HttpTransport("test").send(request).body)
