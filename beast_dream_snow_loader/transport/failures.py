"""What a failed exchange means: nothing was sent, or nobody knows what became of it."""

from __future__ import annotations

import socket
import ssl
from urllib.parse import SplitResult, urlsplit

import requests
import urllib3

from beast_dream_snow_loader.errors import ConfigurationError, NotSent, OutcomeUnknown, TransportError
from beast_dream_snow_loader.transport.connections import causes

_TLS_FAULTS = (ssl.SSLError, urllib3.exceptions.SSLError)
_SLOW = (urllib3.exceptions.ConnectTimeoutError, urllib3.exceptions.ReadTimeoutError, TimeoutError)


def not_sent(service: str, url: str, error: BaseException) -> NotSent:
    """Before the first byte of the request left."""
    address = urlsplit(url)
    kinds = tuple(causes(error))
    if any(isinstance(kind, _TLS_FAULTS) for kind in kinds):
        return _not_trusted(service, address, kinds)
    if any(isinstance(kind, (socket.gaierror, urllib3.exceptions.NameResolutionError)) for kind in kinds):
        return NotSent(
            f"Could not reach {service}: the name {address.hostname} does not resolve.",
            next_step="Check the spelling of the address and the machine's DNS.",
        )
    if any(isinstance(kind, urllib3.exceptions.ProxyError) for kind in kinds):
        return NotSent(
            f"Could not reach {service} at {address.netloc}: the proxy did not connect.",
            next_step="Check HTTPS_PROXY and NO_PROXY.",
        )
    return NotSent(
        f"Could not reach {service} at {_host(address)}: {_why(kinds)}.",
        next_step="Check the address, the network and the firewall, then run: snowload health",
    )


def _not_trusted(service: str, address: SplitResult, kinds: tuple[BaseException, ...]) -> NotSent:
    verification = next((kind for kind in kinds if isinstance(kind, ssl.SSLCertVerificationError)), None)
    if verification is not None:
        why = f"its certificate is not trusted ({verification.verify_message or 'verification failed'})"
    elif any(isinstance(kind, ssl.SSLError) for kind in kinds):
        why = "no TLS connection could be made"
    else:
        why = "it does not show the pinned certificate"
    host = f"{address.hostname}:{address.port or 443}"
    return NotSent(
        f"Could not reach {service} at {_host(address)}: {why}.",
        next_step="If it is the right machine, pin its certificate with verify_tls = "
        "fingerprint:<sha256> (UNIFI_VERIFY_TLS for consoles). Show the fingerprint with: "
        f"openssl s_client -connect {host} </dev/null | openssl x509 -noout -fingerprint -sha256",
    )


def _why(kinds: tuple[BaseException, ...]) -> str:
    if any(isinstance(kind, ConnectionRefusedError) for kind in kinds):
        return "connection refused"
    if any(isinstance(kind, _SLOW) for kind in kinds):
        return "no connection within the time limit"
    return "no connection"


def unknown(service: str, url: str, error: BaseException, *, reads: bool) -> OutcomeUnknown:
    """After the first byte of the request had left."""
    kinds = tuple(causes(error))
    if any(isinstance(kind, _SLOW) for kind in kinds):
        why = "it did not answer in time"
    elif any(isinstance(kind, urllib3.exceptions.IncompleteRead) for kind in kinds):
        why = "its answer broke off"
    elif any(isinstance(kind, urllib3.exceptions.DecodeError) for kind in kinds):
        why = "its answer does not decompress"
    else:
        why = "the connection broke before the whole answer was here"
    return lost(service, url, why, reads=reads)


def lost(service: str, url: str, why: str, *, reads: bool, repeat_helps: bool = True) -> OutcomeUnknown:
    """``reads``: what was asked changes nothing there."""
    effect = "What was sent may have taken effect; it is looked up before it is repeated."
    return OutcomeUnknown(
        f"No whole answer from {service} at {_host(urlsplit(url))}: {why}.",
        next_step="It was only read, and nothing changed. See what is in the way: snowload doctor" if reads else effect,
        repeat_helps=repeat_helps,
    )


def unsendable(service: str, url: str, error: BaseException) -> ConfigurationError | None:
    """The setup is at fault, not the network: an address or a header that cannot be put on the wire."""
    if isinstance(error, (requests.exceptions.InvalidHeader, UnicodeEncodeError)):
        return ConfigurationError(
            f"A header for {service} holds characters that cannot be sent, perhaps a line end in a credential.",
            next_step="Check the credential's text, then run: snowload config check",
        )
    if isinstance(error, ValueError):
        return ConfigurationError(
            f"The address of {service} is not usable: {_host(urlsplit(url)) or 'no host in it'}.",
            next_step="Check it with: snowload config show",
        )
    return None


def failure(
    service: str, url: str, error: BaseException, *, sent: bool, reads: bool
) -> TransportError | ConfigurationError:
    """The error to raise for whatever requests or urllib3 raised."""
    unusable = None if sent else unsendable(service, url, error)
    return unusable or (unknown(service, url, error, reads=reads) if sent else not_sent(service, url, error))


def _host(address: SplitResult) -> str:
    """Host and port, never the user information some put into a URL."""
    return address.netloc.rpartition("@")[2]
