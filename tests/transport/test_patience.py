"""Who waits for another one's probe: until when, and that the wait is nobody's slowness (X1)."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from beast_dream_snow_loader.clock import SystemClock
from beast_dream_snow_loader.errors import BulkheadFull, CircuitBreakerOpen
from beast_dream_snow_loader.operations.breaker_policy import BreakerPolicy
from beast_dream_snow_loader.operations.bulkhead import Bulkhead
from beast_dream_snow_loader.operations.call_window import CountWindow
from beast_dream_snow_loader.operations.circuit_breaker import CircuitBreaker, CircuitState
from beast_dream_snow_loader.operations.criticality import Criticality
from beast_dream_snow_loader.transport.breaking import Breakers, Breaking
from beast_dream_snow_loader.transport.messages import Request, Response

from .virtual_time import World

REQUEST = Request(method="GET", url="https://cmdb.example/api", operation="read")


class Waking:
    """Answers at once, but takes its time for the first one."""

    def __init__(self, world: World) -> None:
        self.world, self.asked = world, 0

    def send(self, request: Request) -> Response:
        self.asked += 1
        if self.asked == 1:
            self.world.sleep(30)
        return Response(status=200, headers={}, body=b"", url=request.url, milliseconds=1.0)


def test_the_wait_for_another_ones_probe_is_no_slowness_of_the_service() -> None:
    world = World()
    window = CountWindow(minimum_calls=2, slow_call_seconds=10, slow_rate=0.8)
    whole = CircuitBreaker.of(BreakerPolicy(window=window), name="servicenow", clock=world)
    part = CircuitBreaker.of(BreakerPolicy(half_open_seconds=60), name="servicenow.ire", clock=world)
    part.open(seconds=1)
    transport = Breaking(Waking(world), Breakers(whole, lambda _request: part))

    def lane(begins: float) -> None:
        world.sleep(begins)
        assert transport.send(REQUEST).status == 200

    world.run([lambda: lane(2), lambda: lane(3)], until=100)
    assert (world.seconds, part.state, whole.state) == (32, CircuitState.CLOSED, CircuitState.CLOSED)


def test_a_request_to_stop_ends_the_wait_for_another_ones_probe() -> None:
    clock = SystemClock()
    policy = BreakerPolicy(half_open_seconds=3600)
    breaker = CircuitBreaker.of(policy, name="servicenow", clock=clock)
    breaker.open(seconds=0)
    breaker.permit()  # the one probe, which never comes back

    def asks() -> None:
        with pytest.raises(CircuitBreakerOpen):
            breaker.permit(patient=True)

    _ends_when_woken(clock, asks)


def test_a_request_to_stop_ends_the_wait_for_a_place() -> None:
    clock = SystemClock()
    bulkhead = Bulkhead("servicenow", lambda: 1, clock)

    def asks() -> None:
        with pytest.raises(BulkheadFull, match="asked to stop"), bulkhead.place(Criticality.ROUTINE, "read"):
            pass

    with bulkhead.place(Criticality.ROUTINE, "write"):
        _ends_when_woken(clock, asks)


def _ends_when_woken(clock: SystemClock, asks: Callable[[], None]) -> None:
    done = threading.Event()
    thread = threading.Thread(target=lambda: (asks(), done.set()), daemon=True)
    thread.start()
    clock.wake()
    assert done.wait(30)
