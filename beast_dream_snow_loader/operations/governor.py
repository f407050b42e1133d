"""What a service has asked for, kept by everybody who asks it: cool-downs and hourly quotas.

A 429 concerns all threads and all processes that share the state, not only the request it answers. How long it lasts
is what the server says, to the second; where it says nothing, a wait that doubles from one refusal to the next. Where
the answers name an hourly limit (ServiceNow's ``X-RateLimit-*``), what we send is counted, in portions taken from the
shared state, and nothing is sent that would be refused.

Wall-clock times are read once, bounded by the wait that was asked for, and kept as monotonic time from then on: a step
of the clock neither lengthens nor shortens a wait that is known here.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.errors import StateError
from beast_dream_snow_loader.operations.concurrency import AdaptiveLimit
from beast_dream_snow_loader.operations.pace import LONGEST_ASKED_SECONDS, OwnPace, Pace
from beast_dream_snow_loader.operations.retry import number_of, retry_after

FIRST_COOL_DOWN_SECONDS = 1.0
LONGEST_COOL_DOWN_SECONDS = 60.0
"""Without a word; a service whose first one is that long gets eight times the first."""
RATE_LIMIT = "x-ratelimit-"
"""How ServiceNow's headers begin that name a limit."""
_HOUR = 3600.0
_PORTIONS = 20
_LARGEST_PORTION = 50
_PATIENCE_SECONDS = 5.0
"""How long the shared state is not asked again after it did not answer."""


@dataclass(slots=True)
class _Window:
    """One hour of one rule. ``left`` of our portion may be sent; after ``portions`` nobody has any."""

    limit: int
    ends: float
    left: int = 0
    used: int = 1

    @property
    def portion(self) -> int:
        return max(1, min(_LARGEST_PORTION, self.limit // _PORTIONS))


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """What one answer says of the rule that counted it: requests an hour, how many are ``left``, and when all are there
    again, in the server's own words."""

    limit: int
    left: int | None
    rule: str
    reset: str | None


def rate_limit(headers: Mapping[str, str]) -> RateLimit | None:
    """None where no rule is named. ``headers`` in lower case."""
    limit = number_of(headers.get(f"{RATE_LIMIT}limit", ""))
    if limit is None or limit < 1:
        return None
    left = number_of(headers.get(f"{RATE_LIMIT}remaining", ""))
    return RateLimit(
        limit=int(limit),
        left=int(left) if left is not None else None,
        rule=headers.get(f"{RATE_LIMIT}rule", ""),
        reset=headers.get(f"{RATE_LIMIT}reset"),
    )


class Governor:
    """For one service. Thread-safe. ``pace`` None: shared with no other process."""

    def __init__(
        self,
        service: str,
        clock: Clock,
        limit: AdaptiveLimit,
        pace: Pace | None = None,
        first_cool_down: float = FIRST_COOL_DOWN_SECONDS,
    ) -> None:
        self.service = service
        self.limit = limit
        self._clock = clock
        self._pace: Pace = pace or OwnPace()
        self._first = first_cool_down
        self._lock = threading.Lock()
        self._until = float("-inf")
        self._cooled_at = float("-inf")
        self._streak = 0
        self._is_shared = False
        self._stamp: object = object()
        self._deaf_until = float("-inf")
        self._rules: dict[str, str] = {}
        self._windows: dict[str, _Window] = {}

    def seconds_to_wait(self, operation: str) -> float:
        """0 when the request may go now; it then counts against the quota."""
        with self._lock:
            now = self._clock.monotonic()
            self._listen(now)
            if self._until > now:
                return self._until - now
            return self._quota(operation, now)

    def answered(self, operation: str, status: int, headers: Mapping[str, str], sent_at: float) -> None:
        """Learn from one answer. ``headers`` in lower case."""
        self._learn_quota(operation, headers)
        if status != 429:
            with self._lock:
                if sent_at >= self._until:
                    self._streak = 0
            return
        self.limit.too_much(sent_at)
        self.cool(retry_after(headers, self._clock.now()), sent_at)

    def cool(self, asked: float | None, sent_at: float) -> None:
        """The service wants to be left alone for ``asked`` seconds, or does not say for how long."""
        with self._lock:
            now = self._clock.monotonic()
            self._listen(now)
            if asked is None and sent_at < self._cooled_at:
                return  # sent before the others heard of it: one refusal, not several
            self._streak += 1 if asked is None else 0
            seconds = min(self._unasked() if asked is None else asked, LONGEST_ASKED_SECONDS)
            if now + seconds <= self._until:
                return
            self._until, self._cooled_at = now + seconds, now
            self._tell(seconds, now)

    def _unasked(self) -> float:
        longest = max(LONGEST_COOL_DOWN_SECONDS, 8 * self._first)
        return float(min(longest, self._first * 2.0 ** min(self._streak - 1, 16)))

    def _tell(self, seconds: float, now: float) -> None:
        """``_is_shared``: the cool-down that holds here is in the shared state too, so that it can be ended there."""
        self._is_shared = False
        try:
            self._pace.cool(self.service, seconds, self._streak)
        except StateError:
            self._deaf_until = now + _PATIENCE_SECONDS
        else:
            self._is_shared = True

    def _listen(self, now: float) -> None:
        """What other processes have heard since."""
        if now < self._deaf_until or (stamp := self._pace.stamp()) == self._stamp:
            return
        try:
            heard = self._pace.cool_down(self.service)
        except StateError:
            self._deaf_until = now + _PATIENCE_SECONDS
            return
        self._stamp = stamp
        if heard is None and self._is_shared:  # a person ended it
            self._until, self._streak, self._is_shared = now, 0, False
        if heard is not None and heard.seconds > 0 and now + heard.seconds > self._until + _SAME_SECONDS:
            self._until, self._cooled_at = now + heard.seconds, now
            self._streak, self._is_shared = max(self._streak, heard.streak), True

    def _quota(self, operation: str, now: float) -> float:
        window = self._windows.get(self._rules.get(_family(operation), ""))
        if window is None or now >= window.ends:
            return 0.0
        if not window.left:
            window.left = self._portion(operation, window, now)
        if not window.left:
            return window.ends - now
        window.left -= 1
        return 0.0

    def _portion(self, operation: str, window: _Window, now: float) -> int:
        wanted = min(window.portion, window.limit - window.used)
        if wanted <= 0:
            return 0
        granted = self._granted(self._rules[_family(operation)], window, wanted, now)
        window.used = window.used + granted if granted else window.limit  # nobody gets any more: not asked again
        return granted

    def _granted(self, rule: str, window: _Window, wanted: int, now: float) -> int:
        """All of it while the shared state does not answer."""
        if now < self._deaf_until:
            return wanted
        try:
            return self._pace.portion(self.service, rule, window.limit, window.ends - now, wanted)
        except StateError:
            self._deaf_until = now + _PATIENCE_SECONDS
            return wanted

    def _learn_quota(self, operation: str, headers: Mapping[str, str]) -> None:
        told = rate_limit(headers)
        if told is None or told.reset is None:
            return
        named = {"x-ratelimit-reset": told.reset} | ({"date": headers["date"]} if "date" in headers else {})
        seconds = min(retry_after(named, self._clock.now()) or 0.0, _HOUR)
        with self._lock:
            now = self._clock.monotonic()
            rule = told.rule or _family(operation)
            self._rules[_family(operation)] = rule
            known = self._windows.get(rule)
            if known is None or now >= known.ends or known.limit != told.limit:
                self._windows[rule] = _Window(limit=told.limit, ends=now + seconds)
            if told.left == 0 and now + seconds > self._until:
                self._until, self._is_shared = now + seconds, False


_SAME_SECONDS = 0.05
"""A cool-down of our own comes back from the shared state with the rounding of its clock."""


def _family(operation: str) -> str:
    """The API that a rule is about: ``table`` of ``table.get``."""
    return operation.partition(".")[0]
