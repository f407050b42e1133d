"""The whole sandbox: Site Manager, a server per console and a ServiceNow, all on loopback, with the way to them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Protocol

from beast_dream_snow_loader.sandbox.certificate import Certificate, self_signed
from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.estate.things import Flavour
from beast_dream_snow_loader.sandbox.messages import Application
from beast_dream_snow_loader.sandbox.request_log import RequestLog
from beast_dream_snow_loader.sandbox.serving import Server
from beast_dream_snow_loader.sandbox.unifi.access import AccessRules
from beast_dream_snow_loader.sandbox.unifi.assembly import CLOUD_KEY, CONSOLE_RULES, console_apps, site_manager_app
from beast_dream_snow_loader.sandbox.unifi.estate_control import Controlled, EstateControl
from beast_dream_snow_loader.sandbox.unifi.recorded import RecordedApp

SITE_MANAGER, SERVICENOW = "site-manager", "servicenow"


class Closable(Protocol):
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What a client needs for one console besides its address: an API key, or a user name and password."""

    api_key: str = ""
    username: str = ""
    password: str = ""

    def settings(self) -> dict[str, str]:
        given = {"api_key": self.api_key, "username": self.username, "password": self.password}
        return {name: value for name, value in given.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A ServiceNow user."""

    username: str = ""
    password: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleServer:
    server: Server
    login: Login


@dataclass(slots=True, kw_only=True)
class Sandbox:
    """Servers that belong together. Make one with :meth:`create`; :meth:`start` binds the ports.

    ``servers`` are all of them by name (``site-manager``, ``servicenow``, ``console-1`` …): each has its
    ``.faults``; ``log`` is shared by all.
    """

    site_manager: Server
    consoles: Sequence[ConsoleServer]
    servicenow: Server
    account: Account
    log: RequestLog
    site_manager_key: str = CLOUD_KEY
    estate: Estate | None = None
    closes: Closable | None = field(default=None, repr=False)

    @classmethod
    def create(
        cls,
        *,
        estate: Estate | None = None,
        recorded: Path | None = None,
        servicenow: Application | None = None,
        servicenow_file: Path | None = None,
        port: int = 0,
        tls: bool = False,
    ) -> Sandbox:
        """Nothing listens yet.

        ``recorded`` serves that directory of saved UniFi payloads in place of ``estate`` (default: the demo).
        ``servicenow`` is the application to serve; without one an instance with some data of others in it is made,
        kept in ``servicenow_file`` if given. ``port`` is the first of the consecutive ports to use: Site Manager,
        ServiceNow, then the consoles; 0 takes any free ones. ``tls`` gives the consoles self-signed certificates.
        """
        ports = _Ports(port)
        log = RequestLog()
        closes: Closable | None = None
        if servicenow is None:
            servicenow, closes = _instance(servicenow_file)
        certificate = self_signed() if tls else None
        here = None if recorded else (estate or Estate.demo())
        cloud, consoles = _recorded(recorded, ports, log) if recorded else _living(here, ports, log, certificate)
        return cls(
            site_manager=cloud,
            servicenow=Server(servicenow, port=ports.at(1), log=log, name=SERVICENOW),
            consoles=consoles,
            account=_account() if closes else Account(),
            log=log,
            site_manager_key=CONSOLE_RULES.api_key if recorded else CLOUD_KEY,
            estate=here,
            closes=closes,
        )

    @property
    def servers(self) -> Mapping[str, Server]:
        every = (self.site_manager, self.servicenow, *(console.server for console in self.consoles))
        return {server.name: server for server in every}

    def start(self) -> Sandbox:
        """OSError when a fixed port is taken; nothing is left listening then."""
        try:
            for server in self.servers.values():
                server.start()
        except OSError:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        for server in self.servers.values():
            server.stop()
        if self.closes:
            self.closes.close()

    def settings(self) -> dict[str, dict[str, object]]:
        """The settings that lead to it, by section."""
        return {
            "servicenow": {
                "instance": self.servicenow.url,
                "username": self.account.username,
                "password": self.account.password,
            },
            "unifi": {
                "site_manager_url": self.site_manager.url,
                "api_key": self.site_manager_key,
                "consoles": [_console_settings(console) for console in self.consoles],
            },
        }

    def environment(self) -> dict[str, str]:
        """The same as the variables a user would export."""
        return {
            "SERVICENOW_INSTANCE": self.servicenow.url,
            "SERVICENOW_USERNAME": self.account.username,
            "SERVICENOW_PASSWORD": self.account.password,
            "UNIFI_SITE_MANAGER_URL": self.site_manager.url,
            "UNIFI_API_KEY": self.site_manager_key,
            "SNOWLOAD_UNIFI__CONSOLES": json.dumps([_console_settings(console) for console in self.consoles]),
        }

    def __enter__(self) -> Sandbox:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


@dataclass(frozen=True, slots=True)
class _Ports:
    first: int

    def at(self, place: int) -> int:
        return self.first + place if self.first else 0


def _console_settings(console: ConsoleServer) -> dict[str, str]:
    tls = console.server.tls
    pinned = {"verify_tls": f"fingerprint:{tls.fingerprint}"} if tls else {}
    return {"url": console.server.url, **console.login.settings(), **pinned}


def _living(
    estate: Estate | None, ports: _Ports, log: RequestLog, certificate: Certificate | None
) -> tuple[Server, list[ConsoleServer]]:
    estate = estate or Estate.demo()
    apps, control = console_apps(estate), EstateControl(estate)
    cloud = Controlled(site_manager_app(estate, apps), control)
    consoles = [
        ConsoleServer(
            server=Server(
                Controlled(app, control),
                port=ports.at(2 + place),
                log=log,
                tls=certificate,
                name=f"console-{place + 1}",
            ),
            login=_login(app.access.rules, classic=app.access.flavour is Flavour.CLASSIC, place=place),
        )
        for place, app in enumerate(apps.values())
    ]
    return Server(cloud, port=ports.at(0), log=log, name=SITE_MANAGER), consoles


def _login(rules: AccessRules, *, classic: bool, place: int) -> Login:
    """Every other console by session instead of by key, so that both ways are walked; classic ones know no key."""
    if classic or place % 2:
        return Login(username=rules.username, password=rules.password)
    return Login(api_key=rules.api_key)


def _recorded(directory: Path, ports: _Ports, log: RequestLog) -> tuple[Server, list[ConsoleServer]]:
    """Cloud and console on one address each, over the same files."""
    app = RecordedApp(directory, rules=CONSOLE_RULES)
    cloud = Server(app, port=ports.at(0), log=log, name=SITE_MANAGER)
    console = Server(app, port=ports.at(2), log=log, name="console-1")
    return cloud, [ConsoleServer(server=console, login=Login(api_key=CONSOLE_RULES.api_key))]


def _instance(path: Path | None) -> tuple[Application, Closable]:
    from beast_dream_snow_loader.sandbox.servicenow.app import ServiceNowApp

    app = ServiceNowApp.create(path)
    app.seed_demo()
    return app, app


def _account() -> Account:
    from beast_dream_snow_loader.sandbox.servicenow.app import DEMO_USER

    return Account(username=DEMO_USER.user_name, password=DEMO_USER.password)
