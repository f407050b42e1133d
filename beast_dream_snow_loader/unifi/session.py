"""One login to a console's controller API, kept for the whole run (unifi-api 3.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import orjson

from beast_dream_snow_loader.errors import NotAuthenticated, SourceError, TransportError
from beast_dream_snow_loader.redaction import Secret
from beast_dream_snow_loader.transport.messages import Request, Response
from beast_dream_snow_loader.unifi.client import Endpoint, refusal

_COOKIE = re.compile(r"(?:^|[,;]\s*)(TOKEN|unifises|csrf_token)=([^;,\s]+)")


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
    answer = endpoint.transport.send(
        Request(
            method="POST",
            url=f"{endpoint.base}{flavour.login}",
            operation="unifi.login",
            headers={"Content-Type": "application/json", "Accept": "application/json"},
            body=orjson.dumps(body),
        )
    )
    if answer.status in (400, 403):
        raise NotAuthenticated(
            f"{endpoint.service} refused the account ({answer.status}).", next_step=f"Check {endpoint.settings}."
        )
    if answer.status != 200:
        raise refusal(answer, endpoint, flavour.login)
    cookies = _cookies(answer)
    if not cookies:
        raise NotAuthenticated(
            f"{endpoint.service} answered the login without a session: it may be throttling logins.",
            next_step="Wait some minutes before the next try; then check the account.",
        )
    csrf = answer.header("x-csrf-token")
    return replace(endpoint, headers={"Cookie": cookies} | ({"X-CSRF-Token": csrf} if csrf else {}))


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


def _cookies(answer: Response) -> str:
    return "; ".join(f"{name}={value}" for name, value in _COOKIE.findall(answer.header("set-cookie") or ""))
