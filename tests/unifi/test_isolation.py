"""One sick console and the others, measured over real HTTP (X6)."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Sequence

import pytest

from beast_dream_snow_loader.app.config import Settings
from beast_dream_snow_loader.app.transports import Transports
from beast_dream_snow_loader.clock import SystemClock
from beast_dream_snow_loader.core.events import ignore
from beast_dream_snow_loader.operations.config import Environment
from beast_dream_snow_loader.operations.restraint import Restraints
from beast_dream_snow_loader.sandbox.estate import Estate, Shape
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from beast_dream_snow_loader.transport.messages import Request, Response
from beast_dream_snow_loader.transport.observing import RequestMeter
from beast_dream_snow_loader.transport.port import Transport
from beast_dream_snow_loader.unifi.config import ConsoleSettings
from beast_dream_snow_loader.unifi.source import UniFiSource

from .conftest import Opening, Town, by_key

CONSOLES = 12
SICK = 10
"""More than a pool of eight threads for all would have had."""


class Watched:
    """When the last answer of each console came."""

    def __init__(self, made: Transports) -> None:
        self.made, self.last = made, dict[str, float]()

    def __call__(self, service: str, console: ConsoleSettings | None) -> Transport:
        inner, last = self.made.unifi(service, console), self.last

        class Noting:
            def send(self, request: Request) -> Response:
                response = inner.send(request)
                last[service] = time.monotonic()
                return response

        return Noting()


def seconds_of_the_well(there: Town, sick: Sequence[str]) -> float:
    """Until the last console that is well was read."""
    clock = SystemClock()
    consoles = [by_key(server) for server in there.consoles.values()]
    unifi = {"consoles": consoles, "read_timeout_seconds": 2}
    settings = Settings(environment=Environment.TESTING, unifi=unifi)  # type: ignore[arg-type]
    watched = Watched(
        Transports(settings=settings, clock=clock, listener=ignore, meter=RequestMeter(), restraints=Restraints(clock))
    )
    began = time.monotonic()
    UniFiSource(settings.unifi, watched, clock).read()
    return max(at for service, at in watched.last.items() if service.partition(":")[2] not in sick) - began


@pytest.mark.bench
def test_consoles_that_do_not_answer_do_not_slow_those_that_do(town: Opening) -> None:
    there = town(Estate.of(Shape(seed=3, sites=CONSOLES, devices=240, consoles=CONSOLES)))
    servers = list(there.consoles.values())
    sick = [server.url.removeprefix("http://") for server in servers[:SICK]]
    seconds_of_the_well(there, sick)
    well = statistics.median(seconds_of_the_well(there, sick) for _ in range(5))
    for server in servers[:SICK]:
        server.faults.add(Fault(effect=Effect.HANG, seconds=5))
    beside = statistics.median(seconds_of_the_well(there, sick) for _ in range(3))
    figure = f"{CONSOLES - SICK} consoles: {well:.2f} s with all well, {beside:.2f} s beside {SICK} that hang"
    sys.stdout.write(f"\n{figure}\n")
    assert beside <= well * 1.1 + 0.1, figure
