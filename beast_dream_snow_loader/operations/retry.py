"""Retry: exponential back-off with full jitter, on tenacity. The one retry layer; nobody else loops."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol, TypeVar

import requests
import tenacity

from beast_dream_snow_loader.clock import Clock, SystemClock

T = TypeVar("T")
Delay = Callable[[BaseException, int], float | None]
"""Seconds to wait after an exception in an attempt (they count from 1); None: do not try again."""

Permit = Callable[[BaseException, int, float], bool]
"""Whether attempt so-and-so, which failed with this, may be followed by another one after so many seconds."""


def _always(_error: BaseException, _attempt: int, _seconds: float) -> bool:
    return True


_WORTH_REPEATING = frozenset({429, 500, 502, 503, 504})
_YEAR_SECONDS = 366 * 86400.0
_TOLERANCE_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """``max_attempts`` counts the first one; delays in seconds. With ``jitter`` the wait is uniform between 0 and the
    exponential bound (AWS full jitter), so that many clients do not come back at once. No attempt starts later than
    ``deadline_seconds`` after the first.
    """

    max_attempts: int = 3
    base_delay_seconds: float = 1.0
    max_delay_seconds: float = 60.0
    exponential_base: float = 2.0
    jitter: bool = True
    retryable_exceptions: tuple[type[BaseException], ...] = (requests.exceptions.RequestException,)
    deadline_seconds: float | None = None


class Answer(Protocol):
    """Any response with headers, ours or that of requests."""

    @property
    def headers(self) -> Mapping[str, str]: ...


class _Woken(Exception):
    """The wait was cut short: the program is asked to stop."""


class RetryManager:
    """Runs an operation again while its policy says so. ``clock.sleep`` waits; a sleep that is cut short ends it all.

    ``uniform`` draws the jitter between two bounds.
    """

    def __init__(
        self,
        default_policy: RetryPolicy | None = None,
        *,
        clock: Clock | None = None,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._policy = default_policy or RetryPolicy()
        self._clock = clock or SystemClock()
        self._uniform = uniform

    def execute_with_retry(
        self,
        operation: Callable[[], T],
        policy: RetryPolicy | None = None,
        operation_name: str = "unknown",
        *,
        delay: Delay | None = None,
        permit: Permit = _always,
    ) -> T:
        """The operation's result, or its last exception with a note of the attempts made.

        ``delay`` stands in for the policy's choice of what is tried again, and when; the policy's limits hold anyway.
        ``permit`` is asked last, when everything else speaks for one more attempt.
        """
        chosen = policy or self._policy
        choose = delay or (lambda error, count: self._delay(error, count, chosen))
        attempts = _Attempts(self._clock, chosen, choose, permit)
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(chosen.max_attempts),
            retry=attempts.again,
            wait=attempts.wait,
            sleep=attempts.sleep,
            reraise=True,
        )
        try:
            return retrying(operation)
        except _Woken:
            assert attempts.error is not None  # there is no wait without an exception before it
            attempts.note(attempts.error, operation_name)
            raise attempts.error from None
        except BaseException as error:
            attempts.note(error, operation_name)
            raise

    def is_retryable_error(self, exception: BaseException, policy: RetryPolicy | None = None) -> bool:
        """Of the policy's classes, and not an HTTP answer that would be the same again (4xx other than 429)."""
        answer = getattr(exception, "response", None)
        if isinstance(answer, requests.Response) and answer.status_code not in _WORTH_REPEATING:
            return False
        return isinstance(exception, (policy or self._policy).retryable_exceptions)

    def calculate_delay(self, attempt: int, policy: RetryPolicy | None = None) -> float:
        """Seconds before attempt ``attempt + 1``; attempts count from 1."""
        chosen = policy or self._policy
        exponent = min(max(attempt, 1) - 1, 64)
        bound = min(chosen.max_delay_seconds, chosen.base_delay_seconds * chosen.exponential_base**exponent)
        return self._uniform(0.0, bound) if chosen.jitter else bound

    def handle_rate_limit(self, response: Answer) -> float:
        """Seconds a 429 asks for: ``Retry-After`` (seconds or date), else ``X-RateLimit-Reset`` (UNIX time), else the
        policy's first delay."""
        asked = retry_after(response.headers, self._clock.now())
        return self.calculate_delay(1) if asked is None else asked

    def _delay(self, error: BaseException, attempt: int, policy: RetryPolicy) -> float | None:
        if not self.is_retryable_error(error, policy):
            return None
        answer = getattr(error, "response", None)
        if isinstance(answer, requests.Response) and answer.status_code == 429:
            return self.handle_rate_limit(answer)
        return self.calculate_delay(attempt, policy)


class _Attempts:
    """What tenacity asks during one call."""

    def __init__(self, clock: Clock, policy: RetryPolicy, delay: Delay, permit: Permit) -> None:
        self.error: BaseException | None = None
        self.count = 0
        self._clock = clock
        self._most = policy.max_attempts
        self._delay = delay
        self._permit = permit
        self._next = 0.0
        self._ends = math.inf if policy.deadline_seconds is None else clock.monotonic() + policy.deadline_seconds

    def again(self, state: tenacity.RetryCallState) -> bool:
        self.count = state.attempt_number
        self.error = state.outcome.exception() if state.outcome else None
        if self.error is None or self.count >= self._most:
            return False
        seconds = self._delay(self.error, self.count)
        if seconds is None or self._clock.monotonic() + seconds >= self._ends:
            return False
        if not self._permit(self.error, self.count, seconds):
            return False
        self._next = seconds
        return True

    def wait(self, _state: tenacity.RetryCallState) -> float:
        return self._next

    def sleep(self, seconds: float) -> None:
        before = self._clock.monotonic()
        self._clock.sleep(seconds)
        if self._clock.monotonic() - before < seconds - _TOLERANCE_SECONDS:
            raise _Woken

    def note(self, error: BaseException, operation_name: str) -> None:
        if self.count > 1:
            error.add_note(f"{operation_name}: given up after {self.count} attempts")


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds the server asks to wait, None when it does not say. Header names in any case.

    Instants are counted from the answer's own ``Date`` where it has one: the two clocks need not agree.
    """
    named = {name.lower(): value.strip() for name, value in headers.items()}
    now = _date(named.get("date", "")) or now
    if (text := named.get("retry-after")) is not None:
        return _seconds_or_date(text, now)
    reset = number_of(named.get("x-ratelimit-reset", ""))
    if reset is None:
        return None
    # ServiceNow sends a UNIX time; others send the seconds that are left, which are never so many
    return max(0.0, reset if reset < _YEAR_SECONDS else reset - now.timestamp())


def _seconds_or_date(text: str, now: datetime) -> float | None:
    """RFC 9110, 10.2.3."""
    number = number_of(text)
    if number is not None:
        return max(0.0, number)
    moment = _date(text)
    return None if moment is None else max(0.0, (moment - now).total_seconds())


def _date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def number_of(text: str) -> float | None:
    """A header's number; None when it is none, or not finite."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
