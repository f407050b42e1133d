"""The control plane: every sandbox server answers under ``/_sandbox/``, whatever faults are playing.

    GET    /_sandbox/health           {"status": "ok", "service", "requests", "faults"}
    GET    /_sandbox/requests         the request log (?service=, ?limit= the last so many)
    DELETE /_sandbox/requests         empty it
    GET    /_sandbox/faults           the faults with their counts
    POST   /_sandbox/faults           add one fault, or a list of them (JSON form: faults.from_values)
    POST   /_sandbox/faults/switch    {"name", "active"}: an outage by hand
    DELETE /_sandbox/faults[/n]       remove all, or one

Anything else goes to the application, if it is :class:`Controllable`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Protocol, runtime_checkable

import orjson

from beast_dream_snow_loader.sandbox.faults import FaultPlan, from_values, to_values
from beast_dream_snow_loader.sandbox.messages import Application, HttpAnswer, HttpRequest
from beast_dream_snow_loader.sandbox.request_log import RequestLog

PREFIX = "/_sandbox/"


@runtime_checkable
class Controllable(Protocol):
    """An application with a control plane of its own."""

    def control(self, request: HttpRequest) -> HttpAnswer | None:
        """Answer a request below ``/_sandbox/`` (the path is given whole), None when there is no such page."""


def json_answer(value: object, status: int = 200) -> HttpAnswer:
    return HttpAnswer(status=status, headers=(("Content-Type", "application/json"),), body=orjson.dumps(value))


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlane:
    """An :class:`Application` itself."""

    application: Application
    faults: FaultPlan
    log: RequestLog
    service: str

    def answer(self, request: HttpRequest) -> HttpAnswer:
        page = request.path.removeprefix(PREFIX).strip("/")
        try:
            return self._page(request, page) or _missing(request)
        except ValueError as error:
            return json_answer({"error": str(error)}, 400)

    def _page(self, request: HttpRequest, page: str) -> HttpAnswer | None:
        if page == "health" and request.method == "GET":
            return self._health()
        if page == "requests":
            return self._requests(request)
        if page == "faults" or page.startswith("faults/"):
            return self._faults(request, page.removeprefix("faults").strip("/"))
        return self.application.control(request) if isinstance(self.application, Controllable) else None

    def _health(self) -> HttpAnswer:
        requests, faults = len(self.log.lines(self.service)), len(self.faults.listing())
        return json_answer({"status": "ok", "service": self.service, "requests": requests, "faults": faults})

    def _requests(self, request: HttpRequest) -> HttpAnswer | None:
        if request.method == "DELETE":
            self.log.clear()
            return json_answer({"cleared": True})
        if request.method != "GET":
            return None
        lines = self.log.lines(request.parameter("service"))
        limit = int(request.parameter("limit", "0"))
        return json_answer({"requests": [asdict(line) for line in (lines[-limit:] if limit else lines)]})

    def _faults(self, request: HttpRequest, rest: str) -> HttpAnswer | None:
        if request.method == "GET" and not rest:
            return json_answer({"faults": self._listing()})
        if request.method == "POST":
            return self._switch(request.body) if rest == "switch" else self._add(request.body)
        if request.method == "DELETE":
            return self._remove(rest)
        return None

    def _listing(self) -> list[dict[str, object]]:
        return [
            {"number": one.number, "count": one.count, "struck": one.struck, "fault": to_values(one.fault)}
            for one in self.faults.listing()
        ]

    def _add(self, body: bytes) -> HttpAnswer:
        sent = orjson.loads(body)
        faults = [from_values(values) for values in (sent if isinstance(sent, list) else [sent])]
        return json_answer({"number": self.faults.add(*faults)}, 201)

    def _switch(self, body: bytes) -> HttpAnswer:
        sent = orjson.loads(body)
        return json_answer({"switched": self.faults.switch(str(sent.get("name", "")), bool(sent.get("active", True)))})

    def _remove(self, rest: str) -> HttpAnswer | None:
        if not rest:
            self.faults.clear()
            return json_answer({"removed": True})
        return json_answer({"removed": True}) if self.faults.remove(int(rest)) else None


def _missing(request: HttpRequest) -> HttpAnswer:
    return json_answer({"error": f"the sandbox has no {request.method} {request.path}"}, 404)
