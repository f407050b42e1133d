"""A TLS server that cannot be believed gets no byte of a login: real servers, and what they received (S7)."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from beast_dream_snow_loader.errors import ConfigurationError, NotSent, TransportError
from beast_dream_snow_loader.transport.http import HttpTransport
from beast_dream_snow_loader.transport.messages import Request, Response

LOGIN = "canary-of-the-login"
NOW = datetime.now(UTC)
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


@dataclass(frozen=True, slots=True)
class Issued:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pin(self) -> str:
        return f"fingerprint:{self.certificate.fingerprint(hashes.SHA256()).hex()}"

    def pem(self, folder: Path, name: str) -> Path:
        file = folder / name
        private = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file.write_bytes(private + self.certificate.public_bytes(serialization.Encoding.PEM))
        return file


def issued(name: str, by: Issued | None = None, *, days: int = 1, authority: bool = False) -> Issued:
    """A certificate for ``name``, signed ``by`` an authority or by itself, valid until so many days from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=30))
        .not_valid_after(NOW + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    return Issued(built.sign(by.key if by else key, hashes.SHA256()), key)


class Listening:
    """A server of one kind. ``received`` is what reached it in the clear: what it decrypted, or what came as it is."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._context = context
        self.received = b""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://localhost:{self._socket.getsockname()[1]}/x"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                peer, _ = self._socket.accept()
                with peer, suppress(OSError):
                    self._talk(peer)

    def _talk(self, peer: socket.socket) -> None:
        peer.settimeout(2)
        spoken = self._context.wrap_socket(peer, server_side=True) if self._context else peer
        self.received += spoken.recv(65536)
        spoken.sendall(ANSWER)


Listen = Callable[..., Listening]


@pytest.fixture
def listen(tmp_path: Path) -> Iterator[Listen]:
    started: list[Listening] = []

    def start(shown: Issued | None, *, old: bool = False) -> Listening:
        context = None
        if shown is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(shown.pem(tmp_path, "server.pem"))
            if old:
                context.set_ciphers("ALL:@SECLEVEL=0")
                context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        started.append(Listening(context))
        return started[-1]

    yield start
    for one in started:
        one.stop()


def ask(url: str, verify: bool | str) -> Response:
    http = HttpTransport("gw-1", verify=verify, connect_timeout=5, read_timeout=5)
    return http.send(Request(method="GET", url=url, operation="x", headers={"Authorization": f"Bearer {LOGIN}"}))


@pytest.fixture
def authority(tmp_path: Path) -> Issued:
    return issued("an authority", authority=True)


@pytest.fixture
def believed(authority: Issued, tmp_path: Path) -> str:
    file = tmp_path / "ca.pem"
    file.write_bytes(authority.certificate.public_bytes(serialization.Encoding.PEM))
    return str(file)


def test_a_server_that_is_who_it_says_gets_the_login(listen: Listen, authority: Issued, believed: str) -> None:
    server = listen(issued("localhost", authority))
    assert ask(server.url, believed).status == 200
    assert LOGIN.encode() in server.received


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param(lambda ca: issued("elsewhere.example", ca), id="wrong host"),
        pytest.param(lambda ca: issued("localhost", ca, days=-1), id="expired"),
        pytest.param(lambda ca: issued("localhost"), id="self-signed"),
        pytest.param(lambda ca: issued("localhost", issued("another", authority=True)), id="unknown authority"),
        pytest.param(lambda ca: issued("localhost", issued("an authority", authority=True)), id="forged authority"),
    ],
)
def test_a_certificate_that_does_not_fit_ends_it_before_the_login_is_sent(
    listen: Listen, authority: Issued, believed: str, shown: Callable[[Issued], Issued]
) -> None:
    server = listen(shown(authority))
    for verify in (believed, True):
        with pytest.raises(NotSent, match="not trusted"):
            ask(server.url, verify)
    assert server.received == b""


def test_an_old_protocol_is_not_spoken(listen: Listen, authority: Issued, believed: str) -> None:
    server = listen(issued("localhost", authority), old=True)
    for verify in (believed, False):
        with pytest.raises(TransportError):
            ask(server.url, verify)
    assert server.received == b""


def test_a_server_without_tls_gets_a_greeting_and_no_login(listen: Listen, believed: str) -> None:
    server = listen(None)
    with pytest.raises(TransportError):
        ask(server.url, believed)
    assert server.received[:1] == b"\x16"  # a TLS handshake
    assert LOGIN.encode() not in server.received
    with pytest.raises(ConfigurationError, match="readable on the way"):
        ask(server.url.replace("https://localhost", "http://192.0.2.1"), believed)


def test_a_pinned_certificate_is_believed_though_nobody_vouches_for_it_and_no_other(listen: Listen) -> None:
    mine, other = issued("unifi.local", days=-1), issued("unifi.local")
    server = listen(mine)
    with pytest.raises(NotSent, match="pinned"):
        ask(server.url, other.pin)
    assert server.received == b""
    assert ask(server.url, mine.pin).status == 200
    assert LOGIN.encode() in server.received


@pytest.mark.parametrize("host", ["169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]"])
def test_a_link_local_address_is_refused(host: str) -> None:
    """Where clouds give out the machine's own credentials (S8)."""
    with pytest.raises(ConfigurationError, match="link-local"):
        ask(f"https://{host}/x", True)
