"""The sandbox's server over real sockets: what it reads, what it keeps, what it refuses."""

from __future__ import annotations

import hashlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator

import pytest
import requests

from beast_dream_snow_loader.sandbox.certificate import self_signed
from beast_dream_snow_loader.sandbox.messages import HttpAnswer, HttpRequest
from beast_dream_snow_loader.sandbox.serving import Server


class Echo:
    """Says back what it was asked."""

    def __init__(self) -> None:
        self.seen: list[HttpRequest] = []

    def answer(self, request: HttpRequest) -> HttpAnswer:
        self.seen.append(request)
        if request.path == "/empty":
            return HttpAnswer(status=204)
        headers = (("Content-Type", "text/plain"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"))
        return HttpAnswer(headers=headers, body=request.body or request.path.encode())

    def control(self, request: HttpRequest) -> HttpAnswer | None:
        return HttpAnswer(body=b"mine") if request.path == "/_sandbox/mine" else None


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def server(echo: Echo) -> Iterator[Server]:
    with Server(echo, name="echo") as running:
        yield running


def _raw(server: Server, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as peer:
        peer.sendall(data)
        pieces = []
        while piece := peer.recv(65536):
            pieces.append(piece)
        return b"".join(pieces)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::"])
def test_it_listens_on_loopback_only(echo: Echo, host: str) -> None:
    with pytest.raises(ValueError, match="loopback"):
        Server(echo, host=host)


def test_path_is_decoded_and_query_keeps_order_and_repeats(server: Server, echo: Echo) -> None:
    requests.get(f"{server.url}/v1/hosts/A%3A1%20x?b=2&a=1&b=&c=%E2%98%83", timeout=5)
    assert echo.seen[0].path == "/v1/hosts/A:1 x"
    assert echo.seen[0].query == (("b", "2"), ("a", "1"), ("b", ""), ("c", "☃"))


def test_one_connection_serves_many_requests(server: Server) -> None:
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    client.connect()
    port = client.sock.getsockname()[1]
    for number in range(5):
        client.request("POST", "/", body=b"x" * number)
        assert client.getresponse().read() == (b"x" * number or b"/")
        assert client.sock.getsockname()[1] == port


def test_chunked_and_large_bodies_arrive_whole(server: Server) -> None:
    chunks = [b"ab", b"c" * 100_000, b"d"]
    assert requests.post(server.url, data=iter(chunks), timeout=5).content == b"".join(chunks)
    large = b"z" * 12_000_000
    assert requests.post(server.url, data=large, timeout=10).content == large


def test_a_client_that_waits_for_continue_is_told_to_go_on(server: Server) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"
    assert _raw(server, head + b"hi").startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")


def test_repeated_headers_are_sent_as_repeats(server: Server) -> None:
    assert _raw(server, b"GET / HTTP/1.0\r\n\r\n").count(b"Set-Cookie: ") == 2


def test_head_and_204_carry_no_body(server: Server) -> None:
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    for method, path in (("HEAD", "/x"), ("GET", "/empty"), ("GET", "/after")):
        client.request(method, path)
        answer = client.getresponse()
        assert answer.read() == (b"/after" if path == "/after" else b"")


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_is_no_request_is_answered_400_and_the_connection_closed(server: Server, echo: Echo, sent: bytes) -> None:
    answer = _raw(server, sent)
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"Connection: close" in answer
    assert not echo.seen


def test_tls_presents_the_certificate_whose_fingerprint_it_tells(echo: Echo) -> None:
    certificate = self_signed()
    with Server(echo, tls=certificate) as server:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with (
            socket.create_connection(("127.0.0.1", server.port), timeout=5) as plain,
            context.wrap_socket(plain) as peer,
        ):
            shown = peer.getpeercert(binary_form=True)
        assert hashlib.sha256(shown or b"").hexdigest() == certificate.fingerprint
        assert server.url.startswith("https://")


def test_stopping_ends_waiting_connections_and_frees_the_port(echo: Echo) -> None:
    server = Server(echo).start()
    port = server.port
    with socket.create_connection(("127.0.0.1", port), timeout=5) as idle:
        idle.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle.recv(65536).endswith(b"/x")
        server.stop()
        assert idle.recv(1) == b""
    with Server(echo, port=port):
        assert requests.get(f"http://127.0.0.1:{port}/", timeout=5).status_code == 200


def test_the_log_tells_what_was_asked_and_can_be_emptied(server: Server) -> None:
    requests.get(f"{server.url}/a?b=1", timeout=5)
    control = f"{server.url}/_sandbox/requests"
    (line,) = requests.get(control, timeout=5).json()["requests"]
    assert (line["service"], line["method"], line["path"], line["query"], line["status"]) == (
        "echo",
        "GET",
        "/a",
        "b=1",
        200,
    )
    assert line["milliseconds"] >= 0
    requests.delete(control, timeout=5)
    assert requests.get(control, timeout=5).json() == {"requests": []}


def test_an_application_may_have_control_pages_of_its_own(server: Server) -> None:
    assert requests.get(f"{server.url}/_sandbox/mine", timeout=5).text == "mine"
    assert requests.get(f"{server.url}/_sandbox/nothing", timeout=5).status_code == 404
    assert requests.get(f"{server.url}/_sandbox/health", timeout=5).json()["status"] == "ok"


def test_many_connections_at_once_are_all_answered(server: Server, echo: Echo) -> None:
    def ask() -> None:
        with requests.Session() as session:
            for _ in range(20):
                assert session.get(server.url, timeout=10).status_code == 200

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(echo.seen) == 320


@pytest.mark.bench
def test_a_trivial_request_costs_the_server_less_than_half_a_millisecond(server: Server) -> None:
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    rounds = []
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(200):
            client.request("GET", "/")
            client.getresponse().read()
        rounds.append((time.perf_counter() - started) / 200)
    spent = [line.milliseconds for line in server.log.lines()]
    assert sorted(spent)[len(spent) // 2] < 0.5
    assert min(rounds) < 0.005
