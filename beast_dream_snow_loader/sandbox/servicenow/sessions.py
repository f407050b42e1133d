"""Sessions: every login opens one unless cookies come back, and the requests of one session run one at a time."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from http.cookies import CookieError, SimpleCookie

from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.sandbox.messages import HttpRequest
from beast_dream_snow_loader.sandbox.servicenow.calls import Account

COOKIE = "JSESSIONID"


class SessionBusy(Exception):
    """Too many requests wait on the session, or one runs too long: this one is dropped unprocessed."""


class Session:
    """``key`` is the cookie, ``token`` what ``X-UserToken`` must be when only cookies are sent."""

    def __init__(self, key: str, account: Account, expires: datetime) -> None:
        self.key = key
        self.token = hashlib.sha256(key.encode()).hexdigest() + key[:8]
        self.account = account
        self.expires = expires
        self._turn = threading.Condition()
        self._waiting = 0
        self._running_since: float | None = None

    @contextlib.contextmanager
    def turn(self, clock: Clock, longest_queue: int, patience_seconds: float) -> Iterator[None]:
        """Wait for the requests before this one. SessionBusy."""
        with self._turn:
            if self._running_since is not None:
                stuck = clock.monotonic() - self._running_since > patience_seconds
                if stuck or self._waiting >= longest_queue:
                    raise SessionBusy
                self._waiting += 1
                self._turn.wait_for(lambda: self._running_since is None)
                self._waiting -= 1
            self._running_since = clock.monotonic()
        try:
            yield
        finally:
            with self._turn:
                self._running_since = None
                self._turn.notify()


class SessionStore:
    def __init__(self, clock: Clock, seed: str) -> None:
        self._clock = clock
        self._seed = seed
        self._sessions: dict[str, Session] = {}
        self._opened = 0
        self._lock = threading.Lock()

    def find(self, request: HttpRequest) -> Session | None:
        """The session whose cookie the request carries, unless it has expired."""
        key = _cookie(request.headers.get("cookie", ""))
        with self._lock:
            session = self._sessions.get(key)
            if session is not None and session.expires <= self._clock.now():
                del self._sessions[key]
                session = None
            return session

    def open(self, account: Account, seconds: int) -> Session:
        with self._lock:
            self._opened += 1
            key = hashlib.md5(f"{self._seed}/{self._opened}".encode(), usedforsecurity=False).hexdigest().upper()
            session = Session(key, account, self._clock.now() + timedelta(seconds=seconds))
            self._sessions[key] = session
            self._forget_expired()
            return session

    def prolong(self, session: Session, seconds: int) -> None:
        session.expires = self._clock.now() + timedelta(seconds=seconds)

    def count(self) -> int:
        return len(self._sessions)

    def _forget_expired(self) -> None:
        if self._opened % 256 == 0:
            now = self._clock.now()
            self._sessions = {key: one for key, one in self._sessions.items() if one.expires > now}


def _cookie(header: str) -> str:
    try:
        found = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""
