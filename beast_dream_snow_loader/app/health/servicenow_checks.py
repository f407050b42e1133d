"""ServiceNow: does it answer, does it let us in, what may we do there, how much may we ask, how soon does it answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from beast_dream_snow_loader.app import judging
from beast_dream_snow_loader.app.breaker_config import SERVICENOW
from beast_dream_snow_loader.app.health.end_checks import certificate, logins, resolved
from beast_dream_snow_loader.app.health.names import certificate_of, rights_of
from beast_dream_snow_loader.app.health.sight import Sight, folded, ill, poor, well
from beast_dream_snow_loader.app.logins import servicenow_methods, servicenow_problems
from beast_dream_snow_loader.clock import rfc3339
from beast_dream_snow_loader.core.checkup import Check, CheckStatus
from beast_dream_snow_loader.core.shown import shown
from beast_dream_snow_loader.errors import NotAuthenticated, NotAuthorised, SnowloadError
from beast_dream_snow_loader.operations.health import HealthCheck, HealthMonitor
from beast_dream_snow_loader.operations.pace import how_long
from beast_dream_snow_loader.servicenow.client import ServiceNowAPIClient
from beast_dream_snow_loader.servicenow.config import ServiceNowSettings
from beast_dream_snow_loader.servicenow.examining import access, engine
from beast_dream_snow_loader.servicenow.examining.instance import Instance

_LEFT_PERCENT = 100.0


@dataclass(slots=True, kw_only=True)
class ServiceNow:
    """One instance. What a check learns, those that stand on it use: its settings with their secrets, and whether the
    one question that every look asks was refused."""

    sight: Sight
    _settings: ServiceNowSettings | None = None
    _instance: Instance | None = None
    _refused: SnowloadError | None = None

    def credentials(self, monitor: HealthMonitor) -> HealthCheck:
        """The logins there are, read from where they are kept. Raises ConfigurationError for one that does not
        resolve."""
        mine, credentials = self.sight.settings.servicenow, self.sight.here.credentials
        if problems := servicenow_problems(mine):
            return ill("; ".join(problems))
        ways = monitor.check_credential_availability(servicenow_methods(mine)).message
        self._settings, odd = resolved(self.sight, mine, "servicenow")
        if credentials.in_1password:
            command = credentials.resolver.one_password
            why = command.unusable() or command.warning()
            odd += [why] if why else []
            ways = ways if why else f"{ways}; secrets from 1Password as {command.account()}"
        tokens = {"oauth_token": self._settings.oauth_token, "api_key": self._settings.api_key}
        return logins(self.sight, tokens, ways, odd)

    def ping(self) -> None:
        """One small read with the login. A refusal is an answer: it is told by :meth:`authentication`."""
        settings = self._resolved
        self._instance = self.sight.ends.instance(settings)
        try:
            ServiceNowAPIClient(settings, self._instance.transport, self.sight.here.clock).ping()
        except (NotAuthenticated, NotAuthorised) as error:
            self._refused = error

    def authentication(self) -> HealthCheck:
        if isinstance(self._refused, NotAuthenticated):
            raise self._refused
        return well("the login is accepted")

    def certificate(self) -> HealthCheck:
        mine = self._resolved
        name = certificate_of(SERVICENOW)
        return certificate(self.sight, name, SERVICENOW, mine.instance, True, mine.connect_timeout_seconds)

    def rights(self) -> HealthCheck:
        """Which tables of those that a load reads the account may read."""
        if self._refused is not None:
            raise self._refused
        account = (self._resolved.instance, self._resolved.username, servicenow_methods(self._resolved))

        def look() -> HealthCheck:
            return folded(access.tables(self.instance), f"{len(access.NEEDED)} tables are readable")

        return self.sight.well_lately(rights_of(SERVICENOW), account, look)

    def engine(self) -> HealthCheck:
        """What the last load found: a look that asks the engine itself is :meth:`simulation`."""
        facts = self.sight.state.memory.facts(self.sight.here.target) if self.sight.store is not None else None
        if facts is None:
            return well("no load has asked it yet: snowload health --deep does")
        at = rfc3339(facts.read_at)
        if facts.unregistered:
            source = shown(facts.unregistered, 60)
            return ill(f"the discovery source {source} was no choice of the instance at {at}: snowload doctor")
        if not facts.engine:
            return poor(f"closed to this account at {at}, so CIs go to the base class: snowload doctor")
        return well(f"open to this account at {at}")

    def simulation(self) -> HealthCheck:
        """One made-up device, without a commit; whether our source and our keys are known to the engine."""
        return folded(self._simulated(), "takes simulations, knows our source, looks at native keys")

    def _simulated(self) -> Iterator[Check]:
        first = engine.engine(self.instance)
        yield first
        if self.instance.simulated is not None:
            yield engine.discovery_source(self.instance)
            yield engine.native_keys(self.instance)
            yield from engine.identified(self.instance)

    def interfaces(self) -> HealthCheck:
        """The class definitions, and the interface through which edges to existing CIs go."""
        lines = chain((access.meta(self.instance),), (access.instance_api(self.instance),))
        return folded(lines, "class definitions and the CMDB Instance API are open")

    def quota(self) -> HealthCheck:
        """What rules of the instance leave us this hour, by its answers and by what our processes have shared out."""
        heard, store, target = self.sight.ends.answers, self.sight.store, self.sight.here.target
        pacing = store.pacing(target) if store is not None else None
        waits = pacing.cool_down(SERVICENOW) if pacing is not None else None
        if waits is not None and waits.seconds > 0:
            told = how_long(waits.seconds, self.sight.here.clock.now())
            return poor(f"left alone for {told}: snowload breakers list", cool_down_seconds=round(waits.seconds, 1))
        given = pacing.used(SERVICENOW) if pacing is not None else {}
        used = judging.used_percent(heard.quotas, given)
        if not used:
            return well("no rule limits us")
        rule, percent = max(used.items(), key=lambda one: one[1])
        limit = heard.quotas[rule][0]
        told = f"{percent:.0f} % of {limit} requests an hour are used, as far as our processes share it out"
        details = {"used_percent": percent}
        details |= {"limit": limit, "left": round(limit * (_LEFT_PERCENT - percent) / 100)}
        if judging.quota(percent, self.sight.settings.health) is CheckStatus.WARN:
            return poor(f"{told}: load less often, or have the rule in sys_rate_limit_rules raised", **details)
        return well(told, **details)

    @property
    def instance(self) -> Instance:
        assert self._instance is not None  # the question was asked: these checks stand on it
        return self._instance

    @property
    def _resolved(self) -> ServiceNowSettings:
        assert self._settings is not None  # the secrets were read: these checks stand on it
        return self._settings
