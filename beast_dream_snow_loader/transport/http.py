"""HTTP as it really is: the one place where requests go out (over ``requests``) and answers come in."""

from __future__ import annotations

import re
import threading
from typing import TypedDict, Unpack
from urllib.parse import urlsplit

import requests
import urllib3

from beast_dream_snow_loader.clock import Clock, SystemClock
from beast_dream_snow_loader.core.events import Listener, ignore
from beast_dream_snow_loader.operations.circuit_breaker import get_breaker
from beast_dream_snow_loader.operations.healing import Healings
from beast_dream_snow_loader.operations.restraint import Restraint, Restraints
from beast_dream_snow_loader.operations.retry import RetryPolicy
from beast_dream_snow_loader.redaction import Secret
from beast_dream_snow_loader.transport.breaking import Breakers
from beast_dream_snow_loader.transport.connections import Adapter, progress
from beast_dream_snow_loader.transport.failures import failure, lost
from beast_dream_snow_loader.transport.manners import refuse_unsafe, unverified, with_our_headers
from beast_dream_snow_loader.transport.messages import Request, Response
from beast_dream_snow_loader.transport.observing import RequestMeter
from beast_dream_snow_loader.transport.port import Transport
from beast_dream_snow_loader.transport.reading import Limits, TooLarge, read_body
from beast_dream_snow_loader.transport.renewing import Lane, Renewing
from beast_dream_snow_loader.transport.stack import Around, build_stack
from beast_dream_snow_loader.transport.tls import context, trust
from beast_dream_snow_loader.transport.verbs import Verbs

_GROWTH = 0.5
"""Each further attempt may take half of the first one's time longer: a slow service is not helped by impatience."""
_SESSION, _SHORTEST_SESSION = re.compile("sess|token", re.IGNORECASE), 16
_WIRE_FAULTS = (requests.RequestException, urllib3.exceptions.HTTPError, OSError, UnicodeEncodeError)


class HttpTransport:
    """A :class:`~.port.Transport` over real sockets. Thread-safe: each thread has its own cookies and connection.

    ``verify``: True (the system's authorities), a CA file, ``fingerprint:<sha256>`` of the one certificate to accept,
    or False, which is announced as a finding. Times are in seconds, for a first attempt. Redirects are answers, never
    followed; proxies come from the environment, credentials never do. Plain http goes to loopback only.

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
        self._healings = Healings(self._clock, listener)
        self._local = threading.local()
        if not self._trust.checked:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
            listener(unverified(service_name))

    def healed_by(self, healings: Healings) -> HttpTransport:
        """The same; what it puts right counts among these. To be called before the first request."""
        self._healings = healings
        return self

    def send(self, request: Request) -> Response:
        refuse_unsafe(self.service_name, request.url)
        kept = self._kept()
        lane = kept.lane
        connect, read, total = self._times(request)
        started = self._clock.monotonic()
        ends = started + total
        progress.begin(lambda: ends - self._clock.monotonic())
        try:
            answer = lane.adapter.send(
                self._prepared(lane.session, request),
                stream=True,
                timeout=(connect, read),
                proxies=_proxies(lane, request.url),
            )
        except _WIRE_FAULTS as error:
            kept.failed(error)
            raise failure(self.service_name, request.url, error, sent=progress.sent, reads=_reads(request)) from error
        return self._received(kept, request, answer, started)

    def _times(self, request: Request) -> tuple[float, float, float]:
        """Seconds to connect, for each read, and for all of it: they grow from attempt to attempt."""
        factor = 1.0 + _GROWTH * (request.attempt - 1)
        connect, read = self._timeouts
        total = max(self._limits.total_seconds, request.timeout or 0.0)
        return connect * factor, (request.timeout or read) * factor, total * factor

    def _kept(self) -> Renewing:
        kept: Renewing | None = getattr(self._local, "kept", None)
        if kept is None:
            kept = self._local.kept = Renewing(self.service_name, self._fresh, self._healings)
        return kept

    def _fresh(self) -> Lane:
        session = requests.Session()
        session.auth = _as_it_is  # a login is put on by the neighbours; without this, requests looks into ~/.netrc
        return Lane(session, Adapter(context(self._trust), self._trust.pin))

    def _prepared(self, session: requests.Session, request: Request) -> requests.PreparedRequest:
        return session.prepare_request(
            requests.Request(
                method=request.method,
                url=request.url,
                params=list(request.params),
                headers=with_our_headers(request.headers),
                data=request.body,
            )
        )

    def _received(self, kept: Renewing, request: Request, answer: requests.Response, started: float) -> Response:
        lane = kept.lane
        try:
            body = self._body(kept, request, answer)
        finally:
            if not answer.raw.isclosed():
                answer.raw.close()  # not read to its end: the connection is good for nothing more
        requests.cookies.extract_cookies_to_jar(lane.session.cookies, answer.request, answer.raw)  # type: ignore[no-untyped-call]
        if answer.status_code == 401:
            lane.session.cookies.clear()  # a refused login sets a session cookie too (servicenow-api 9.4)
        _hold(lane.session.cookies)
        return Response(
            status=answer.status_code,
            headers={name.lower(): value for name, value in answer.headers.items()},
            body=body,
            url=answer.url,
            milliseconds=round((self._clock.monotonic() - started) * 1000, 3),
        )

    def _body(self, kept: Renewing, request: Request, answer: requests.Response) -> bytes:
        try:
            body = read_body(answer.raw, self._limits.body_bytes)
        except TooLarge:
            why = f"it is larger than {self._limits.body_bytes} bytes, or packed so that it becomes so"
            raise lost(self.service_name, request.url, why, reads=_reads(request), repeat_helps=False) from None
        except _WIRE_FAULTS as error:
            kept.failed(error)
            raise failure(self.service_name, request.url, error, sent=True, reads=_reads(request)) from error
        kept.answered()
        return body


def _hold(cookies: requests.cookies.RequestsCookieJar) -> None:
    """A session opens what its login opens: a server that repeats its cookie is masked too. Short values are none."""
    for cookie in cookies:
        if cookie.value and len(cookie.value) >= _SHORTEST_SESSION and _SESSION.search(cookie.name):
            Secret(cookie.value)


def _as_it_is(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
    return prepared


def _proxies(lane: Lane, url: str) -> dict[str, str]:
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(url))
    if origin not in lane.proxies:
        lane.proxies[origin] = requests.utils.get_environ_proxies(url)
    return lane.proxies[origin]


class Wrapped(TypedDict, total=False):
    """``breakers`` of the service and its parts, without them the one of its name; ``around`` puts a login on."""

    breakers: Breakers
    around: Around


class ResilientHTTPClient(Verbs):
    """The whole stack for one service: retries, places, its breakers, pacing, events, and real HTTP underneath. A
    :class:`~.port.Transport` itself, with HTTP's methods beside.

    ``restraint`` None: retry budget, places and cool-downs are this client's own. ``http`` None: an
    :class:`HttpTransport` with its defaults. Raises what :class:`~.retrying.Retrying` raises.
    """

    def __init__(
        self,
        service_name: str,
        *,
        http: Transport | None = None,
        policy: RetryPolicy | None = None,
        meter: RequestMeter | None = None,
        listener: Listener = ignore,
        clock: Clock | None = None,
        restraint: Restraint | None = None,
        **wrapped: Unpack[Wrapped],
    ) -> None:
        self.service_name = service_name
        time = clock or SystemClock()
        super().__init__(
            build_stack(
                http or HttpTransport(service_name, listener=listener, clock=time),
                policy=policy or RetryPolicy(),
                breaker=wrapped.get("breakers") or get_breaker(service_name, clock=time),
                meter=meter or RequestMeter(),
                restraint=restraint or Restraints(time).of(service_name),
                listener=listener,
                around=wrapped.get("around", lambda transport: transport),
            )
        )


def _reads(request: Request) -> bool:
    return request.reads or request.method in ("GET", "HEAD")
