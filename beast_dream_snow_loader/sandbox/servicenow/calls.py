"""What an API of the instance is asked and what it answers; ``app.py`` does login, limits and headers around it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from beast_dream_snow_loader.sandbox.messages import HttpRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who is calling. ``client_id`` names the OAuth client a token was given to."""

    user_name: str
    roles: frozenset[str] = frozenset()
    client_id: str = ""

    @property
    def is_admin(self) -> bool:
        return "admin" in self.roles

    def has(self, *roles: str) -> bool:
        """Any of them; an administrator has them all."""
        return self.is_admin or not self.roles.isdisjoint(roles)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request below ``/api/now``. ``version`` is ``""``, ``v1`` or ``v2``; ``segments`` what follows it in the path.

    ``base_url`` is how the instance names itself in links: ``https://host``, no slash at the end.
    """

    request: HttpRequest
    segments: tuple[str, ...]
    account: Account
    base_url: str
    version: str = ""

    @property
    def method(self) -> str:
        return self.request.method

    def parameter(self, name: str, default: str = "") -> str:
        return self.request.parameter(name, default)

    def flag(self, name: str) -> bool:
        return self.parameter(name).lower() == "true"

    def header(self, name: str) -> str:
        return self.request.headers.get(name.lower(), "")

    def url(self, *segments: str) -> str:
        """An absolute link below this call's API root, of the same version."""
        root = f"{self.base_url}/api/now" + (f"/{self.version}" if self.version else "")
        return "/".join((root, *segments))

    def json(self) -> object:
        """The body; None when there is none. ApiError 400 when it is not JSON."""
        if not self.request.body.strip():
            return None
        try:
            return orjson.loads(self.request.body)
        except orjson.JSONDecodeError as error:
            detail = "The payload is not valid JSON."
            raise ApiError(400, "Exception while reading request", detail) from error

    def json_object(self) -> dict[str, object]:
        """The body as an object; of a list only the first entry is processed, as the product does."""
        value = self.json()
        if isinstance(value, list):
            value = value[0] if value else None
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise ApiError(400, "Exception while reading request", "The payload is not a JSON object.")
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """``body`` is any JSON value; None sends no body and no Content-Type."""

    status: int = 200
    body: object = None
    headers: tuple[tuple[str, str], ...] = ()

    def encoded(self) -> bytes:
        return b"" if self.body is None else json.dumps(self.body, ensure_ascii=False, separators=(",", ":")).encode()


class ApiError(Exception):
    """A refusal in the usual envelope."""

    def __init__(
        self, status: int, message: str, detail: str | None = None, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__(f"{status} {message}: {detail}")
        self.status = status
        self.message = message
        self.detail = detail
        self.headers = headers

    def reply(self) -> Reply:
        return Reply(status=self.status, body=failure(self.message, self.detail), headers=self.headers)


def failure(message: str, detail: str | None) -> Mapping[str, object]:
    return {"error": {"message": message, "detail": detail}, "status": "failure"}


def no_record() -> ApiError:
    """Also for a record the caller may not read, and for a sys_id that is none."""
    return ApiError(404, "No Record found", "Record doesn't exist or ACL restricts the record retrieval")


def invalid_table(name: str) -> ApiError:
    return ApiError(400, f"Invalid table {name}")


def no_resource() -> ApiError:
    return ApiError(400, "Requested URI does not represent any resource")


def not_authorised() -> ApiError:
    """The caller lacks the role that this API, not the table, asks for."""
    return ApiError(403, "User Not Authorized", "Failed API level ACL Validation")


def method_not_allowed() -> ApiError:
    return ApiError(405, "Method not supported", "Requested method is not supported by this resource")
