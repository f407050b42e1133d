"""The resilient stack over real sockets: what is repeated, what never is, and when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from beast_dream_snow_loader.clock import SystemClock
from beast_dream_snow_loader.core.events import Event, RequestFinished
from beast_dream_snow_loader.errors import (
    CircuitBreakerOpen,
    NotSent,
    OutcomeUnknown,
    Refused,
    ServerFault,
    Throttled,
)
from beast_dream_snow_loader.operations.circuit_breaker import CircuitBreaker, CircuitState
from beast_dream_snow_loader.operations.restraint import Restraints
from beast_dream_snow_loader.operations.retry import RetryPolicy
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from beast_dream_snow_loader.sandbox.serving import Server
from beast_dream_snow_loader.transport.breaking import Breakers, Breaking
from beast_dream_snow_loader.transport.http import HttpTransport, ResilientHTTPClient
from beast_dream_snow_loader.transport.messages import Request, Response
from beast_dream_snow_loader.transport.observing import RequestMeter
from beast_dream_snow_loader.transport.port import Transport
from beast_dream_snow_loader.transport.reading import Limits
from beast_dream_snow_loader.transport.stack import Around, build_stack, read_only

from .conftest import Remembering, packed

Get = Callable[..., Request]


class QuickClock(SystemClock):
    """Real time that waiting jumps over. ``stop``: from now on waiting is cut short."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []
        self.jumped = 0.0
        self.stop = False
        self.before_waking: Callable[[], None] = lambda: None

    def monotonic(self) -> float:
        return super().monotonic() + self.jumped

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.before_waking()
        self.jumped += 0.0 if self.stop else seconds


@dataclass
class Bench:
    """A stack and all that watches it."""

    clock: QuickClock = field(default_factory=QuickClock)
    meter: RequestMeter = field(default_factory=RequestMeter)
    told: list[Event] = field(default_factory=list)
    attempts: int = 3
    threshold: int = 50
    deadline: float | None = None
    around: Around = lambda transport: transport

    def __post_init__(self) -> None:
        self.breaker = CircuitBreaker(self.threshold, 60, name="servicenow", clock=self.clock)
        self.transport: Transport = build_stack(
            HttpTransport("servicenow", connect_timeout=1, read_timeout=1, limits=Limits(body_bytes=1_000_000)),
            policy=RetryPolicy(max_attempts=self.attempts, deadline_seconds=self.deadline),
            breaker=self.breaker,
            meter=self.meter,
            restraint=Restraints(self.clock).of("servicenow"),
            listener=self.told.append,
            around=self.around,
        )

    def send(self, request: Request) -> Response:
        return self.transport.send(request)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def status(code: int, **selectors: int) -> Fault:
    return Fault(effect=Effect.STATUS, status=code, **selectors)  # type: ignore[arg-type]


def met(server: Server) -> int:
    """How many requests have arrived, answered or not."""
    return server.faults.listing()[0].count


@pytest.mark.parametrize("effect", [Effect.RESET_BEFORE, Effect.RESET_AFTER, Effect.CUT_BODY])
def test_a_lost_answer_is_asked_for_again_only_when_that_does_no_harm(
    server: Server, app: Remembering, bench: Bench, get: Get, effect: Effect
) -> None:
    server.faults.add(Fault(effect=effect, first=1))
    acted = 0 if effect is Effect.RESET_BEFORE else 1
    with pytest.raises(OutcomeUnknown):
        bench.send(get(method="POST", body=b"{}", reads=False))
    assert (len(app.asked), bench.clock.slept) == (acted, [])
    server.faults.clear()
    server.faults.add(Fault(effect=effect, first=1))
    assert bench.send(get(method="POST", body=b"{}", reads=False, repeatable=True)).status == 200
    assert len(app.asked) == 2 * acted + 1


@pytest.mark.parametrize("code", [500, 502, 503, 504])
def test_a_fault_of_the_server_is_tried_again_for_what_may_be_repeated(
    server: Server, bench: Bench, get: Get, code: int
) -> None:
    server.faults.add(status(code, first=2))
    assert bench.send(get(repeatable=True)).status == 200
    server.faults.clear()
    server.faults.add(status(code))
    with pytest.raises(ServerFault) as error:
        bench.send(get(repeatable=False))
    assert error.value.status == code
    assert len(bench.clock.slept) == 2, "the one that may not be repeated waited for nothing"


@pytest.mark.parametrize("code", [400, 401, 403, 404, 413, 501, 505])
def test_any_other_status_is_an_answer_and_no_failure(server: Server, bench: Bench, get: Get, code: int) -> None:
    server.faults.add(status(code))
    for _ in range(60):
        assert bench.send(get(repeatable=True)).status == code
    assert bench.breaker.state is CircuitState.CLOSED


def test_what_was_not_sent_is_always_tried_again(bench: Bench, get: Get, server: Server) -> None:
    url = f"{server.url}/x"
    server.stop()
    bench.clock.before_waking = lambda: server.start() and None
    assert bench.send(get(url=url, method="POST", body=b"{}")).status == 200
    server.stop()


def test_giving_up_raises_the_last_error_and_says_how_often_it_was_tried(server: Server, get: Get) -> None:
    bench = Bench(attempts=4)
    server.faults.add(status(503))
    with pytest.raises(ServerFault, match=r"servicenow failed while answering test\.get \(503\)") as error:
        bench.send(get(repeatable=True))
    assert error.value.__notes__ == ["test.get: given up after 4 attempts"]
    assert [event.attempt for event in bench.told if isinstance(event, RequestFinished)] == [1, 2, 3, 4]
    assert {name: count for name, count in bench.meter.counts().items() if count} == {"servicenow": 4, "retries": 3}


class TestThrottling:
    """R2.2: for a POST that may not be repeated too, since a 429 did nothing."""

    def throttle(self, server: Server, **headers: str) -> None:
        named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
        server.faults.add(Fault(effect=Effect.STATUS, status=429, headers=named, first=1))

    def test_not_a_request_goes_out_before_retry_after(self, server: Server, app: Remembering, get: Get) -> None:
        bench = Bench()
        self.throttle(server, Retry_After="7")
        seen: list[int] = []
        bench.clock.before_waking = lambda: seen.append(met(server))
        assert bench.send(get(method="POST", body=b"{}")).status == 200
        assert (bench.clock.slept, seen, len(app.asked)) == ([7.0], [1], 1)

    def test_the_reset_time_is_waited_for(self, server: Server, bench: Bench, get: Get) -> None:
        self.throttle(server, X_RateLimit_Reset=str(int(bench.clock.now().timestamp()) + 20))
        assert bench.send(get()).status == 200
        assert bench.clock.slept == [pytest.approx(20, abs=1.5)]

    def test_without_a_header_it_cools_down(self, server: Server, bench: Bench, get: Get) -> None:
        self.throttle(server)
        assert bench.send(get()).status == 200
        assert sum(bench.clock.slept) == pytest.approx(1, abs=0.1)

    def test_a_wait_beyond_the_deadline_gives_up_at_once_and_says_how_long(
        self, server: Server, bench: Bench, get: Get
    ) -> None:
        self.throttle(server, Retry_After="3600")
        with pytest.raises(Throttled) as error:
            bench.send(get())
        assert (error.value.retry_after, bench.clock.slept) == (3600.0, [])

    def test_a_503_that_names_its_wait_is_obeyed_too(self, server: Server, bench: Bench, get: Get) -> None:
        server.faults.add(Fault(effect=Effect.STATUS, status=503, headers=(("Retry-After", "11"),), first=1))
        assert bench.send(get(repeatable=True)).status == 200
        assert bench.clock.slept == [11.0]

    def test_it_is_no_failure_for_the_breaker(self, server: Server, get: Get) -> None:
        bench = Bench(threshold=1, attempts=1)
        self.throttle(server)
        with pytest.raises(Throttled):
            bench.send(get())
        assert bench.breaker.state is CircuitState.CLOSED


def test_a_stop_request_ends_the_wait_and_the_call(server: Server, app: Remembering, bench: Bench, get: Get) -> None:
    server.faults.add(status(503))
    bench.clock.stop = True
    with pytest.raises(ServerFault):
        bench.send(get(repeatable=True))
    assert met(server) == 1


def test_an_answer_too_large_is_not_asked_for_again(app: Remembering, bench: Bench, get: Get) -> None:
    app.answers["/x"] = packed(5_000_000)
    with pytest.raises(OutcomeUnknown, match="larger"):
        bench.send(get(repeatable=True))
    assert len(app.asked) == 1


def test_an_open_breaker_lets_nothing_out_until_a_probe_succeeds(server: Server, get: Get) -> None:
    """X1."""
    bench = Bench(threshold=3, attempts=1)
    server.faults.add(status(503, first=3))
    for _ in range(3):
        with pytest.raises(ServerFault):
            bench.send(get())
    with pytest.raises(CircuitBreakerOpen):
        bench.send(get())
    assert met(server) == 3
    bench.clock.jumped += 60
    assert bench.send(get()).status == 200
    assert bench.breaker.state is CircuitState.CLOSED


def test_a_breaker_that_opens_ends_the_retries_of_the_call(server: Server, get: Get) -> None:
    bench = Bench(threshold=2, attempts=5)
    server.faults.add(status(503))
    with pytest.raises(CircuitBreakerOpen):
        bench.send(get(repeatable=True))
    assert met(server) == 2


def test_a_service_whose_part_answers_badly_was_reached(server: Server, get: Get) -> None:
    """What was learned of it being away is over with the first answer, whatever that says."""
    clock = QuickClock()
    whole, part = (CircuitBreaker(9, 60, name=name, clock=clock) for name in ("servicenow", "servicenow.ire"))
    http = HttpTransport("servicenow", connect_timeout=1)
    breaking = Breaking(http, Breakers(whole, lambda _request: part))
    whole.open(60)
    clock.jumped += 60
    server.faults.add(status(503))
    assert breaking.send(get()).status == 503
    assert whole.state is CircuitState.CLOSED


def test_a_login_put_around_is_observed_and_its_mistakes_open_no_breaker(server: Server, get: Get) -> None:
    class Login:
        def __init__(self, inner: Transport) -> None:
            self.inner = inner

        def send(self, request: Request) -> Response:
            self.inner.send(get("/token"))
            if request.operation == "mistaken":
                raise Refused("no")
            return self.inner.send(request)

    bench = Bench(threshold=1, around=Login)
    assert bench.send(get()).status == 200
    with pytest.raises(Refused):
        bench.send(get(operation="mistaken"))
    assert bench.meter.counts()["servicenow"] == 3
    assert bench.breaker.state is CircuitState.CLOSED


def test_an_exchange_without_an_answer_is_told_with_its_code(bench: Bench) -> None:
    with pytest.raises(NotSent):
        bench.send(Request(method="GET", url="https://nowhere.invalid/", operation="ping"))
    event = bench.told[0]
    assert isinstance(event, RequestFinished)
    assert (event.service, event.operation, event.status, event.error) == (
        "servicenow",
        "ping",
        None,
        "transport.not_sent",
    )


def test_a_dry_run_cannot_write(app: Remembering, bench: Bench, get: Get) -> None:
    with pytest.raises(Refused, match="dry run"):
        read_only(bench.transport).send(get())
    assert app.asked == []
    assert read_only(bench.transport).send(get(reads=True)).status == 200


def test_the_client_for_any_service_has_every_verb(server: Server, app: Remembering) -> None:
    """V1."""
    client = ResilientHTTPClient("test-jira", clock=QuickClock())
    for verb in ("get", "post", "put", "patch", "delete"):
        assert getattr(client, verb)(f"{server.url}/x", correlation_id="run-1", body=b"{}").status == 200
    assert [request.method for request in app.asked] == ["GET", "POST", "PUT", "PATCH", "DELETE"]
    assert {request.headers["x-correlation-id"] for request in app.asked} == {"run-1"}


@pytest.mark.parametrize(("verb", "times"), [("get", 2), ("put", 2), ("delete", 2), ("post", 1), ("patch", 1)])
def test_the_client_repeats_only_the_idempotent_verbs(server: Server, app: Remembering, verb: str, times: int) -> None:
    server.faults.add(Fault(effect=Effect.RESET_AFTER, first=1))
    client = ResilientHTTPClient(f"test-{verb}", clock=QuickClock())
    if times == 1:
        with pytest.raises(OutcomeUnknown):
            getattr(client, verb)(f"{server.url}/x")
    else:
        assert getattr(client, verb)(f"{server.url}/x").status == 200
    assert len(app.asked) == times
