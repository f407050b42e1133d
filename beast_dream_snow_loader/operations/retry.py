"""Retry: exponential back-off with full jitter, on tenacity. The one retry layer; nobody else loops."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import requests
import tenacity

from beast_dream_snow_loader.clock import Clock, SystemClock

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """``max_attempts`` counts the first one; delays in seconds. With ``jitter`` the wait is uniform between 0 and the
    exponential bound (AWS full jitter), so that many clients do not come back at once."""

    max_attempts: int = 3
    base_delay_seconds: float = 1.0
    max_delay_seconds: float = 60.0
    exponential_base: float = 2.0
    jitter: bool = True
    retryable_exceptions: tuple[type[BaseException], ...] = (requests.exceptions.RequestException,)


class RetryManager:
    """Runs an operation again while its policy says so. ``clock.sleep`` waits, so a stop request wakes it."""

    def __init__(self, default_policy: RetryPolicy | None = None, *, clock: Clock | None = None) -> None:
        self._policy = default_policy or RetryPolicy()
        self._clock = clock or SystemClock()

    def execute_with_retry(
        self,
        operation: Callable[[], T],
        policy: RetryPolicy | None = None,
        operation_name: str = "unknown",
        *,
        wait: Callable[[BaseException, int], float | None] | None = None,
    ) -> T:
        """The operation's result, or its last exception. ``wait`` may name the seconds for an exception (None: ours);
        a negative number gives up. ``operation_name`` is for the exception notes."""
        chosen = policy or self._policy
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(chosen.max_attempts),
            wait=lambda state: max(0.0, self._wait(state, chosen, wait)),
            retry=lambda state: self._again(state, chosen, wait),
            sleep=self._clock.sleep,
            reraise=True,
        )
        try:
            return retrying(operation)
        except chosen.retryable_exceptions as error:
            error.add_note(f"operation {operation_name}, at most {chosen.max_attempts} attempts")
            raise

    def is_retryable_error(self, exception: BaseException, policy: RetryPolicy | None = None) -> bool:
        return isinstance(exception, (policy or self._policy).retryable_exceptions)

    def calculate_delay(self, attempt: int, policy: RetryPolicy | None = None) -> float:
        """Seconds before attempt ``attempt + 1``; attempts count from 1."""
        chosen = policy or self._policy
        exponent = min(attempt - 1, 64)
        bound = min(chosen.max_delay_seconds, chosen.base_delay_seconds * chosen.exponential_base**exponent)
        return random.uniform(0, bound) if chosen.jitter else bound

    def handle_rate_limit(self, response: Any) -> float:
        """Seconds a 429 asks for: ``Retry-After`` (seconds or date), else ``X-RateLimit-Reset`` (UNIX time), else the
        policy's first delay."""
        asked = retry_after(response.headers, self._clock.now())
        return self.calculate_delay(1) if asked is None else asked

    def _again(self, state: tenacity.RetryCallState, policy: RetryPolicy, wait: Any) -> bool:
        error = state.outcome.exception() if state.outcome else None
        if error is None or not self.is_retryable_error(error, policy):
            return False
        asked = wait(error, state.attempt_number) if wait else None
        return asked is None or asked >= 0

    def _wait(self, state: tenacity.RetryCallState, policy: RetryPolicy, wait: Any) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = wait(error, state.attempt_number) if wait and error is not None else None
        return self.calculate_delay(state.attempt_number, policy) if asked is None else float(asked)


def retry_after(headers: Any, now: datetime) -> float | None:
    """Seconds the server asks to wait, None when it does not say. Header names in any case."""
    named = {str(name).lower(): str(value) for name, value in dict(headers).items()}
    if (text := named.get("retry-after")) is not None:
        return _seconds_or_date(text, now)
    if (reset := named.get("x-ratelimit-reset")) is not None and reset.isdigit():
        return max(0.0, int(reset) - now.timestamp())
    return None


def _seconds_or_date(text: str, now: datetime) -> float | None:
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds())
