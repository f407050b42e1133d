"""Retry: what is tried again, when, and when not."""

from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime

import pytest
import requests
from hypothesis import example, given
from hypothesis import strategies as st

from beast_dream_snow_loader.operations.retry import RetryManager, RetryPolicy, retry_after
from beast_dream_snow_loader.transport.messages import Response


class Failing:
    """Fails so often, then gives its answer."""

    def __init__(self, times: int, error: BaseException) -> None:
        self.left, self.error, self.calls = times, error, 0

    def __call__(self) -> str:
        self.calls += 1
        if self.left:
            self.left -= 1
            raise self.error
        return "ok"


def upper(_low: float, high: float) -> float:
    return high


def answered(status: int, **headers: str) -> requests.HTTPError:
    response = requests.Response()
    response.status_code = status
    response.headers.update(headers)
    return requests.HTTPError(response=response)


def test_it_tries_as_often_as_the_policy_says_with_doubling_waits(clock) -> None:
    """R2.1."""
    operation = Failing(9, requests.ConnectionError())
    manager = RetryManager(RetryPolicy(max_attempts=5), clock=clock, uniform=upper)
    with pytest.raises(requests.ConnectionError) as ended:
        manager.execute_with_retry(operation, operation_name="table.get")
    assert operation.calls == 5
    assert clock.slept == [1, 2, 4, 8]
    assert ended.value.__notes__ == ["table.get: given up after 5 attempts"]


def test_what_works_at_last_is_the_answer(clock) -> None:
    assert RetryManager(clock=clock).execute_with_retry(Failing(2, requests.ConnectionError())) == "ok"


@given(attempt=st.integers(1, 10_000), base=st.floats(0.001, 10), top=st.floats(0.001, 100))
def test_a_wait_lies_between_nothing_and_the_bound(attempt: int, base: float, top: float) -> None:
    policy = RetryPolicy(base_delay_seconds=base, max_delay_seconds=top)
    bound = min(top, base * 2.0 ** min(attempt - 1, 64))
    assert 0 <= RetryManager(policy).calculate_delay(attempt) <= bound
    assert RetryManager(policy, uniform=upper).calculate_delay(attempt) == bound


@pytest.mark.parametrize("error", [KeyError(), answered(404), answered(401)])
def test_what_would_be_the_same_again_is_not_tried_again(clock, error: BaseException) -> None:
    operation = Failing(9, error)
    with pytest.raises(type(error)):
        RetryManager(clock=clock).execute_with_retry(operation)
    assert operation.calls == 1


def test_a_429_of_the_library_waits_as_it_says(clock) -> None:
    operation = Failing(1, answered(429, **{"Retry-After": "17"}))
    assert RetryManager(clock=clock).execute_with_retry(operation) == "ok"
    assert clock.slept == [17]


def test_no_attempt_starts_after_the_deadline(clock) -> None:
    operation = Failing(9, requests.ConnectionError())
    policy = RetryPolicy(max_attempts=9, base_delay_seconds=4, deadline_seconds=10)
    with pytest.raises(requests.ConnectionError):
        RetryManager(policy, clock=clock, uniform=upper).execute_with_retry(operation)
    assert clock.slept == [4], "the next wait of 8 s would have ended at 12"


def test_a_wait_cut_short_by_a_stop_request_ends_the_call(clock) -> None:
    clock.stopped = True
    operation = Failing(9, requests.ConnectionError())
    with pytest.raises(requests.ConnectionError):
        RetryManager(clock=clock, uniform=upper).execute_with_retry(operation)
    assert operation.calls == 1


def test_the_servers_wait_is_read_in_every_form(clock) -> None:
    """R2.2: seconds, a date, ServiceNow's reset time."""
    now = clock.now()
    later = now + timedelta(seconds=90)
    assert retry_after({"Retry-After": "7"}, now) == 7
    assert retry_after({"retry-after": format_datetime(later, usegmt=True)}, now) == 90
    assert retry_after({"Retry-After": format_datetime(now - timedelta(hours=1), usegmt=True)}, now) == 0
    assert retry_after({"X-RateLimit-Reset": str(int(later.timestamp()))}, now) == 90
    assert retry_after({"X-RateLimit-Reset": "30"}, now) == 30
    assert retry_after({}, now) is None


@given(st.text(max_size=40))
@example("Wed, 21 Oct 99999999999 07:28:00 GMT")
@example("Wed, 21 Oct 2026 07:28:00 +9999")
def test_a_wait_that_makes_no_sense_is_none_at_all(text: str) -> None:
    from datetime import UTC, datetime

    now = datetime(2026, 11, 24, tzinfo=UTC)
    asked = retry_after({"Retry-After": text}, now)
    assert asked is None or 0 <= asked < float("inf")


def test_a_429_without_a_header_is_waited_for_as_for_a_first_failure(clock) -> None:
    manager = RetryManager(RetryPolicy(base_delay_seconds=3, jitter=False), clock=clock)
    assert manager.handle_rate_limit(Response(status=429, headers={}, body=b"", url="")) == 3
