"""Who may come in at a console: its API key, local accounts, sessions, the brake on logging in."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from itertools import count

import orjson

from beast_dream_snow_loader.clock import Clock, SystemClock
from beast_dream_snow_loader.sandbox.estate.identifiers import digest, name_uuid
from beast_dream_snow_loader.sandbox.estate.things import Flavour
from beast_dream_snow_loader.sandbox.messages import HttpAnswer, HttpRequest
from beast_dream_snow_loader.sandbox.unifi.answers import Json, json_answer, legacy, legacy_error, text_answer

_MINUTE = 60.0
_THROTTLED = {
    "code": "AUTHENTICATION_FAILED_LIMIT_REACHED",
    "message": "You've reached the login attempt limit",
    "level": "debug",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRules:
    """``api_key`` opens Network Integration, and the controller API too where ``key_opens_controller``.

    ``wrong_logins`` failed ones in a minute bring the brake on (429 without ``Retry-After``). ``session_requests``
    ends a session after so many requests (0: never), as a restart of the console would.
    """

    api_key: str
    username: str
    password: str
    key_opens_controller: bool = True
    wrong_logins: int = 5
    session_requests: int = 0
    multi_factor: bool = False


@dataclass(slots=True)
class _Session:
    csrf: str
    used: int = 0


@dataclass(slots=True)
class Access:
    """Thread-safe. ``flavour`` decides paths, cookies and the words of refusal."""

    rules: AccessRules
    flavour: Flavour
    clock: Clock = field(default_factory=SystemClock)
    _sessions: dict[str, _Session] = field(default_factory=dict)
    _failures: deque[float] = field(default_factory=deque)
    _numbers: count[int] = field(default_factory=lambda: count(1))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def cookie(self) -> str:
        return "TOKEN" if self.flavour is Flavour.UNIFI_OS else "unifises"

    def key_fits(self, request: HttpRequest) -> bool:
        return request.headers.get("x-api-key") == self.rules.api_key

    def refusal(self, request: HttpRequest) -> HttpAnswer | None:
        """None lets a controller request in, by session or by key."""
        if "x-api-key" in request.headers and self.rules.key_opens_controller and self.flavour is Flavour.UNIFI_OS:
            return None if self.key_fits(request) else self._no_session()
        with self._lock:
            session = self._sessions.get(self._token(request))
            if session is None:
                return self._no_session()
            session.used += 1
            if self.rules.session_requests and session.used > self.rules.session_requests:
                del self._sessions[self._token(request)]
                return self._no_session()
        if request.method != "GET" and request.headers.get("x-csrf-token") != session.csrf:
            return self._no_csrf()
        return None

    def login(self, request: HttpRequest) -> HttpAnswer:
        sent = _credentials(request.body)
        with self._lock:
            if self._braked():
                return json_answer(_THROTTLED, 429)
            if sent != (self.rules.username, self.rules.password):
                self._failures.append(self.clock.monotonic())
                return self._wrong_login()
            if self.rules.multi_factor:
                return self._second_factor()
            self._failures.clear()
            return self._opened()

    def logout(self, request: HttpRequest) -> HttpAnswer:
        with self._lock:
            self._sessions.pop(self._token(request), None)
        return json_answer({}) if self.flavour is Flavour.UNIFI_OS else legacy([])

    def drop_sessions(self) -> int:
        """As a restart does; how many there were."""
        with self._lock:
            ended = len(self._sessions)
            self._sessions.clear()
            return ended

    def _braked(self) -> bool:
        now = self.clock.monotonic()
        while self._failures and self._failures[0] <= now - _MINUTE:
            self._failures.popleft()
        return len(self._failures) >= self.rules.wrong_logins

    def _opened(self) -> HttpAnswer:
        mark = f"{id(self)}/{next(self._numbers)}/{self.clock.monotonic()}"
        token, csrf = digest(f"token/{mark}"), name_uuid(f"csrf/{mark}")
        self._sessions[token] = _Session(csrf=csrf)
        if self.flavour is Flavour.CLASSIC:
            cookies = (
                ("Set-Cookie", f"unifises={token}; Path=/; HttpOnly"),
                ("Set-Cookie", f"csrf_token={csrf}; Path=/"),
            )
            answer = legacy([])
            return HttpAnswer(status=200, headers=(*answer.headers, *cookies), body=answer.body)
        headers = (
            ("Set-Cookie", f"TOKEN={token}; Path=/; HttpOnly; SameSite=Strict"),
            ("X-CSRF-Token", csrf),
            ("X-Token-Expire-Time", str(int(self.clock.now().timestamp() * 1000) + 7_200_000)),
        )
        return json_answer(_user(self.rules.username), 200, headers)

    def _wrong_login(self) -> HttpAnswer:
        if self.flavour is Flavour.CLASSIC:
            return legacy_error("api.err.Invalid", 400)
        return json_answer({"errors": ["Invalid username or password"]}, 401)

    def _second_factor(self) -> HttpAnswer:
        if self.flavour is Flavour.CLASSIC:
            return legacy_error("api.err.Ubic2faTokenRequired", 400)
        body = {"code": "MFA_AUTH_REQUIRED", "message": "MFA auth required", "level": "debug"}
        return json_answer(body, 499, (("Set-Cookie", "UBIC_2FA=sandbox; Path=/; HttpOnly"),))

    def _no_session(self) -> HttpAnswer:
        if self.flavour is Flavour.CLASSIC:
            return legacy_error("api.err.LoginRequired", 401)
        return text_answer("Unauthorized", 401, "text/plain; charset=utf-8")

    def _no_csrf(self) -> HttpAnswer:
        if self.flavour is Flavour.CLASSIC:
            return legacy_error("api.err.InvalidCsrfToken", 403)
        return json_answer({"error": {"code": 403, "message": "Invalid CSRF Token"}}, 403)

    def _token(self, request: HttpRequest) -> str:
        for part in request.headers.get("cookie", "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == self.cookie:
                return value
        return ""


def _credentials(body: bytes) -> tuple[str, str] | None:
    try:
        sent = orjson.loads(body)
        return str(sent["username"]), str(sent["password"])
    except (ValueError, KeyError, TypeError):
        return None


def _user(username: str) -> Json:
    return {
        "unique_id": name_uuid(f"user/{username}"),
        "username": username,
        "full_name": username,
        "email": "",
        "status": "ACTIVE",
        "local_account_exist": True,
        "roles": [{"name": "Viewer", "system_role": True, "system_key": "viewer"}],
        "permissions": {"network.management": ["readonly"]},
        "isOwner": False,
        "isSuperAdmin": False,
    }
