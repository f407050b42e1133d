"""The breakers of a command: one per dependency, as the settings say, knowing what other processes found out."""

from __future__ import annotations

from collections.abc import Iterable

from beast_dream_snow_loader.app.breaker_config import DATABASE, SERVICENOW
from beast_dream_snow_loader.app.config import Settings
from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.core.events import BreakerChanged, Event, FindingRaised, Listener, TroubleMet
from beast_dream_snow_loader.core.remarks import left_alone
from beast_dream_snow_loader.errors import CircuitBreakerOpen
from beast_dream_snow_loader.operations.breaker_memory import BreakerMemory
from beast_dream_snow_loader.operations.circuit_breaker import BreakerRegistry, CircuitBreaker, CircuitState, install
from beast_dream_snow_loader.operations.guarded_memory import GuardedMemory
from beast_dream_snow_loader.servicenow.families import family_of
from beast_dream_snow_loader.state.store import Store
from beast_dream_snow_loader.transport.breaking import Breakers
from beast_dream_snow_loader.unifi.cloud import CONNECTED, SITE_MANAGER
from beast_dream_snow_loader.unifi.door import LOGIN

_BY_ITSELF = "It is tried again by itself. See: snowload breakers list"


def breakers_of(settings: Settings, clock: Clock, listener: Listener, store: Store | None = None) -> BreakerRegistry:
    """From now on the breakers of this process. Without a ``store`` they know only what happens here."""
    if store is None:
        return install(registry_of(settings, clock, listener))
    memory, database = shared_memory(settings, clock, listener, store)
    return install(registry_of(settings, clock, listener, memory, (database,)))


def registry_of(
    settings: Settings,
    clock: Clock,
    listener: Listener,
    memory: BreakerMemory | None = None,
    own: Iterable[CircuitBreaker] = (),
) -> BreakerRegistry:
    """Breakers as the settings say, apart from those of this process. ``own`` are there already."""
    policy_of = settings.circuit_breaker.policy_of
    return BreakerRegistry(policy_of, memory=memory, listener=_telling(listener), clock=clock, own=own)


def shared_memory(
    settings: Settings, clock: Clock, listener: Listener, store: Store
) -> tuple[BreakerMemory, CircuitBreaker]:
    """What all processes know, which never raises, and the breaker that sees to that."""
    policy = settings.circuit_breaker.policy_of(DATABASE)
    database = CircuitBreaker.of(policy, name=DATABASE, clock=clock, listener=_telling(listener))
    return GuardedMemory(store.breakers, database), database


def _telling(listener: Listener) -> Listener:
    """An opening is a finding too: who reads the report should know why so much waits."""

    def told(event: Event) -> None:
        listener(event)
        if isinstance(event, BreakerChanged) and event.after == CircuitState.OPEN.value:
            finding = left_alone(event)
            listener(FindingRaised(finding=finding))
            listener(TroubleMet(step="", error=CircuitBreakerOpen(finding.message, next_step=_next_step(event))))

    return told


def _next_step(opened: BreakerChanged) -> str:
    """What a person set aside without a time is never tried again by itself."""
    if not opened.by_hand:
        return _BY_ITSELF
    if opened.seconds is None:
        return f"Once it may be asked again: snowload breakers reset {opened.name}"
    return f"It is tried again in {opened.seconds:.0f} s; sooner with: snowload breakers reset {opened.name}"


def breakers_for(service: str, registry: BreakerRegistry) -> Breakers:
    """Those that a transport's requests go through.

    A console's login fails and is left alone together with it. One behind Site Manager has its own, and is left alone
    too when Site Manager cannot be reached.
    """
    name = breaker_name(service)
    if service == SERVICENOW:
        return Breakers(registry.get(service), lambda request: registry.get(f"{service}.{family_of(request)}"))
    if service.startswith(CONNECTED):
        console = registry.get(name)
        return Breakers(registry.get(SITE_MANAGER), lambda _request: console, service)
    return Breakers(registry.get(name), service=service)


def breaker_name(service: str) -> str:
    """The breaker under which people know a service: a console's login has none of its own."""
    if service.startswith(CONNECTED):
        return f"unifi:connector/{service.removeprefix(CONNECTED)}"
    return service.removesuffix(LOGIN)
