"""The one place where the neighbours are put together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from beast_dream_snow_loader.app.auditing import prepare
from beast_dream_snow_loader.app.breakers import breakers_of
from beast_dream_snow_loader.app.config import Settings
from beast_dream_snow_loader.app.ground import Ground
from beast_dream_snow_loader.app.healed import healed_lately
from beast_dream_snow_loader.app.kept_sessions import KeptSessions
from beast_dream_snow_loader.app.listening import Heard
from beast_dream_snow_loader.app.logins import require_logins
from beast_dream_snow_loader.app.places import state_directory
from beast_dream_snow_loader.app.transports import Transports, restraints
from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.core.events import Listener
from beast_dream_snow_loader.core.mapping_rules import MappingRules
from beast_dream_snow_loader.dispatch.inline import spread
from beast_dream_snow_loader.operations.healing import Healings
from beast_dream_snow_loader.pipeline.world import World
from beast_dream_snow_loader.servicenow.client import ServiceNowAPIClient
from beast_dream_snow_loader.state.store import Store
from beast_dream_snow_loader.transport.allowance import Allowance
from beast_dream_snow_loader.transport.fencing import Tenure
from beast_dream_snow_loader.transport.observing import RequestMeter
from beast_dream_snow_loader.unifi.session import NoSessions, Sessions
from beast_dream_snow_loader.unifi.source import UniFiSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """Both ends and the state, ready to work."""

    world: World
    meter: RequestMeter
    healings: Healings
    tenure: Tenure = field(default_factory=Tenure)
    waited: int = 0
    """Writes that were in the queue before."""
    heard: Heard = field(default_factory=Heard)


def wire(
    ground: Ground,
    store: Store,
    listener: Listener,
    *,
    dry_run: bool = False,
    spare: bool = False,
    stopping: Callable[[], bool] = lambda: False,
    max_requests: int | None = None,
) -> Wiring:
    """Transports, clients and state as one world. ``max_requests`` limits what is sent to ServiceNow; ``spare``: what
    is asked gives way to runs.

    Raises ConfigurationError when a login is missing, a secret does not resolve or audit.head_file cannot be written.
    """
    breakers = breakers_of(ground.settings, ground.clock, listener, store)
    settings = ground.credentials.with_secrets(require_logins(ground.settings), listener)
    if not dry_run:
        prepare(ground, listener)
    making = Transports(
        settings=settings,
        clock=ground.clock,
        listener=listener,
        meter=RequestMeter(),
        restraints=restraints(ground, store),
        healings=Healings(ground.clock, listener, lambda: healed_lately(store, ground.clock)),
        breakers=breakers,
        read_only=dry_run,
        spare=spare,
        allowance=Allowance(max_requests, listener),
    )
    world = _world(making, ground, store, stopping)
    return Wiring(
        world=world,
        meter=making.meter,
        healings=making.healings,
        tenure=making.tenure,
        waited=store.journal.pending()["later"],
    )


def _world(making: Transports, ground: Ground, store: Store, stopping: Callable[[], bool]) -> World:
    settings, clock, listener = making.settings, making.clock, making.listener
    adapters = mapping_rules(settings).write_adapters
    return World(
        source=UniFiSource(settings.unifi, making.unifi, clock, listener, sessions_of(settings, clock)),
        cmdb=ServiceNowAPIClient(settings.servicenow, making.servicenow(), clock, listener, write_adapters=adapters),
        journal=store.journal,
        audit=store.audit.trail(None, ground.target),
        ledger=store.ledger,
        memory=store.memory,
        clock=clock,
        listener=listener,
        spread=spread,
        stopping=stopping,
        healings=making.healings,
    )


def sessions_of(settings: Settings, clock: Clock) -> Sessions:
    """Where sessions of consoles are kept from one command to the next."""
    if not settings.unifi.keep_sessions:
        return NoSessions()
    return KeptSessions(state_directory(settings) / "sessions", clock)


def mapping_rules(settings: Settings) -> MappingRules:
    """The tables with the operator's overrides. ConfigurationError lists everything that is wrong with them."""
    return replace(
        MappingRules().override(settings.mapping),
        clients_mode=settings.clients.mode,
        client_minimum_days=settings.clients.minimum_days,
        offline_nonoperational_days=settings.retire.offline_nonoperational_days,
    )
