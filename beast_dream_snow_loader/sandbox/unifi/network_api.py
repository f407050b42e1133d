"""The Network Integration API on a console: ``/proxy/network/integration/v1``."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from beast_dream_snow_loader.sandbox.messages import HttpAnswer, HttpRequest
from beast_dream_snow_loader.sandbox.unifi.answers import Json, Rows, json_answer

ROOT = "/proxy/network/integration"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_DEFAULT_LIMIT, _LARGEST_LIMIT = 25, 200
_NAMES = {400: "BAD_REQUEST", 401: "UNAUTHORIZED", 403: "FORBIDDEN", 404: "NOT_FOUND"}


class NetworkContent(Protocol):
    """What the API has to show. None stands for a site or record that does not exist, or a page too new."""

    def info(self) -> Json: ...

    def sites(self) -> Rows: ...

    def devices(self, site: str) -> Rows | None: ...

    def device(self, site: str, device: str) -> Json | None: ...

    def statistics(self, site: str, device: str) -> Json | None: ...

    def clients(self, site: str) -> Rows | None: ...

    def client(self, site: str, client: str) -> Json | None: ...

    def pending(self) -> Rows | None: ...


class NetworkApi:
    """Answers requests that are already let in; :meth:`refusal` is for those that are not."""

    def __init__(self, content: NetworkContent, now: Callable[[], datetime]) -> None:
        self._content = content
        self._now = now

    def answer(self, request: HttpRequest) -> HttpAnswer:
        page = request.path.removeprefix(ROOT).removeprefix("/v1").strip("/")
        if request.method != "GET":
            return self._missing(request)
        if page == "info":
            return json_answer(self._content.info())
        if page == "sites":
            return self._page(request, self._content.sites())
        if page == "pending-devices":
            return self._page(request, self._content.pending())
        return self._below_site(request, page.split("/"))

    def refusal(self, request: HttpRequest, *, key_sent: bool) -> HttpAnswer:
        """401: the key is looked at before the path."""
        kind = "invalid" if key_sent else "missing"
        return self._error(request, 401, f"api.authentication.{kind}-credentials", f"{kind.title()} credentials")

    def _below_site(self, request: HttpRequest, parts: list[str]) -> HttpAnswer:
        if len(parts) < 3 or parts[0] != "sites" or parts[2] not in ("devices", "clients"):
            return self._missing(request)
        for place, name in ((1, "siteId"), (3, "deviceId" if parts[2] == "devices" else "clientId")):
            if place < len(parts) and not _UUID.fullmatch(parts[place]):
                message = f"'{parts[place]}' is not a valid '{name}' value"
                return self._error(request, 400, "api.request.argument-type-mismatch", message)
        if len(parts) == 3:
            rows = self._content.devices if parts[2] == "devices" else self._content.clients
            return self._page(request, rows(parts[1]))
        return self._one(request, parts)

    def _one(self, request: HttpRequest, parts: list[str]) -> HttpAnswer:
        site, kind, name, rest = parts[1], parts[2], parts[3], "/".join(parts[4:])
        reads: dict[tuple[str, str], Callable[[str, str], Json | None]] = {
            ("devices", ""): self._content.device,
            ("devices", "statistics/latest"): self._content.statistics,
            ("clients", ""): self._content.client,
        }
        read = reads.get((kind, rest))
        found = read(site, name) if read else None
        return json_answer(found) if found is not None else self._missing(request)

    def _page(self, request: HttpRequest, rows: Rows | None) -> HttpAnswer:
        if rows is None:
            return self._missing(request)
        if request.parameter("filter"):
            return self._error(request, 400, "api.request.filter-not-supported", "the sandbox does not filter")
        offset, limit = request.parameter("offset", "0"), request.parameter("limit", str(_DEFAULT_LIMIT))
        if not offset.isdigit() or not limit.isdigit() or int(limit) > _LARGEST_LIMIT:
            return self._error(request, 400, "api.request.argument-invalid", f"limit is 0 to {_LARGEST_LIMIT}")
        data = rows.page(int(offset), int(limit))
        counts = {"offset": int(offset), "limit": int(limit), "count": len(data), "totalCount": len(rows)}
        return json_answer({**counts, "data": data})

    def _missing(self, request: HttpRequest) -> HttpAnswer:
        path = request.path.removeprefix("/proxy/network")
        return self._error(request, 404, "api.not-found", f"No endpoint {request.method} {path}.")

    def _error(self, request: HttpRequest, status: int, code: str, message: str) -> HttpAnswer:
        body = {
            "statusCode": status,
            "statusName": _NAMES[status],
            "code": code,
            "message": message,
            "timestamp": self._now().strftime("%Y-%m-%dT%H:%M:%S.%f000Z"),
            "requestPath": request.path.removeprefix("/proxy/network"),
        }
        return json_answer(body, status)
