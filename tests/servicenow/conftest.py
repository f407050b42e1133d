"""An HTTP server that answers as a test tells it, a client on it over real HTTP, and changes to write."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from beast_dream_snow_loader.core.changes import ChangeType, ItemChange, LinkChange
from beast_dream_snow_loader.core.desired import ConfigItem, Relation, RelationRole
from beast_dream_snow_loader.core.events import CredentialAccessed, Event, FindingRaised
from beast_dream_snow_loader.core.findings import Finding
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.servicenow.authentication import authenticating
from beast_dream_snow_loader.servicenow.client import ServiceNowAPIClient
from beast_dream_snow_loader.servicenow.config import ServiceNowSettings
from beast_dream_snow_loader.transport.http import HttpTransport

JSON = {"Content-Type": "application/json;charset=UTF-8"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request as the server saw it."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """``cut``: the connection is closed without an answer."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)
    cut: bool = False

    @property
    def wire(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return b"" if self.body is None else json.dumps(self.body).encode()


Responder = Callable[[Asked], Reply]


class Instance:
    """``answer`` decides every reply; ``asked`` keeps every request."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answer: Responder = lambda _: Reply(
            status=404, body=refusal("Requested URI does not represent any resource")
        )
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def paths(self) -> list[str]:
        return [asked.path for asked in self.asked]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        instance = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(
                    method=self.command, path=parts.path, query=dict(parse_qsl(parts.query)), headers=headers, body=body
                )
                instance.asked.append(asked)
                reply = instance.answer(asked)
                if reply.cut:
                    self.close_connection = True
                    return
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.wire)))
                self.end_headers()
                self.wfile.write(reply.wire)

            do_GET = do_POST = _serve  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


class StoppedClock:
    """Time as the test says."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime(2026, 1, 10, 8, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@dataclass(frozen=True, slots=True)
class Heard:
    """Collects what is told on the way, findings apart."""

    findings: list[Finding] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, FindingRaised):
            self.findings.append(event.finding)

    def rules(self) -> list[str]:
        return [finding.rule for finding in self.findings]

    @property
    def refused(self) -> list[str]:
        """Logins that were refused."""
        return [one.method for one in self.events if isinstance(one, CredentialAccessed) and not one.success]


def refusal(message: str, detail: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "detail": detail}, "status": "failure"}


def rows(*found: Mapping[str, str], total: int | None = None) -> Reply:
    count = len(found) if total is None else total
    return Reply(body={"result": list(found)}, headers={**JSON, "X-Total-Count": str(count)})


@pytest.fixture
def instance() -> Iterator[Instance]:
    server = Instance()
    yield server
    server.close()


@pytest.fixture
def wire() -> HttpTransport:
    return HttpTransport("servicenow")


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def settings(instance: Instance) -> ServiceNowSettings:
    return ServiceNowSettings.model_validate({"instance": instance.url, "username": "loader", "password": "pass"})


@pytest.fixture
def client(settings: ServiceNowSettings, wire: HttpTransport, clock: StoppedClock, heard: Heard) -> ServiceNowAPIClient:
    return ServiceNowAPIClient(settings, authenticating(wire, settings, clock, heard), clock, heard)


def mac(number: int) -> str:
    return f"00005e0053{number:02x}"


def key(number: int) -> SourceKey:
    return SourceKey("device", mac(number))


def sys_id(number: int) -> str:
    return f"{number:032x}"


def change(number: int, **changed: Any) -> ItemChange:
    """A new switch ``sw-<number>``; keywords change its ItemChange or, where that has no such field, its ConfigItem."""
    values = {"name": f"sw-{number}", "serial_number": mac(number).upper(), "ip_address": f"192.0.2.{number}"}
    item: dict[str, Any] = {
        "key": key(number),
        "kind": "switch",
        "lane": "console",
        "site": "default",
        "class_chain": ("cmdb_ci_ip_switch", "cmdb_ci_netgear", "cmdb_ci_hardware"),
        "class_name": "cmdb_ci_ip_switch",
        "values": values,
        "name_forms": (values["name"],),
        "seen_at": datetime(2026, 1, 10, 8, tzinfo=UTC),
    }
    outer = {name: changed.pop(name) for name in ("send", "known", "send_serial", "type") if name in changed}
    made = ConfigItem(**{**item, **changed})
    return ItemChange(**{"type": ChangeType.CREATE, "item": made, "send": made.values, **outer})


def link(lower: int, upper: int) -> LinkChange:
    relation = Relation(role=RelationRole.UPLINK, lower=key(lower), upper=key(upper), type="Connects to::Connected by")
    return LinkChange(relation=relation)
