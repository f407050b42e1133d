"""A UniFi of a test's own on loopback, and a source pointed at it over real HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest

from beast_dream_snow_loader.clock import SystemClock
from beast_dream_snow_loader.core.observed import Client, Device, Snapshot
from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.messages import Application, HttpAnswer, HttpRequest
from beast_dream_snow_loader.sandbox.request_log import RequestLog
from beast_dream_snow_loader.sandbox.serving import Server
from beast_dream_snow_loader.sandbox.unifi.access import AccessRules
from beast_dream_snow_loader.sandbox.unifi.assembly import CLOUD_KEY, CloudOptions, console_apps, site_manager_app
from beast_dream_snow_loader.transport.http import HttpTransport
from beast_dream_snow_loader.transport.port import Transport
from beast_dream_snow_loader.unifi.config import ConsoleSettings, UniFiSettings
from beast_dream_snow_loader.unifi.source import UniFiSource

FIXTURES = Path(__file__).parents[1] / "fixtures" / "unifi"
KEY, USER, PASSWORD = "console-key-1", "reader", "let-me-read"


def rules(**changes: Any) -> AccessRules:
    return AccessRules(**{"api_key": KEY, "username": USER, "password": PASSWORD, **changes})


def by_key(server: Server, key: str = KEY) -> dict[str, Any]:
    return {"url": server.url, "api_key": key}


def by_account(server: Server, password: str = PASSWORD) -> dict[str, Any]:
    return {"url": server.url, "username": USER, "password": password}


def transports(service: str, console: ConsoleSettings | None) -> Transport:
    verify = True if console is None or console.verify_tls is None else console.verify_tls
    return HttpTransport(service, verify=verify, connect_timeout=5, read_timeout=5)


def read(**settings: Any) -> Snapshot:
    """One read with these ``[unifi]`` settings."""
    return source(**settings).read()


def source(**settings: Any) -> UniFiSource:
    return UniFiSource(UniFiSettings.model_validate(settings), transports, SystemClock())


@dataclass
class Town:
    """Site Manager and one server per console of an estate, by console name."""

    estate: Estate
    log: RequestLog
    cloud: Server
    consoles: dict[str, Server]

    def settings(self, **changes: Any) -> dict[str, Any]:
        return {"site_manager_url": self.cloud.url, "api_key": CLOUD_KEY, **changes}

    def asked(self, path_end: str, method: str = "GET") -> int:
        return sum(1 for line in self.log.lines() if line.method == method and line.path.endswith(path_end))


Opening = Callable[..., Town]


@pytest.fixture
def opened() -> Iterator[list[Server]]:
    servers: list[Server] = []
    yield servers
    for server in servers:
        server.stop()


@pytest.fixture
def town(opened: list[Server]) -> Opening:
    def opening(estate: Estate, *, squeezed: bool = False, **access: Any) -> Town:
        log = RequestLog()
        apps = console_apps(estate, rules=rules(**access))
        cloud = Server(site_manager_app(estate, apps, options=CloudOptions(squeezed=squeezed)), log=log, name="cloud")
        consoles = {
            estate.console(host).name: Server(app, log=log, name=estate.console(host).name)
            for host, app in apps.items()
        }
        for server in (cloud, *consoles.values()):
            opened.append(server.start())
        return Town(estate=estate, log=log, cloud=cloud, consoles=consoles)

    return opening


@dataclass
class Script:
    """An application that answers from a table of path → bodies in turn; the last one stays."""

    answers: dict[str, Sequence[object]]
    asked: list[HttpRequest] = field(default_factory=list)

    def answer(self, request: HttpRequest) -> HttpAnswer:
        self.asked.append(request)
        left = self.answers.get(request.path)
        if left is None:
            return HttpAnswer(status=404, body=b"{}")
        now = left[0]
        if len(left) > 1:
            self.answers[request.path] = left[1:]
        if isinstance(now, HttpAnswer):
            return now
        return HttpAnswer(body=now if isinstance(now, bytes) else orjson.dumps(now))


@pytest.fixture
def serve(opened: list[Server]) -> Callable[[Application], Server]:
    def serving(application: Application) -> Server:
        opened.append(Server(application).start())
        return opened[-1]

    return serving


def device(snapshot: Snapshot, mac: str) -> Device:
    return next(d for d in snapshot.devices if d.mac == mac)


def client(snapshot: Snapshot, mac: str) -> Client:
    return next(c for c in snapshot.clients if c.mac == mac)


def fixture_bytes(name: str) -> bytes:
    return (FIXTURES / name).read_bytes()
