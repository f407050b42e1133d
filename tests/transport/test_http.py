"""HTTP over real sockets: what each fault of a network means, whom to believe, what never leaves."""

from __future__ import annotations

import socket
import threading
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from beast_dream_snow_loader.core.events import Event, FindingRaised
from beast_dream_snow_loader.errors import ConfigurationError, NotSent, OutcomeUnknown
from beast_dream_snow_loader.operations.correlation import correlated
from beast_dream_snow_loader.sandbox.certificate import Certificate, self_signed
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from beast_dream_snow_loader.sandbox.messages import HttpAnswer
from beast_dream_snow_loader.sandbox.serving import Server
from beast_dream_snow_loader.transport.http import HttpTransport
from beast_dream_snow_loader.transport.messages import Request
from beast_dream_snow_loader.transport.reading import Limits

from .conftest import Remembering, packed

Get = Callable[..., Request]


@pytest.fixture
def http() -> HttpTransport:
    return HttpTransport("UniFi gw-1", connect_timeout=1, read_timeout=0.5, limits=Limits(total_seconds=1))


def test_a_refused_connection_sent_nothing_and_says_where(http: HttpTransport) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(NotSent, match=f"UniFi gw-1 at 127.0.0.1:{port}: connection refused") as error:
        http.send(Request(method="GET", url=f"http://127.0.0.1:{port}/", operation="x"))
    assert "snowload health" in error.value.next_step


def test_a_name_that_does_not_resolve_sent_nothing(http: HttpTransport) -> None:
    with pytest.raises(NotSent, match=r"nowhere\.invalid does not resolve"):
        http.send(Request(method="GET", url="https://nowhere.invalid/", operation="x"))


@pytest.mark.parametrize(
    ("effect", "acted", "words"),
    [
        (Effect.RESET_BEFORE, 0, "broke before"),
        (Effect.RESET_AFTER, 1, "broke before"),
        (Effect.CUT_BODY, 1, "broke off"),
        (Effect.HANG, 0, "in time"),
    ],
)
def test_without_a_whole_answer_the_outcome_is_unknown(
    server: Server, app: Remembering, http: HttpTransport, get: Get, effect: Effect, acted: int, words: str
) -> None:
    server.faults.add(Fault(effect=effect, seconds=5))
    began = time.monotonic()
    with pytest.raises(OutcomeUnknown, match=words):
        http.send(get())
    assert len(app.asked) == acted
    assert time.monotonic() - began < 2.5


@pytest.mark.parametrize("size", [0, 200_000])
def test_an_answer_that_trickles_in_ends_with_its_time(
    server: Server, app: Remembering, http: HttpTransport, get: Get, size: int
) -> None:
    """Headers as well as body; each piece alone would be in time."""
    app.answers["/x"] = HttpAnswer(body=bytes(size))
    server.faults.add(Fault(effect=Effect.DRIP, seconds=4))
    began = time.monotonic()
    with pytest.raises(OutcomeUnknown, match="in time"):
        http.send(get())
    assert 0.9 < time.monotonic() - began < 2


def test_the_same_thread_goes_on_after_a_broken_answer(server: Server, http: HttpTransport, get: Get) -> None:
    server.faults.add(Fault(effect=Effect.CUT_BODY, first=1))
    with pytest.raises(OutcomeUnknown):
        http.send(get())
    assert http.send(get()).body == b"fine"


def test_a_gzip_bomb_stops_at_the_bound_and_is_not_worth_a_second_try(app: Remembering, get: Get) -> None:
    app.answers["/x"] = packed(400_000_000)
    http = HttpTransport("test", limits=Limits(body_bytes=10_000_000))
    tracemalloc.start()
    with pytest.raises(OutcomeUnknown, match="larger than 10000000 bytes") as error:
        http.send(get())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not error.value.repeat_helps
    assert peak < 40_000_000


def test_an_answer_within_the_bound_is_decompressed(app: Remembering, http: HttpTransport, get: Get) -> None:
    app.answers["/x"] = packed(3_000_000)
    assert http.send(get()).body == bytes(3_000_000)


def test_what_only_pretends_to_be_compressed_is_an_unknown_outcome(
    app: Remembering, http: HttpTransport, get: Get
) -> None:
    app.answers["/x"] = HttpAnswer(headers=(("Content-Encoding", "gzip"),), body=b"not gzip")
    with pytest.raises(OutcomeUnknown, match="decompress"):
        http.send(get())


def test_a_redirect_is_an_answer(app: Remembering, http: HttpTransport, get: Get) -> None:
    app.answers["/x"] = HttpAnswer(status=302, headers=(("Location", "http://192.0.2.1/login"),), body=b"there")
    response = http.send(get(headers={"Authorization": "Basic eA=="}))
    assert (response.status, response.header("Location"), response.body) == (302, "http://192.0.2.1/login", b"there")
    assert len(app.asked) == 1


@pytest.mark.parametrize("url", ["http://192.0.2.1/", "http://example.com/", "ftp://127.0.0.1/", "127.0.0.1"])
def test_nothing_but_https_leaves_this_machine(http: HttpTransport, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even a connection is tried."""
    tried: list[object] = []
    monkeypatch.setattr(socket.socket, "connect", lambda *arguments: tried.append(arguments))
    with pytest.raises(ConfigurationError, match="https"):
        http.send(Request(method="GET", url=url, operation="x"))
    assert tried == []


@pytest.mark.parametrize("value", ["key\nX-Injected: yes", "key…"])
def test_a_header_that_cannot_be_sent_is_a_matter_of_setup_and_not_shown(
    http: HttpTransport, app: Remembering, get: Get, value: str
) -> None:
    with pytest.raises(ConfigurationError, match="header") as error:
        http.send(get(headers={"X-API-KEY": value}))
    assert value not in str(error.value)
    assert app.asked == []


class TestTrust:
    @pytest.fixture
    def certificate(self) -> Certificate:
        return self_signed()

    def ask(self, app: Remembering, certificate: Certificate, verify: bool | str, listener=lambda _: None) -> int:
        with Server(app, tls=certificate) as server:
            http = HttpTransport("gw-1", verify=verify, listener=listener)
            return http.send(Request(method="GET", url=server.url, operation="x")).status

    def test_the_pinned_certificate_is_enough_in_any_spelling(self, app: Remembering, certificate: Certificate) -> None:
        pin = certificate.fingerprint
        spelt = ":".join(pin[i : i + 2] for i in range(0, 64, 2)).upper()
        assert self.ask(app, certificate, f"fingerprint:{pin}") == 200
        assert self.ask(app, certificate, f"fingerprint:{spelt}") == 200

    def test_another_certificate_than_the_pinned_one_gets_not_a_byte(
        self, app: Remembering, certificate: Certificate
    ) -> None:
        with pytest.raises(NotSent, match="does not show the pinned certificate"):
            self.ask(app, certificate, f"fingerprint:{self_signed().fingerprint}")
        assert app.asked == []

    def test_a_self_signed_certificate_is_refused_with_the_way_to_pin_it(
        self, app: Remembering, certificate: Certificate
    ) -> None:
        with pytest.raises(NotSent, match="not trusted") as error:
            self.ask(app, certificate, True)
        assert "fingerprint:<sha256>" in error.value.next_step
        assert app.asked == []

    def test_a_file_of_authorities_is_believed(
        self, app: Remembering, certificate: Certificate, tmp_path: Path
    ) -> None:
        (tmp_path / "ca.pem").write_bytes(certificate.certificate_pem)
        assert self.ask(app, certificate, str(tmp_path / "ca.pem")) == 200

    def test_no_verification_is_announced(self, app: Remembering, certificate: Certificate) -> None:
        told: list[Event] = []
        assert self.ask(app, certificate, False, told.append) == 200
        assert [event.finding.rule for event in told if isinstance(event, FindingRaised)] == ["tls.unverified"]

    @pytest.mark.parametrize("setting", ["fingerprint:abc", "/no/such/file.pem"])
    def test_a_setting_that_means_nothing_is_refused_at_once(self, setting: str) -> None:
        with pytest.raises(ConfigurationError, match="gw-1"):
            HttpTransport("gw-1", verify=setting)

    def test_a_file_without_certificates_is_a_matter_of_setup(
        self, app: Remembering, certificate: Certificate, tmp_path: Path
    ) -> None:
        (tmp_path / "ca.pem").write_text("nothing")
        with pytest.raises(ConfigurationError, match="no PEM"):
            self.ask(app, certificate, str(tmp_path / "ca.pem"))


def test_each_thread_has_a_cookie_jar_of_its_own(app: Remembering, http: HttpTransport, get: Get) -> None:
    app.answers["/login"] = HttpAnswer(headers=(("Set-Cookie", "session=mine; Path=/"),))
    http.send(get("/login"))
    http.send(get("/mine"))
    other = threading.Thread(target=http.send, args=(get("/other"),))
    other.start()
    other.join(5)
    cookies = {request.path: request.headers.get("cookie") for request in app.asked}
    assert cookies == {"/login": None, "/mine": "session=mine", "/other": None}


def test_a_refused_login_leaves_no_cookie_behind(app: Remembering, http: HttpTransport, get: Get) -> None:
    app.answers["/x"] = HttpAnswer(status=401, headers=(("Set-Cookie", "session=bad; Path=/"),))
    http.send(get())
    http.send(get("/next"))
    assert "cookie" not in app.asked[-1].headers


def test_a_connection_is_used_again(http: HttpTransport) -> None:
    """A peer that accepts one connection and never another."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            peer, _ = listener.accept()
            with peer:
                for _ in range(5):
                    peer.recv(65536)
                    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine")

        threading.Thread(target=serve, daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        for _ in range(5):
            assert http.send(Request(method="GET", url=url, operation="x")).body == b"fine"


def test_every_request_carries_the_id_of_its_work_and_a_trace(app: Remembering, http: HttpTransport, get: Get) -> None:
    """X4."""
    run = "6f9619ff-8b86-d011-b42d-00cf4fc964ff"
    with correlated(run):
        http.send(get())
        http.send(get(headers={"X-Correlation-ID": "its own"}))
    http.send(get())
    first, second, third = (request.headers for request in app.asked)
    assert first["x-correlation-id"] == run
    assert first["traceparent"].split("-")[:2] == ["00", run.replace("-", "")]
    assert second["x-correlation-id"] == "its own"
    assert len(third["x-correlation-id"]) == 32
    assert len({one["traceparent"].split("-")[2] for one in (first, second, third)}) == 3


def test_credentials_in_netrc_are_not_picked_up(
    app: Remembering, http: HttpTransport, get: Get, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    http.send(get())
    assert "authorization" not in app.asked[0].headers


def test_a_proxy_of_the_environment_is_used(
    app: Remembering, server: Server, http: HttpTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plain http goes to loopback only, so the proxied name is one of ours."""
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("no_proxy", "")
    assert http.send(Request(method="GET", url="http://127.0.0.9:9/behind", operation="x")).status == 200
    assert app.asked[0].path == "/behind"


def test_parameters_keep_their_order_repeats_and_awkward_characters(
    app: Remembering, http: HttpTransport, get: Get
) -> None:
    params = (("q", "a=1^ORb=ü &#"), ("q", "2"), ("a", ""))
    http.send(get(params=params))
    assert app.asked[0].query == params
