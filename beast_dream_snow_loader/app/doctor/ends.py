"""Both ends as the exams see them: transports that refuse writes, and what their answers' headers said."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from beast_dream_snow_loader.app.breakers import breakers_of
from beast_dream_snow_loader.app.ground import Ground
from beast_dream_snow_loader.app.transports import Transports, restraints
from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.core.events import Listener
from beast_dream_snow_loader.core.mapping_rules import MappingRules
from beast_dream_snow_loader.operations.circuit_breaker import BreakerRegistry
from beast_dream_snow_loader.operations.governor import RATE_LIMIT, rate_limit
from beast_dream_snow_loader.operations.healing import Healings
from beast_dream_snow_loader.operations.restraint import Restraints
from beast_dream_snow_loader.servicenow.authentication import by_one
from beast_dream_snow_loader.servicenow.config import ServiceNowSettings
from beast_dream_snow_loader.servicenow.examining.instance import Instance, Way
from beast_dream_snow_loader.servicenow.logins import Login, logins
from beast_dream_snow_loader.state.store import Store
from beast_dream_snow_loader.transport.messages import Request, Response
from beast_dream_snow_loader.transport.observing import RequestMeter
from beast_dream_snow_loader.transport.port import Transport
from beast_dream_snow_loader.unifi.config import UniFiSettings
from beast_dream_snow_loader.unifi.examining import Sources


@dataclass(slots=True)
class Answers:
    """What answers said beside what was asked, by service: how far its clock is off, which rate limits it names, how
    long each took. Thread-safe."""

    clock: Clock
    skews: dict[str, timedelta] = field(default_factory=dict)
    limits: dict[str, str] = field(default_factory=dict)
    quotas: dict[str, tuple[int, int | None]] = field(default_factory=dict)
    """Requests an hour that a rule allows, and how many are left where the answer said so."""
    milliseconds: dict[str, list[float]] = field(default_factory=dict)
    number: int = 0
    throttled: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, service: str, response: Response) -> None:
        with self._lock:
            self.number += 1
            self.milliseconds.setdefault(service, []).append(response.milliseconds)
            self.throttled += response.status == 429
            self.limits |= {name: value for name, value in response.headers.items() if name.startswith(RATE_LIMIT)}
            if (told := rate_limit(response.headers)) is not None:
                self.quotas[told.rule or "requests"] = (told.limit, told.left)
            moment = _date(response.header("date"))
            if moment is not None:
                self.skews[service] = moment - self.clock.now()


def _date(text: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(text) if text else None
    except ValueError:
        return None


class Noting:
    """Around HTTP itself, so that answers of retries and refused logins are noted too."""

    def __init__(self, inner: Transport, service: str, answers: Answers) -> None:
        self._inner, self._service, self._answers = inner, service, answers

    def send(self, request: Request) -> Response:
        response = self._inner.send(request)
        self._answers.note(self._service, response)
        return response


@dataclass(slots=True, kw_only=True)
class Ends:
    """The breakers are this command's own: who looks for a fault wants to be told what is wrong now. ``beside`` runs
    they are those of every process, as for whoever asks every minute, and what is asked gives way. Cool-downs and
    quotas are those of every process on ``store`` (None where it does not open): they are the service's own word.

    Made end by end: an end whose secrets do not resolve leaves the other one to be looked at."""

    here: Ground
    listener: Listener
    meter: RequestMeter
    answers: Answers
    rules: MappingRules
    store: Store | None = None
    beside: bool = False
    breakers: BreakerRegistry = field(init=False)
    restraints: Restraints = field(init=False)

    def __post_init__(self) -> None:
        self.breakers = breakers_of(
            self.here.settings, self.here.clock, self.listener, self.store if self.beside else None
        )
        self.restraints = restraints(self.here, self.store)

    def transports(self, *, read_only: bool = True) -> Transports:
        return Transports(
            settings=self.here.settings,
            clock=self.here.clock,
            listener=self.listener,
            meter=self.meter,
            restraints=self.restraints,
            healings=Healings(self.here.clock, self.listener),
            breakers=self.breakers,
            read_only=read_only,
            spare=self.beside,
            hearing=lambda service, http: Noting(http, service, self.answers),
        )

    def writing(self, settings: ServiceNowSettings) -> Transport:
        """The one transport that does not refuse a write: for ``--register-source``."""
        return self._to(settings, read_only=False).servicenow()

    def _to(self, settings: ServiceNowSettings, *, read_only: bool = True) -> Transports:
        whole = self.here.settings.model_copy(update={"servicenow": settings})
        return replace(self.transports(read_only=read_only), settings=whole)

    def instance(self, settings: ServiceNowSettings) -> Instance:
        """``settings`` with its secrets resolved."""
        making, clock = self._to(settings), self.here.clock

        def alone(login: Login) -> Way:
            transport = making.servicenow_as(lambda inner: by_one(inner, settings, login))
            return Way(name=login.name, checks=login.checks, transport=transport)

        return Instance(
            settings=settings,
            transport=making.servicenow(),
            bare=making.servicenow_as(),
            ways=tuple(alone(login) for login in logins(settings, clock)),
            clock=clock,
            rules=self.rules,
        )

    def sources(self, settings: UniFiSettings) -> Sources:
        """``settings`` with their secrets resolved."""
        return Sources(settings=settings, transports=self.transports().unifi)
