"""UniFi: Site Manager and each console of ours, one source at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from beast_dream_snow_loader.app.breaker_config import UNIFI
from beast_dream_snow_loader.app.health.end_checks import certificate, logins, resolved
from beast_dream_snow_loader.app.health.names import certificate_of
from beast_dream_snow_loader.app.health.sight import Sight, folded, ill, well
from beast_dream_snow_loader.app.logins import unifi_problems
from beast_dream_snow_loader.app.wiring import sessions_of
from beast_dream_snow_loader.core.check_graph import named
from beast_dream_snow_loader.core.checkup import Check
from beast_dream_snow_loader.core.shown import shown
from beast_dream_snow_loader.errors import NotAuthenticated, NotAuthorised, SnowloadError
from beast_dream_snow_loader.operations.health import HealthCheck
from beast_dream_snow_loader.unifi import examining
from beast_dream_snow_loader.unifi.apis import site_manager
from beast_dream_snow_loader.unifi.apis.fields import objects
from beast_dream_snow_loader.unifi.client import Endpoint
from beast_dream_snow_loader.unifi.cloud import SITE_MANAGER, cloud_endpoint
from beast_dream_snow_loader.unifi.config import ConsoleSettings, UniFiSettings
from beast_dream_snow_loader.unifi.door import address, knock
from beast_dream_snow_loader.unifi.views import HostView

_NAMED = 20
"""Hosts by name, at most: the details are read by people."""


@dataclass(slots=True, kw_only=True)
class Source:
    """``console`` None: Site Manager; else the so-manieth of the settings (``place``). What a check learns, those that
    stand on it use: the settings with their secrets, whether the one question was refused, the hosts it named."""

    sight: Sight
    console: ConsoleSettings | None = None
    place: int = 0
    _unifi: UniFiSettings | None = None
    _console: ConsoleSettings | None = None
    _refused: SnowloadError | None = None
    _hosts: tuple[HostView, ...] = ()

    @property
    def subject(self) -> str:
        return address(self.console) if self.console is not None else "site-manager"

    @property
    def service(self) -> str:
        return f"unifi:{self.subject}" if self.console is not None else SITE_MANAGER

    def credentials(self) -> HealthCheck:
        """Its secrets, read from where they are kept. Raises ConfigurationError for one that does not resolve."""
        settings = self.sight.settings.unifi
        if self.console is None:
            self._unifi, odd = resolved(self.sight, settings, "unifi")
            return logins(self.sight, {"api_key": self._unifi.api_key}, "an API key", odd)
        alone = settings.model_copy(update={"consoles": (self.console,), "api_key": None})
        if problems := unifi_problems(alone):
            return ill("; ".join(problems))
        self._unifi = settings
        self._console, odd = resolved(self.sight, self.console, f"unifi.consoles.{self.place}")
        ways = ("an account", self._console.username), ("an API key", self._console.api_key)
        named = " and ".join(name for name, there in ways if there)
        return logins(self.sight, {"api_key": self._console.api_key}, named, odd)

    def answers(self) -> HealthCheck:
        """One cheap question with the login. A refusal is an answer: it is told by :meth:`authentication`."""
        alone = self.sight.left_alone(self.service)
        if alone is not None:
            return alone
        try:
            self._ask()
        except (NotAuthenticated, NotAuthorised) as error:
            self._refused = error
        took = self.sight.ends.answers.milliseconds.get(self.service, [])
        return well("answers", longest_ms=round(max(took, default=0.0), 1), answers=len(took))

    def authentication(self) -> HealthCheck:
        if self._refused is not None:
            raise self._refused
        return well("the login is accepted")

    def certificate(self) -> HealthCheck:
        mine = self.sight.settings.unifi
        own = self.console.verify_tls if self.console is not None else None
        url = self.console.url if self.console is not None else mine.site_manager_url
        verify = mine.verify_tls if own is None else own
        name = named(certificate_of(UNIFI), self.subject)
        return certificate(self.sight, name, self.service, url, verify, mine.connect_timeout_seconds)

    def hosts(self) -> HealthCheck:
        """The consoles that Site Manager knows, each as it is there. One that is offline is told by its devices in the
        CMDB, and is no trouble of ours."""
        states = {shown(host.name or host.host_id[:12], 60): _state(host) for host in self._hosts}
        counts = Counter(states.values())
        told = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
        return well(told or "the key shows no console", hosts=dict(list(states.items())[:_NAMED]), **counts)

    def read(self) -> HealthCheck:
        """A page of everything there is, with each login there is, and every console behind the connector."""
        return folded(self._examined(), "everything that is read can be read")

    def _examined(self) -> Iterator[Check]:
        sources = self.sight.ends.sources(self._resolved)
        if self._console is not None:
            yield from examining.console(sources, self._console)
            return
        cloud = self._cloud()
        yield from examining.site_manager_key(sources, cloud)
        if self._resolved.use_connector:
            yield from examining.connector(sources, cloud)

    def _ask(self) -> None:
        if self._console is not None:
            sessions = sessions_of(self.sight.settings, self.sight.here.clock)
            knock(self._console, self.sight.ends.transports().unifi, sessions)
            return
        page = self._cloud().json(site_manager.HOSTS)
        self._hosts = tuple(host for host in map(site_manager.host, objects(page.get("data"))) if host is not None)

    def _cloud(self) -> Endpoint:
        cloud = cloud_endpoint(self._resolved, self.sight.ends.transports().unifi)
        assert cloud is not None  # there is a key
        return cloud

    @property
    def _resolved(self) -> UniFiSettings:
        assert self._unifi is not None  # the secrets were read: these checks stand on it
        return self._unifi


def sources(sight: Sight) -> Iterator[Source]:
    """Every source that is configured."""
    settings = sight.settings.unifi
    if settings.api_key is not None:
        yield Source(sight=sight)
    for place, console in enumerate(settings.consoles):
        yield Source(sight=sight, console=console, place=place)


def _state(host: HostView) -> str:
    return "blocked" if host.blocked else "online" if host.online else "offline"
