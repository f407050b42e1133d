"""HTTP as it really is: the one place where requests go out (over ``requests``) and answers come in."""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import requests
import urllib3

from beast_dream_snow_loader import __version__
from beast_dream_snow_loader.clock import Clock, SystemClock
from beast_dream_snow_loader.core.events import FindingRaised, Listener, ignore
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.errors import ConfigurationError
from beast_dream_snow_loader.operations.correlation import correlation_id, new_correlation_id, traceparent
from beast_dream_snow_loader.transport.connections import Adapter, progress
from beast_dream_snow_loader.transport.failures import failure, lost
from beast_dream_snow_loader.transport.messages import Request, Response
from beast_dream_snow_loader.transport.reading import Limits, TooLarge, TooSlow, read_body
from beast_dream_snow_loader.transport.tls import context, trust

USER_AGENT = f"snowload/{__version__}"
_WIRE_FAULTS = (requests.RequestException, urllib3.exceptions.HTTPError, OSError, UnicodeEncodeError)


@dataclass(slots=True)
class _Lane:
    """What one thread keeps between requests: cookies and a connection. ServiceNow runs the requests of one session
    one after another (servicenow-api 9.4), so a jar is never shared.
    """

    session: requests.Session
    adapter: Adapter
    proxies: dict[str, dict[str, str]] = field(default_factory=dict)


class HttpTransport:
    """A :class:`~.base.Transport` over real sockets. Thread-safe: each thread has its own cookies and connection.

    ``verify``: True (the system's authorities), a CA file, ``fingerprint:<sha256>`` of the one certificate to accept,
    or False, which is announced as a finding. Times are in seconds. Redirects are answers, never followed; proxies
    come from the environment, credentials never do. Plain http goes to loopback only.

    :meth:`send` raises NotSent when no byte of the request left, OutcomeUnknown when no whole answer came back, and
    ConfigurationError for an address or a header that cannot be sent.
    """

    def __init__(
        self,
        service_name: str,
        *,
        verify: bool | str = True,
        connect_timeout: float = 10.0,
        read_timeout: float = 30.0,
        limits: Limits | None = None,
        listener: Listener = ignore,
        clock: Clock | None = None,
    ) -> None:
        self.service_name = service_name
        self._trust = trust(verify, service_name)
        self._timeouts = (connect_timeout, read_timeout)
        self._limits = limits or Limits()
        self._clock = clock or SystemClock()
        self._local = threading.local()
        if not self._trust.checked:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
            listener(_unverified(service_name))

    def send(self, request: Request) -> Response:
        _refuse_plain(self.service_name, request.url)
        lane = self._lane()
        started = self._clock.monotonic()
        progress.sent = False
        try:
            answer = lane.adapter.send(
                self._prepared(lane.session, request),
                stream=True,
                timeout=(self._timeouts[0], request.timeout or self._timeouts[1]),
                proxies=_proxies(lane, request.url),
            )
        except _WIRE_FAULTS as error:
            raise failure(self.service_name, request.url, error, sent=progress.sent) from error
        return self._received(lane, request, answer, started)

    def _lane(self) -> _Lane:
        lane: _Lane | None = getattr(self._local, "lane", None)
        if lane is None:
            session = requests.Session()
            session.auth = _as_it_is  # a login is put on by the neighbours; without this, requests looks into ~/.netrc
            lane = self._local.lane = _Lane(session, Adapter(context(self._trust), self._trust.pin))
        return lane

    def _prepared(self, session: requests.Session, request: Request) -> requests.PreparedRequest:
        return session.prepare_request(
            requests.Request(
                method=request.method,
                url=request.url,
                params=list(request.params),
                headers=_headers(request.headers),
                data=request.body,
            )
        )

    def _received(self, lane: _Lane, request: Request, answer: requests.Response, started: float) -> Response:
        try:
            body = self._body(request, answer, started)
        finally:
            answer.raw.close() if not answer.raw.isclosed() else None
        requests.cookies.extract_cookies_to_jar(lane.session.cookies, answer.request, answer.raw)  # type: ignore[no-untyped-call]
        if answer.status_code == 401:
            lane.session.cookies.clear()  # a refused login sets a session cookie too (servicenow-api 9.4)
        return Response(
            status=answer.status_code,
            headers={name.lower(): value for name, value in answer.headers.items()},
            body=body,
            url=answer.url,
            milliseconds=round((self._clock.monotonic() - started) * 1000, 3),
        )

    def _body(self, request: Request, answer: requests.Response, started: float) -> bytes:
        ends = started + max(self._limits.total_seconds, request.timeout or 0.0)
        try:
            return read_body(answer.raw, self._limits.body_bytes, lambda: self._clock.monotonic() < ends)
        except TooLarge:
            why = f"it is larger than {self._limits.body_bytes} bytes"
            raise lost(self.service_name, request.url, why, repeat_helps=False) from None
        except TooSlow:
            raise lost(self.service_name, request.url, "it did not end in time") from None
        except _WIRE_FAULTS as error:
            raise failure(self.service_name, request.url, error, sent=True) from error


def _as_it_is(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
    return prepared


def _headers(given: Mapping[str, str]) -> dict[str, str]:
    """The caller's headers and ours. A correlation id of the request wins over that of the work under way."""
    named = {name.lower() for name in given}
    correlation = next((v for k, v in given.items() if k.lower() == "x-correlation-id"), "")
    correlation = correlation or correlation_id() or new_correlation_id()
    ours = {"User-Agent": USER_AGENT, "X-Correlation-ID": correlation, "traceparent": traceparent(correlation)}
    return {**{name: value for name, value in ours.items() if name.lower() not in named}, **given}


def _proxies(lane: _Lane, url: str) -> dict[str, str]:
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(url))
    if origin not in lane.proxies:
        lane.proxies[origin] = requests.utils.get_environ_proxies(url)
    return lane.proxies[origin]


def _refuse_plain(service: str, url: str) -> None:
    address = urlsplit(url)
    if address.scheme == "https" or (address.scheme == "http" and _is_loopback(address.hostname or "")):
        return
    raise ConfigurationError(
        f"{service} would be called over {address.scheme or 'no scheme'} at {address.hostname or 'no host'}: "
        "credentials and data would be readable on the way.",
        next_step="Use https. Plain http is for loopback addresses only.",
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _unverified(service: str) -> FindingRaised:
    return FindingRaised(
        finding=Finding(
            record=service,
            rule="tls.unverified",
            severity=Severity.WARNING,
            message=f"TLS of {service} is not verified: anybody on the way can read and change what is sent. "
            "Pin its certificate instead: verify_tls = fingerprint:<sha256>.",
        )
    )
