"""The order in which resilience is wrapped around one call, fixed here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable

from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.core.events import Listener, ignore
from beast_dream_snow_loader.operations.circuit_breaker import CircuitBreaker
from beast_dream_snow_loader.operations.retry import RetryPolicy
from beast_dream_snow_loader.transport.base import Transport
from beast_dream_snow_loader.transport.breaking import Breaking
from beast_dream_snow_loader.transport.observing import Observing, RequestMeter
from beast_dream_snow_loader.transport.reading_only import ReadingOnly, Refusal, dry_run
from beast_dream_snow_loader.transport.retrying import Retrying

Around = Callable[[Transport], Transport]


def build_stack(
    http: Transport,
    *,
    policy: RetryPolicy,
    breaker: CircuitBreaker,
    meter: RequestMeter,
    clock: Clock,
    listener: Listener = ignore,
    around: Around = lambda transport: transport,
) -> Transport:
    """retrying(breaking(around(observing(http)))): ``around`` is where a neighbour puts its login on."""
    observed = Observing(http, breaker.name, meter, listener)
    return Retrying(Breaking(around(observed), breaker), breaker.name, policy, meter, clock)


def read_only(transport: Transport, refusal: Refusal = dry_run) -> Transport:
    """The same, refusing whatever writes with the error that ``refusal`` makes."""
    return ReadingOnly(transport, refusal)
