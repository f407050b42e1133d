"""How much the instance takes: concurrent requests, requests per hour, bytes."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from datetime import timedelta

from beast_dream_snow_loader.sandbox.servicenow.backend import Backend
from beast_dream_snow_loader.sandbox.servicenow.calls import Account, ApiError
from beast_dream_snow_loader.sandbox.servicenow.storage import Row

Headers = tuple[tuple[str, str], ...]
_DEFAULT_MAX_CONTENT = 10 * 1024 * 1024
_PRECEDENCE = ("user", "role", "all")


class QueueFull(Exception):
    """More requests than the node's semaphore and its queue hold: refused before REST runs, without an envelope."""


class Semaphore:
    """``concurrency`` requests at once, ``queue_length`` waiting, as the options say at that moment."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._changed = threading.Condition()
        self._running = 0
        self._waiting = 0

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """QueueFull."""
        with self._changed:
            if not self._free():
                if self._waiting >= self._backend.options.queue_length:
                    raise QueueFull
                self._waiting += 1
                self._changed.wait_for(self._free)
                self._waiting -= 1
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify()

    def _free(self) -> bool:
        most = self._backend.options.concurrency
        return most is None or self._running < most


class RateLimits:
    """The rules in sys_rate_limit_rules: requests per clock hour and user for one API; user before role before all."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._counts: dict[tuple[str, str, str], int] = {}
        self._lock = threading.Lock()

    def count(self, account: Account, api: str) -> Headers:
        """Headers for the answer, none when no rule matches. ApiError 429."""
        rule = self._rule(account, api)
        if rule is None:
            return ()
        now = self._backend.instance.clock.now()
        hour = now.replace(minute=0, second=0, microsecond=0)
        reset = hour + timedelta(hours=1)
        limit, key = int(rule["request_limit"] or 0), (rule["sys_id"], account.user_name, hour.isoformat())
        with self._lock:
            self._counts[key] = used = self._counts.get(key, 0) + 1
        headers = (
            ("X-RateLimit-Limit", str(limit)),
            ("X-RateLimit-Reset", str(int(reset.timestamp()))),
            ("X-RateLimit-Rule", rule["sys_id"]),
        )
        if used <= limit:
            return headers
        wait = max(1, int((reset - now).total_seconds()))
        detail = f"Rate limit of {limit} requests per hour for {api} exceeded"
        raise ApiError(429, "Rate limit exceeded", detail, (*headers, ("Retry-After", str(wait))))

    def _rule(self, account: Account, api: str) -> Row | None:
        instance = self._backend.instance
        if not instance.count("sys_rate_limit_rules"):
            return None
        rules = [row for row in instance.rows("sys_rate_limit_rules") if row["active"] != "false"]
        fitting = [rule for rule in rules if rule["rest_api"] in ("", api) and self._applies(rule, account)]
        return min(fitting, key=_precedence, default=None)

    def _applies(self, rule: Row, account: Account) -> bool:
        instance = self._backend.instance
        if rule["type"] == "user":
            user = instance.get("sys_user", rule["user"])
            return user is not None and user["user_name"] == account.user_name
        if rule["type"] == "role":
            return instance.name_of("sys_user_role", rule["role"]) in account.roles
        return True


def check_content_length(backend: Backend, length: int) -> None:
    """ApiError 400 for a body larger than glide.rest.max_content_length."""
    text = backend.instance.system_property("glide.rest.max_content_length")
    most = int(text) if text.isdigit() else _DEFAULT_MAX_CONTENT
    if length > most:
        detail = f"Rejected large REST payload with content-length = {length} bytes. Max allowed: {most} bytes."
        raise ApiError(400, "Exception while reading request", detail)


def _precedence(rule: Row) -> tuple[int, int]:
    kind = rule["type"] if rule["type"] in _PRECEDENCE else "all"
    return _PRECEDENCE.index(kind), int(rule["request_limit"] or 0)
