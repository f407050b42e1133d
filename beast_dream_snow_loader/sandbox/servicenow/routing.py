"""From a path below ``/api/now`` to the API that answers it, with what that API asks of its callers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from beast_dream_snow_loader.sandbox.messages import HttpRequest
from beast_dream_snow_loader.sandbox.servicenow.calls import Account, ApiError, Call, Reply, no_resource, not_authorised
from beast_dream_snow_loader.sandbox.servicenow.options import Options

_PATH = re.compile(r"/api/now(?:/(v[12]))?/(.+)")
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


class Api(Protocol):
    def answer(self, call: Call) -> Reply:
        """ApiError for every refusal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """``roles`` any of which the API itself asks for; ``locked``: it runs under the database's lock."""

    name: str
    api: Api
    roles: tuple[str, ...] = ()
    locked: bool = True


class Router:
    def __init__(self, routes: Mapping[tuple[str, ...], Route]) -> None:
        self._routes = routes

    def find(self, path: str) -> tuple[Route, str, tuple[str, ...]]:
        """The route, the version and the path's remaining segments. ApiError 400."""
        match = _PATH.fullmatch(path)
        segments = tuple(part for part in match[2].split("/") if part) if match else ()
        for length in (2, 1):
            route = self._routes.get(segments[:length])
            if match and route is not None and len(segments) >= length:
                return route, match[1] or "", segments[length:]
        raise no_resource()


def check_route(route: Route, request: HttpRequest, account: Account, options: Options) -> None:
    """Role of the API, scope of the token, media types. ApiError."""
    scopes = options.oauth_scopes.get(account.client_id) if account.client_id else None
    if scopes is not None and not _in_scope(request, scopes):
        raise ApiError(403, "User Not Authorized", "Access to unscoped api is not allowed")
    closed = route.name in options.closed_apis and not account.is_admin
    if closed or (route.roles and not account.has(*route.roles)):
        raise not_authorised()
    if not _accepts_json(request.headers.get("accept", "")):
        raise ApiError(406, "Not Acceptable", "Response media type is not supported")
    sent = request.headers.get("content-type", "")
    if request.method in _WITH_BODY and request.body and sent and "json" not in sent.lower():
        raise ApiError(415, "Unsupported Media Type", f"Request media type {sent} is not supported")


def _in_scope(request: HttpRequest, scopes: Sequence[str]) -> bool:
    asked = f"{request.method} {request.path}"
    return any(asked.startswith(scope) for scope in scopes)


def _accepts_json(accept: str) -> bool:
    kinds = [part.partition(";")[0].strip().lower() for part in accept.split(",") if part.strip()]
    return not kinds or any(kind in ("*/*", "*", "application/*", "application/json") for kind in kinds)
