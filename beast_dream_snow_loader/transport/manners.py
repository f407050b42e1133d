"""What every request of ours keeps to: its headers, encryption on the way, and a warning where there is none."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from beast_dream_snow_loader import __version__
from beast_dream_snow_loader.core.events import FindingRaised
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.errors import ConfigurationError
from beast_dream_snow_loader.operations.correlation import correlation_id, new_correlation_id, traceparent

USER_AGENT = f"snowload/{__version__}"


def with_our_headers(given: Mapping[str, str]) -> dict[str, str]:
    """The caller's headers and ours. A correlation id of the request wins over that of the work under way."""
    named = {name.lower() for name in given}
    correlation = next((v for k, v in given.items() if k.lower() == "x-correlation-id"), "")
    correlation = correlation or correlation_id() or new_correlation_id()
    ours = {"User-Agent": USER_AGENT, "X-Correlation-ID": correlation, "traceparent": traceparent(correlation)}
    return {**{name: value for name, value in ours.items() if name.lower() not in named}, **given}


def refuse_unsafe(service: str, url: str) -> None:
    """ConfigurationError for plain http to another machine, and for link-local addresses, where clouds give out the
    machine's own credentials."""
    address = urlsplit(url)
    if is_link_local(address.hostname or ""):
        raise ConfigurationError(
            f"{service} would be called at the link-local address {address.hostname}.",
            next_step="Name the machine by its name or by an address of its network.",
        )
    if address.scheme == "https" or (address.scheme == "http" and is_loopback(address.hostname or "")):
        return
    raise ConfigurationError(
        f"{service} would be called over {address.scheme or 'no scheme'} at {address.hostname or 'no host'}: "
        "credentials and data would be readable on the way.",
        next_step="Use https. Plain http is for loopback addresses only.",
    )


def origin_of(url: str) -> str:
    """Scheme, host and port: nothing of a login, of the path or of the query."""
    address = urlsplit(url)
    return f"{address.scheme}://{address.netloc.rpartition('@')[2]}"


def is_link_local(host: str) -> bool:
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    inner = getattr(found, "ipv4_mapped", None) or found
    return bool(inner.is_link_local)


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def unverified(service: str) -> FindingRaised:
    return FindingRaised(
        finding=Finding(
            record=service,
            rule="tls.unverified",
            severity=Severity.WARNING,
            message=f"TLS of {service} is not verified: anybody on the way can read and change what is sent. "
            "Pin its certificate instead: verify_tls = fingerprint:<sha256>.",
        )
    )
