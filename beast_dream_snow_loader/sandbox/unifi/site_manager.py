"""The Site Manager API in the cloud: hosts, sites, devices, and the connector to each console's own API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import count
from typing import Protocol

from beast_dream_snow_loader.sandbox.estate.identifiers import digest
from beast_dream_snow_loader.sandbox.messages import HttpAnswer, HttpRequest
from beast_dream_snow_loader.sandbox.unifi.answers import Json, Rows, json_answer
from beast_dream_snow_loader.sandbox.unifi.pace import Pace

CONNECTOR = "/v1/connector/consoles/"
_DEFAULT_PAGE = 25
_LARGEST_PAGE = 200


class CloudContent(Protocol):
    """What the API has to show."""

    def hosts(self) -> Rows: ...

    def host(self, host_id: str) -> Json | None: ...

    def sites(self) -> Rows: ...

    def groups(self, host_ids: Sequence[str]) -> Rows:
        """Device groups, one per host; of the named hosts, or of all when none is named."""


class Connector(Protocol):
    def answer(self, host_id: str, request: HttpRequest) -> HttpAnswer | tuple[int, str, str]:
        """The console's own answer, or status, code and message of a failure to reach it."""


class SiteManagerApp:
    """``X-API-Key`` must be ``api_key``. ``pace`` limits requests as the cloud does (None: no limit)."""

    def __init__(
        self, content: CloudContent, *, api_key: str, connector: Connector | None = None, pace: Pace | None = None
    ) -> None:
        self._content = content
        self._api_key = api_key
        self._connector = connector
        self._pace = pace
        self._traces = count(1)

    def answer(self, request: HttpRequest) -> HttpAnswer:
        if request.headers.get("x-api-key") != self._api_key:
            return self._error(401, "unauthorized", "unauthorized")
        if self._pace and (wait := self._pace.wait("all")):
            return self._throttled(wait)
        if request.path.startswith(CONNECTOR):
            return self._through(request)
        if request.method != "GET":
            return self._error(404, "not_found", f"no {request.method} here")
        return self._read(request)

    def _read(self, request: HttpRequest) -> HttpAnswer:
        path = request.path.rstrip("/")
        if path == "/v1/hosts":
            return self._page(request, self._content.hosts(), last={})
        if path.startswith("/v1/hosts/"):
            return self._host(path.removeprefix("/v1/hosts/"))
        if path == "/v1/sites":
            return self._page(request, self._content.sites(), last={"nextToken": ""})
        if path == "/v1/devices":
            return self._devices(request)
        return self._error(404, "NOT_FOUND", f"thing not found: {path}")

    def _host(self, host_id: str) -> HttpAnswer:
        host = self._content.host(host_id)
        if host is None:
            return self._error(404, "NOT_FOUND", f"thing not found: {host_id}")
        return json_answer({"data": host, "httpStatusCode": 200, "traceId": self._trace()})

    def _devices(self, request: HttpRequest) -> HttpAnswer:
        time = request.parameter("time")
        if time and not _is_moment(time):
            return self._error(400, "parameter_invalid", f"invalid time format: {time}")
        wanted = [value for name, value in request.query if name == "hostIds[]"]
        return self._page(request, self._content.groups(wanted), last={"nextToken": ""})

    def _page(self, request: HttpRequest, rows: Rows, *, last: Mapping[str, object]) -> HttpAnswer:
        size, token = request.parameter("pageSize", str(_DEFAULT_PAGE)), request.parameter("nextToken")
        if not size.isdigit() or not int(size):
            return self._error(400, "parameter_invalid", f"invalid pageSize: {size}")
        start = _after(rows, token)
        if start is None:
            return self._error(400, "parameter_invalid", "invalid nextToken")
        end = start + min(int(size), _LARGEST_PAGE)
        more: Mapping[str, object] = {"nextToken": rows.keys()[end - 1]} if end < len(rows) else last
        body = {"data": rows.page(start, end - start), "httpStatusCode": 200, "traceId": self._trace(), **more}
        return json_answer(body)

    def _through(self, request: HttpRequest) -> HttpAnswer:
        host_id, _, path = request.path.removeprefix(CONNECTOR).partition("/")
        if self._connector is None or not path:
            return self._error(400, "parameter_invalid", "path is invalid")
        if self._pace and (wait := self._pace.wait(host_id)):
            return self._throttled(wait)
        upstream = HttpRequest(
            method=request.method, path=f"/{path}", query=request.query, headers=request.headers, body=request.body
        )
        answer = self._connector.answer(host_id, upstream)
        return answer if isinstance(answer, HttpAnswer) else self._error(*answer)

    def _throttled(self, wait: float) -> HttpAnswer:
        message = f"rate limit exceeded, retry after {wait:.9f}s"
        return self._error(429, "rate_limit", message, (("Retry-After", str(max(1, round(wait)))),))

    def _error(self, status: int, code: str, message: str, headers: tuple[tuple[str, str], ...] = ()) -> HttpAnswer:
        body = {"code": code, "httpStatusCode": status, "message": message, "traceId": self._trace()}
        return json_answer(body, status, headers)

    def _trace(self) -> str:
        return digest(f"trace/{next(self._traces)}")


def _after(rows: Rows, token: str) -> int | None:
    """Where the page after the row named ``token`` starts; None for a token that names no row."""
    if not token:
        return 0
    keys = list(rows.keys())
    return keys.index(token) + 1 if token in keys else None


def _is_moment(text: str) -> bool:
    try:
        return "T" in text and datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
