"""The order in which resilience is wrapped around one call, fixed here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable

from beast_dream_snow_loader.core.events import Listener, ignore
from beast_dream_snow_loader.operations.circuit_breaker import CircuitBreaker
from beast_dream_snow_loader.operations.restraint import Restraint
from beast_dream_snow_loader.operations.retry import RetryPolicy
from beast_dream_snow_loader.transport.breaking import Breakers, Breaking
from beast_dream_snow_loader.transport.bulkheading import Bulkheading
from beast_dream_snow_loader.transport.observing import Observing, RequestMeter
from beast_dream_snow_loader.transport.pacing import Pacing
from beast_dream_snow_loader.transport.port import Transport
from beast_dream_snow_loader.transport.reading_only import ReadingOnly, Refusal, dry_run
from beast_dream_snow_loader.transport.retrying import Retrying

Around = Callable[[Transport], Transport]


def build_stack(
    http: Transport,
    *,
    policy: RetryPolicy,
    breaker: CircuitBreaker | Breakers,
    meter: RequestMeter,
    restraint: Restraint,
    listener: Listener = ignore,
    around: Around = lambda transport: transport,
) -> Transport:
    """retrying(bulkheading(breaking(pacing(around(observing(http)))))).

    Whoever waits for the service waits outermost, holding no place; whoever waits for a place is no slowness of the
    service for the breaker; a service that is left alone is not asked whether it is time. ``around`` is where a
    neighbour puts its login on: what the login itself sends is observed like the rest.
    """
    breakers = breaker if isinstance(breaker, Breakers) else Breakers(breaker)
    clock, bulkhead = restraint.clock, restraint.bulkhead
    observed = Observing(http, breakers.name, meter, clock, listener)
    paced = Pacing(around(observed), restraint.governor, clock, lambda: bulkhead.full)
    placed = Bulkheading(Breaking(paced, breakers), bulkhead, meter)
    return Retrying(placed, policy, restraint, meter, listener)


def read_only(transport: Transport, refusal: Refusal = dry_run) -> Transport:
    """The same, refusing whatever writes with the error that ``refusal`` makes."""
    return ReadingOnly(transport, refusal)
