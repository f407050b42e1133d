"""The ways in that are configured: a ready token, OAuth, API key, basic (servicenow-api 9.1)."""

from __future__ import annotations

import base64
import threading
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlencode, urlsplit

from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.errors import NotAuthenticated
from beast_dream_snow_loader.redaction import Secret
from beast_dream_snow_loader.servicenow.answers import judge
from beast_dream_snow_loader.servicenow.config import ServiceNowSettings
from beast_dream_snow_loader.transport.messages import Request, Response
from beast_dream_snow_loader.transport.port import Transport

_EARLY_SECONDS = 30.0
"""A token is renewed this long before it ends, so that it does not end on the way."""

_ACCESS_SECONDS = 1800.0
"""Life of a token whose answer does not say (ServiceNow's default)."""

_BASIC_RESTRICTION = (
    "Newer instances refuse basic authentication even with the right password: give the user the role "
    "snc_basic_auth_api_access or mark it 'Web service access only', or use OAuth or an API key instead"
)


_OAUTH_CHECKS = (
    "SERVICENOW_CLIENT_ID and SERVICENOW_CLIENT_SECRET, and the instance's OAuth registry entry: its OAuth Application "
    "User, and the property glide.oauth.inbound.client.credential.grant_type.enabled"
)


class Login(Protocol):
    """One way in. ``checks`` says which setting to look at when it is refused."""

    name: str
    checks: str
    renews: bool
    """Whether there can be a new credential in place of a refused one."""

    def credential(self, inner: Transport, stale: Credential | None, /) -> Credential | Response:
        """What to put on a request, or the answer that stands in its way.

        ``stale`` is a credential just refused: the same one again means there is nothing better.
        """

    def forget(self, credential: Credential, /) -> None:
        """It was refused, new as it was: it is not given out again."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Credential:
    """One header. Compared by identity: a new one may hold the same text."""

    header: str
    value: Secret


class FixedLogin:
    """Ready token, API key, basic: the same header every time."""

    renews = False

    def __init__(self, name: str, checks: str, credential: Credential) -> None:
        self.name, self.checks = name, checks
        self._credential = credential

    def credential(self, _inner: Transport, _stale: Credential | None, /) -> Credential | Response:
        return self._credential

    def forget(self, _credential: Credential, /) -> None:
        """There is no other."""


class OAuthLogin:
    """A token from ``/oauth_token.do``, kept in memory until shortly before it ends; renewed once when refused.

    The token endpoint has one body for every failure, a wrong secret as well as a grant type that is switched off.
    """

    renews = True

    def __init__(self, settings: ServiceNowSettings, clock: Clock) -> None:
        password_grant = bool(settings.username and settings.password)
        self.name = "OAuth password grant" if password_grant else "OAuth client credentials"
        account = "SERVICENOW_USERNAME, SERVICENOW_PASSWORD, " if password_grant else ""
        self.checks = f"{account}{_OAUTH_CHECKS}"
        self._settings, self._clock = settings, clock
        self._lock = threading.Lock()
        self._credential: Credential | None = None
        self._ends = 0.0
        self._refresh: Secret | None = None

    def credential(self, inner: Transport, stale: Credential | None, /) -> Credential | Response:
        with self._lock:
            fresh = self._credential is not None and self._clock.monotonic() < self._ends
            if self._credential is not None and fresh and self._credential is not stale:
                return self._credential
            return self._renewed(inner)

    def forget(self, credential: Credential, /) -> None:
        with self._lock:
            if self._credential is credential:
                self._credential = None

    def _renewed(self, inner: Transport) -> Credential | Response:
        answer: Credential | Response | None = None
        if self._refresh is not None:
            answer = self._ask(inner, {"grant_type": "refresh_token", "refresh_token": self._refresh.reveal()})
            self._refresh = None if isinstance(answer, Response) else self._refresh
        return answer if isinstance(answer, Credential) else self._ask(inner, self._grant())

    def _grant(self) -> dict[str, str]:
        settings = self._settings
        if settings.username and settings.password:
            return {
                "grant_type": "password",
                "username": settings.username,
                "password": settings.password.reveal(),
            }
        return {"grant_type": "client_credentials"}

    def _ask(self, inner: Transport, grant: dict[str, str]) -> Credential | Response:
        secret = self._settings.client_secret
        form = {
            **grant,
            "client_id": self._settings.client_id or "",
            "client_secret": secret.reveal() if secret else "",
        }
        response = inner.send(
            Request(
                method="POST",
                url=f"{self._settings.instance.rstrip('/')}/oauth_token.do",
                operation="oauth.token",
                headers={"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"},
                body=urlencode(form).encode(),
                repeatable=True,
            )
        )
        return self._kept(response)

    def _kept(self, response: Response) -> Credential | Response:
        result = judge(response).result
        token = result.get("access_token") if isinstance(result, dict) else None
        if not isinstance(result, dict) or not isinstance(token, str) or not token:
            return response
        self._credential = Credential(header="Authorization", value=Secret(f"Bearer {token}"))
        self._ends = self._clock.monotonic() + max(0.0, _life(result.get("expires_in")) - _EARLY_SECONDS)
        refresh = result.get("refresh_token")
        self._refresh = Secret(refresh) if isinstance(refresh, str) and refresh else self._refresh
        return self._credential


def _life(seconds: object) -> float:
    try:
        return float(seconds) if isinstance(seconds, (int, float, str)) else _ACCESS_SECONDS
    except ValueError:
        return _ACCESS_SECONDS


def logins(settings: ServiceNowSettings, clock: Clock) -> tuple[Login, ...]:
    """The configured ways in, most secure first."""
    found: list[Login] = []
    if settings.oauth_token:
        token = Secret(f"Bearer {settings.oauth_token.reveal()}")
        credential = Credential(header="Authorization", value=token)
        found.append(FixedLogin("OAuth token", "SERVICENOW_OAUTH_TOKEN (it may have expired)", credential))
    if settings.client_id and settings.client_secret:
        found.append(OAuthLogin(settings, clock))
    if settings.api_key:
        credential = Credential(header="x-sn-apikey", value=settings.api_key)
        checks = "SERVICENOW_API_KEY, and on the instance its inbound authentication profile and REST API access policy"
        found.append(FixedLogin("API key", checks, credential))
    if settings.username and settings.password:
        pair = f"{settings.username}:{settings.password.reveal()}".encode()
        basic = Secret(f"Basic {base64.b64encode(pair).decode('ascii')}")
        checks = f"SERVICENOW_USERNAME and SERVICENOW_PASSWORD. {_BASIC_RESTRICTION}"
        found.append(FixedLogin("basic", checks, Credential(header="Authorization", value=basic)))
    return tuple(found)


def login_refused(settings: ServiceNowSettings, clock: Clock) -> NotAuthenticated:
    """The error after every configured method was tried: which they were, what to check, never the secret."""
    tried = logins(settings, clock)
    if not tried:
        return NotAuthenticated(
            "ServiceNow asks for a login and none is configured.",
            next_step="Set SERVICENOW_CLIENT_ID and SERVICENOW_CLIENT_SECRET, SERVICENOW_API_KEY, or "
            "SERVICENOW_USERNAME and SERVICENOW_PASSWORD.",
        )
    names = ", then ".join(login.name for login in tried)
    checks = " ".join(f"{login.name}: check {login.checks}." for login in tried)
    return NotAuthenticated(
        f"ServiceNow at {urlsplit(settings.instance).netloc} refused the login (401). Tried: {names}.",
        next_step=checks,
    )
