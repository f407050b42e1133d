"""One login to a console's controller API, kept for the whole run and from run to run (unifi-api 3.1)."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import orjson

from beast_dream_snow_loader.errors import NotAuthenticated, SourceError, Throttled, TransportError
from beast_dream_snow_loader.operations.criticality import Criticality
from beast_dream_snow_loader.operations.pace import in_words
from beast_dream_snow_loader.redaction import Secret
from beast_dream_snow_loader.transport.messages import Request, Response
from beast_dream_snow_loader.unifi.apis.envelopes import decoded
from beast_dream_snow_loader.unifi.client import Endpoint, controller_code, refusal, second_factor
from beast_dream_snow_loader.unifi.config import ConsoleSettings

_COOKIE = re.compile(r"(?:^|[,;]\s*)(TOKEN|unifises|csrf_token)=([^;,\s]+)")
_CSRF = "X-CSRF-Token"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flavour:
    """Where UniFi OS and the classic application keep the same things."""

    name: str
    login: str
    logout: str
    prefix: str
    remember: str


UNIFI_OS = Flavour(
    name="UniFi OS",
    login="/api/auth/login",
    logout="/api/auth/logout",
    prefix="/proxy/network",
    remember="rememberMe",
)
CLASSIC = Flavour(name="classic", login="/api/login", logout="/api/logout", prefix="", remember="remember")


def flavour_of(endpoint: Endpoint) -> Flavour:
    """GET / without following: 200 is UniFi OS, a redirect to /manage the classic application."""
    answer = endpoint.transport.send(
        Request(method="GET", url=f"{endpoint.base}/", operation="unifi.flavour", repeatable=True)
    )
    classic = 300 <= answer.status < 400 and "manage" in (answer.header("location") or "")
    return CLASSIC if classic else UNIFI_OS


def log_in(endpoint: Endpoint, flavour: Flavour, username: str, password: Secret) -> Endpoint:
    """The endpoint with a session. Once per console: repeated logins are throttled without saying for how long.

    Raises NotAuthenticated for a wrong account, Throttled, or SourceUnavailable while the application starts.
    """
    body = {"username": username, "password": password.reveal(), flavour.remember: True}
    request = Request(
        method="POST",
        url=f"{endpoint.base}{flavour.login}",
        operation="unifi.login",
        headers={"Content-Type": "application/json", "Accept": "application/json"},
        body=orjson.dumps(body),
        criticality=Criticality.ESSENTIAL,
    )
    try:
        answer = endpoint.transport.send(request)
    except Throttled as error:
        raise _throttled(endpoint, error.retry_after) from None
    _refuse_unless_in(answer, endpoint, flavour)
    cookies = _cookies(answer)
    csrf = answer.header(_CSRF) or cookies.get("csrf_token")
    kept = "; ".join(f"{name}={value}" for name, value in cookies.items())
    return replace(endpoint, headers=held({"Cookie": kept} | ({_CSRF: csrf} if csrf else {})))


def held(session: Mapping[str, str]) -> Mapping[str, str]:
    """The headers that carry a session. What is in them logs in as its account does: it is masked from then on."""
    for value in (*dict(_COOKIE.findall(session.get("Cookie", ""))).values(), session.get(_CSRF, "")):
        Secret(value)
    return session


def _refuse_unless_in(answer: Response, endpoint: Endpoint, flavour: Flavour) -> None:
    if answer.status == 429:
        raise _throttled(endpoint, None)
    if answer.status in (400, 403):
        if controller_code(answer) == "api.err.Ubic2faTokenRequired":
            raise second_factor(endpoint)
        raise NotAuthenticated(
            f"{endpoint.service} refused the account ({answer.status}).", next_step=f"Check {endpoint.settings}."
        )
    if answer.status != 200:
        raise refusal(answer, endpoint, flavour.login)
    if not answer.body:  # a throttled console may answer so, without a session (unifi-api 3.1)
        raise _throttled(endpoint, None)
    decoded(answer.body, f"{endpoint.service} {flavour.login}")
    if not _cookies(answer):
        raise NotAuthenticated(
            f"{endpoint.service} answered the login without a session.", next_step=f"Check {endpoint.settings}."
        )


def _throttled(endpoint: Endpoint, retry_after: float | None) -> Throttled:
    lasting = f" ({in_words(retry_after)} more)" if retry_after else ""
    return Throttled(
        f"{endpoint.service} takes no more logins for now{lasting}.",
        next_step="Wait some minutes before the next try. An API key made on that console needs no login.",
        retry_after=retry_after,
    )


def log_out(endpoint: Endpoint, flavour: Flavour) -> None:
    """Give the session back. A console that does not answer any more loses it by itself."""
    try:
        endpoint.transport.send(
            Request(
                method="POST",
                url=f"{endpoint.base}{flavour.logout}",
                operation="unifi.logout",
                headers=endpoint.headers,
            )
        )
    except (TransportError, SourceError):
        return


def _cookies(answer: Response) -> dict[str, str]:
    return dict(_COOKIE.findall(answer.header("set-cookie") or ""))


class Sessions(Protocol):
    """Where sessions are kept between runs. A session is the headers that carry it."""

    def kept(self, console: ConsoleSettings) -> Mapping[str, str]:
        """Empty when none is."""

    def keep(self, console: ConsoleSettings, headers: Mapping[str, str]) -> bool:
        """False when it cannot be kept: it is given back at the end."""

    def forget(self, console: ConsoleSettings) -> None: ...


class NoSessions:
    """None is kept: each is given back at the end of its run."""

    def kept(self, console: ConsoleSettings) -> Mapping[str, str]:  # noqa: ARG002
        return {}

    def keep(self, console: ConsoleSettings, headers: Mapping[str, str]) -> bool:  # noqa: ARG002
        return False

    def forget(self, console: ConsoleSettings) -> None:
        """There is none."""


class Session:
    """A login in use by several threads, renewed at most once (gotcha 17)."""

    def __init__(self, endpoint: Endpoint, prefix: str, renew: Callable[[], Endpoint] | None = None) -> None:
        self.endpoint = endpoint
        self._prefix = prefix
        self._renew = renew
        self._lock = threading.Lock()
        self._over: NotAuthenticated | None = None

    @property
    def over(self) -> bool:
        """The console takes it no more, and no other one can be had."""
        return self._over is not None

    def data(self, path: str) -> list[object]:
        """The ``data`` of a controller answer. Once the login is over for good, NotAuthenticated without asking."""
        if self._over is not None:
            raise NotAuthenticated(self._over.message, next_step=self._over.next_step)
        used = self.endpoint
        try:
            return used.controller(f"{self._prefix}{path}")
        except NotAuthenticated as error:
            self._renewed(used, error)
        try:
            return self.endpoint.controller(f"{self._prefix}{path}")
        except NotAuthenticated as error:
            self._over = error
            raise

    def _renewed(self, used: Endpoint, error: NotAuthenticated) -> None:
        """By whichever thread comes first; the others go on with the new session."""
        with self._lock:
            if self.endpoint is not used:
                return
            renew, self._renew = self._renew, None
            if renew is None:
                self._over = error
                raise error
            self.endpoint = renew()
