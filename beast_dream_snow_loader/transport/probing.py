"""One look at a far end without a request: does its name resolve, does it connect, which certificate does it show."""

from __future__ import annotations

import hashlib
import socket
import ssl
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

import requests

from beast_dream_snow_loader.errors import NotSent
from beast_dream_snow_loader.transport.failures import not_sent
from beast_dream_snow_loader.transport.manners import refuse_unsafe
from beast_dream_snow_loader.transport.tls import Trust, context, trust

_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A certificate: whose, by whom, until when (UTC), and its SHA-256 as 64 lower-case hex digits."""

    subject: str
    issuer: str
    begins: datetime
    ends: datetime
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """``address`` is the IP address; ``trust`` what was asked of the certificate, None over plain http.

    ``proxy``: nothing was tried, because requests go through this proxy (host and port).
    """

    address: str = ""
    trust: Trust | None = None
    certificate: Shown | None = None
    proxy: str = ""


def reach(service: str, url: str, verify: bool | str, *, timeout: float) -> Reached:
    """Connect and shake hands as a request would, then hang up. Raises NotSent, ConfigurationError."""
    refuse_unsafe(service, url)
    address = urlsplit(url)
    asked = trust(verify, service) if address.scheme == "https" else None
    proxy = requests.utils.get_environ_proxies(url).get(address.scheme, "")
    if proxy:
        return Reached(proxy=urlsplit(proxy).netloc.rpartition("@")[2] or "a proxy", trust=asked)
    host, port = address.hostname or "", address.port or _PORTS[address.scheme]
    try:
        with socket.create_connection((host, port), timeout=timeout) as plain:
            there = str(plain.getpeername()[0])
            if asked is None:
                return Reached(address=there)
            with context(asked).wrap_socket(plain, server_hostname=host) as secure:
                shown = _shown(secure.getpeercert(binary_form=True) or b"")
    except (OSError, ssl.SSLError) as error:
        raise not_sent(service, url, error) from None
    if asked.pin and shown.fingerprint != asked.pin:
        raise NotSent(
            f"{service} at {host}:{port} does not show the pinned certificate but one with the fingerprint "
            f"{shown.fingerprint}.",
            next_step="If the certificate was renewed on the right machine, pin the new one: verify_tls = "
            f"fingerprint:{shown.fingerprint}",
        )
    return Reached(address=there, trust=asked, certificate=shown)


def _shown(der: bytes) -> Shown:
    from cryptography import x509  # takes its time, and most looks are told what an earlier one found

    certificate = x509.load_der_x509_certificate(der)
    return Shown(
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        begins=certificate.not_valid_before_utc,
        ends=certificate.not_valid_after_utc,
        fingerprint=hashlib.sha256(der).hexdigest(),
    )
