"""The resilient stack over real sockets: what is repeated, what never is, and when."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from beast_dream_snow_loader.clock import SystemClock
from beast_dream_snow_loader.errors import ConfigurationError, NotSent, OutcomeUnknown, Refused, Throttled
from beast_dream_snow_loader.operations.circuit_breaker import CircuitBreaker
from beast_dream_snow_loader.operations.retry import RetryPolicy
from beast_dream_snow_loader.sandbox.certificate import self_signed
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from beast_dream_snow_loader.sandbox.messages import HttpAnswer, HttpRequest
from beast_dream_snow_loader.sandbox.serving import Server
from beast_dream_snow_loader.transport.base import Transport
from beast_dream_snow_loader.transport.http import HttpTransport
from beast_dream_snow_loader.transport.messages import Request
from beast_dream_snow_loader.transport.observing import RequestMeter
from beast_dream_snow_loader.transport.stack import build_stack, read_only


class Counting:
    """Answers 200 and counts how often it acted."""

    def __init__(self) -> None:
        self.acted = 0

    def answer(self, request: HttpRequest) -> HttpAnswer:
        self.acted += 1
        return HttpAnswer(body=b"{}")


class QuickClock(SystemClock):
    """Real time that waiting jumps over."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return super().monotonic() + sum(self.slept)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.fixture
def app() -> Counting:
    return Counting()


@pytest.fixture
def server(app: Counting) -> Iterator[Server]:
    with Server(app) as running:
        yield running


def stack(clock: QuickClock, verify: bool | str = True) -> Transport:
    return build_stack(
        HttpTransport("test", verify=verify, read_timeout=2),
        policy=RetryPolicy(max_attempts=3),
        breaker=CircuitBreaker(50, 60, name="test"),
        meter=RequestMeter(),
        clock=clock,
    )


def get(server: Server, *, repeatable: bool = True, reads: bool = True) -> Request:
    return Request(method="GET", url=f"{server.url}/x", operation="test.get", repeatable=repeatable, reads=reads)


def test_a_lost_answer_to_a_repeatable_request_is_asked_for_again(server: Server, app: Counting) -> None:
    server.faults.add(Fault(effect=Effect.RESET_AFTER, first=1))
    assert stack(QuickClock()).send(get(server)).status == 200
    assert app.acted == 2


def test_a_request_that_is_not_repeatable_is_never_sent_again_after_an_unknown_outcome(
    server: Server, app: Counting
) -> None:
    server.faults.add(Fault(effect=Effect.RESET_AFTER, first=1))
    with pytest.raises(OutcomeUnknown):
        stack(QuickClock()).send(get(server, repeatable=False))
    assert app.acted == 1


def test_retry_after_is_waited_for_exactly(server: Server) -> None:
    """R2."""
    clock = QuickClock()
    server.faults.add(Fault(effect=Effect.STATUS, status=429, headers=(("Retry-After", "7"),), first=1))
    assert stack(clock).send(get(server)).status == 200
    assert clock.slept == [7.0]


def test_a_wait_longer_than_the_deadline_gives_up_at_once(server: Server) -> None:
    clock = QuickClock()
    server.faults.add(Fault(effect=Effect.STATUS, status=429, headers=(("Retry-After", "3600"),)))
    with pytest.raises(Throttled) as asked:
        stack(clock).send(get(server))
    assert (asked.value.retry_after, clock.slept) == (3600.0, [])


def test_a_dry_run_cannot_write(server: Server, app: Counting) -> None:
    with pytest.raises(Refused):
        read_only(stack(QuickClock())).send(get(server, reads=False))
    assert app.acted == 0


def test_a_pinned_certificate_is_accepted_and_another_is_not(app: Counting) -> None:
    certificate = self_signed()
    with Server(app, tls=certificate) as server:
        pinned = stack(QuickClock(), f"fingerprint:{certificate.fingerprint}")
        assert pinned.send(get(server)).status == 200
        with pytest.raises(NotSent, match="pinned"):
            stack(QuickClock(), "fingerprint:" + "0" * 64).send(get(server))
        with pytest.raises(NotSent, match="not trusted"):
            stack(QuickClock()).send(get(server))
    assert app.acted == 1


def test_plain_http_to_another_machine_is_refused_before_anything_is_sent() -> None:
    request = Request(method="GET", url="http://192.0.2.1/", operation="test.get")
    with pytest.raises(ConfigurationError, match="https"):
        stack(QuickClock()).send(request)
