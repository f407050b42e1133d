"""A sandbox ServiceNow on a real port, a clock that stands still until told, and a client that hides nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from beast_dream_snow_loader.sandbox.servicenow.app import ServiceNowApp
from beast_dream_snow_loader.sandbox.serving import Server

LOGIN = ("snowload", "snowload-demo")
ADMIN = ("admin", "admin-demo")


class HandClock:
    """Time moves when somebody sleeps or advances it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = datetime(2026, 11, 22, 4, 31, 23, tzinfo=UTC)
        self._elapsed = 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._elapsed

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        with self._lock:
            self._now += timedelta(seconds=seconds)
            self._elapsed += seconds


class Snow:
    """The instance behind its URL: calls as a user would make them, each with a fresh session unless one is given."""

    admin = ADMIN

    def __init__(self, app: ServiceNowApp, url: str, clock: HandClock) -> None:
        self.app = app
        self.url = url
        self.clock = clock

    def call(
        self,
        method: str,
        path: str,
        json: object = None,
        *,
        auth: tuple[str, str] | None = LOGIN,
        headers: Mapping[str, str] | None = None,
        session: requests.Session | None = None,
        **parameters: Any,
    ) -> requests.Response:
        sender = session or requests.Session()
        answer = sender.request(
            method,
            self.url + path,
            json=json,
            auth=auth,
            headers={"Accept": "application/json", **(headers or {})},
            params=parameters,
            timeout=30,
            allow_redirects=False,
        )
        if session is None:
            sender.close()
        return answer

    def get(self, path: str, **arguments: Any) -> requests.Response:
        return self.call("GET", path, **arguments)

    def post(self, path: str, json: object = None, **arguments: Any) -> requests.Response:
        return self.call("POST", path, json, **arguments)

    def rows(self, table: str, query: str = "", **parameters: Any) -> list[dict[str, Any]]:
        answer = self.get(f"/api/now/table/{table}", sysparm_query=query, **parameters)
        assert answer.status_code == 200, answer.text
        result: list[dict[str, Any]] = answer.json()["result"]
        return result

    def insert(self, table: str, **values: object) -> dict[str, Any]:
        answer = self.post(f"/api/now/table/{table}", values, auth=ADMIN)
        assert answer.status_code == 201, answer.text
        result: dict[str, Any] = answer.json()["result"]
        return result

    def option(self, **changes: Any) -> None:
        done = requests.post(f"{self.url}/_sandbox/options", json=changes, timeout=30)
        assert done.status_code == 200, done.text

    def properties(self, **changes: str) -> None:
        named = {name.replace("__", "."): value for name, value in changes.items()}
        assert requests.post(f"{self.url}/_sandbox/properties", json=named, timeout=30).status_code == 200


MakeSnow = Callable[..., Snow]


@pytest.fixture
def make_snow() -> Iterator[MakeSnow]:
    """Starts instances with ``ServiceNowApp.create`` arguments; all are stopped at the end."""
    servers: list[Server] = []

    def start(**arguments: Any) -> Snow:
        clock = HandClock()
        app = ServiceNowApp.create(clock=clock, seed=7, **arguments)
        servers.append(Server(app, name="servicenow").start())
        return Snow(app, servers[-1].url, clock)

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def snow(make_snow: MakeSnow) -> Snow:
    return make_snow()
