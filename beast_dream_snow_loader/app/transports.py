"""The way to each service: HTTP within retry, breaker, pace and bounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from beast_dream_snow_loader.app.breaker_config import SERVICENOW
from beast_dream_snow_loader.app.breakers import breakers_for
from beast_dream_snow_loader.app.config import Settings
from beast_dream_snow_loader.app.ground import Ground
from beast_dream_snow_loader.app.listening import retry_config
from beast_dream_snow_loader.clock import Clock, SystemClock
from beast_dream_snow_loader.core.events import Listener
from beast_dream_snow_loader.operations.bulkhead import compartments
from beast_dream_snow_loader.operations.circuit_breaker import BreakerRegistry
from beast_dream_snow_loader.operations.healing import Healings
from beast_dream_snow_loader.operations.restraint import Restraints, Width
from beast_dream_snow_loader.operations.retry import RetryPolicy
from beast_dream_snow_loader.servicenow.authentication import authenticating
from beast_dream_snow_loader.state.store import Store
from beast_dream_snow_loader.transport.allowance import Allowance
from beast_dream_snow_loader.transport.bulkheading import Spare
from beast_dream_snow_loader.transport.fencing import Tenure
from beast_dream_snow_loader.transport.http import HttpTransport, ResilientHTTPClient
from beast_dream_snow_loader.transport.observing import RequestMeter
from beast_dream_snow_loader.transport.port import Transport
from beast_dream_snow_loader.transport.reading import Limits
from beast_dream_snow_loader.transport.reading_only import held_back
from beast_dream_snow_loader.transport.stack import Around, read_only
from beast_dream_snow_loader.unifi.cloud import CONNECTED
from beast_dream_snow_loader.unifi.config import ConsoleSettings
from beast_dream_snow_loader.unifi.door import LOGIN
from beast_dream_snow_loader.unifi.source import SITE_MANAGER

UNIFI_COOL_DOWN_SECONDS = 5.0
"""After a first 429 of UniFi without a word (unifi-api 5, gotcha 16)."""
LOGIN_COOL_DOWN_SECONDS = 120.0
"""After a first login that a console did not want without saying for how long: longer than any call may wait, so that
the run goes on with a key, or without that console."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transports:
    """Makes the one resilient transport for each service. ``read_only``: it refuses whatever would change anything; so
    does that of an instance whose ``servicenow.mode`` is read-only. ``spare``: what is asked gives way to runs.

    ``connections`` to UniFi's services are made once, and used for every console behind Site Manager. ``hearing`` may
    put a listener for answers around HTTP itself.
    """

    settings: Settings
    clock: Clock
    listener: Listener
    meter: RequestMeter
    restraints: Restraints
    healings: Healings = field(default_factory=lambda: Healings(SystemClock()))
    breakers: BreakerRegistry = field(default_factory=BreakerRegistry)
    read_only: bool = False
    spare: bool = False
    allowance: Allowance = field(default_factory=Allowance)
    tenure: Tenure = field(default_factory=Tenure)
    connections: dict[str, HttpTransport] = field(default_factory=dict)
    hearing: Callable[[str, Transport], Transport] = lambda _service, http: http

    def servicenow(self) -> Transport:
        """With the best login."""
        mine = self.settings.servicenow
        return self.servicenow_as(lambda inner: authenticating(inner, mine, self.clock, self.listener, self.healings))

    def servicenow_as(self, around: Around = lambda inner: inner) -> Transport:
        """With the login that ``around`` puts on: none without it. Sessions are not shared with other transports."""
        mine = self.settings.servicenow
        http = HttpTransport(
            SERVICENOW,
            connect_timeout=mine.connect_timeout_seconds,
            read_timeout=mine.read_timeout_seconds,
            listener=self.listener,
            clock=self.clock,
        ).healed_by(self.healings)
        stack = self._stack(SERVICENOW, http, Width(most=mine.concurrency), lambda inner: around(self._bounded(inner)))
        if self.read_only:
            return read_only(stack)
        return read_only(stack, held_back) if mine.read_only else stack

    def _bounded(self, inner: Transport) -> Transport:
        return self.allowance.around(self.tenure.around(inner))

    def unifi(self, service: str, console: ConsoleSettings | None) -> Transport:
        """UniFi is only ever read; logging in is a POST that changes nothing there."""
        reached = SITE_MANAGER if service.startswith(CONNECTED) else service
        if reached not in self.connections:
            self.connections[reached] = self._unifi_http(reached, console)
        if reached != service:
            self.restraints.of(reached, self._width(reached))
        return self._stack(service, self.connections[reached], self._width(service))

    def _unifi_http(self, service: str, console: ConsoleSettings | None) -> HttpTransport:
        mine = self.settings.unifi
        own = console.verify_tls if console is not None else None
        return HttpTransport(
            service,
            verify=mine.verify_tls if own is None else own,
            connect_timeout=mine.connect_timeout_seconds,
            read_timeout=mine.read_timeout_seconds,
            limits=Limits(total_seconds=max(Limits().total_seconds, mine.read_timeout_seconds)),
            listener=self.listener,
            clock=self.clock,
        ).healed_by(self.healings)

    def _width(self, service: str) -> Width:
        """Site Manager bears more than a console; both are long in forgiving (unifi-api 5, gotcha 16), and a login
        is never tried twice in a run."""
        mine = self.settings.unifi
        if service.endswith(LOGIN):
            return Width(most=1, start=1, first_cool_down=LOGIN_COOL_DOWN_SECONDS)
        if service == SITE_MANAGER:
            most = mine.site_manager_concurrency
            return Width(most=most, start=max(1, most // 2), first_cool_down=UNIFI_COOL_DOWN_SECONDS)
        within = SITE_MANAGER if service.startswith(CONNECTED) else ""
        return Width(most=mine.console_concurrency, first_cool_down=UNIFI_COOL_DOWN_SECONDS, within=within)

    def _stack(
        self, service: str, http: HttpTransport, width: Width, around: Around = lambda inner: inner
    ) -> Transport:
        retry = retry_config(self.settings)
        stack = ResilientHTTPClient(
            service,
            http=self.hearing(service, http),
            policy=RetryPolicy(
                max_attempts=retry.max_attempts,
                base_delay_seconds=retry.base_delay_seconds,
                max_delay_seconds=retry.max_delay_seconds,
                exponential_base=retry.exponential_base,
                jitter=retry.jitter,
                deadline_seconds=self.settings.servicenow.total_timeout_seconds,
            ),
            breakers=breakers_for(service, self.breakers),
            listener=self.listener,
            clock=self.clock,
            meter=self.meter,
            around=around,
            restraint=self.restraints.of(service, width),
        )
        return Spare(stack) if self.spare else stack


def restraints(ground: Ground, store: Store | None = None) -> Restraints:
    """What keeps us from asking too much, shared with every process on the same state; None: with nobody."""
    mine = ground.settings.bulkhead
    shared = store.pacing(ground.target) if store is not None else None
    kinds = compartments(mine.queue, mine.wait_seconds)
    return Restraints(ground.clock, tokens=shared, pace=shared, kinds=kinds)
