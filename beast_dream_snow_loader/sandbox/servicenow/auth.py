"""Who is calling: basic, API key, bearer token, or the cookies of an earlier login with their ``X-UserToken``."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from beast_dream_snow_loader.sandbox.messages import HttpRequest
from beast_dream_snow_loader.sandbox.servicenow.backend import Backend
from beast_dream_snow_loader.sandbox.servicenow.calls import Account, ApiError
from beast_dream_snow_loader.sandbox.servicenow.sessions import Session

API_KEY_HEADER = "x-sn-apikey"
_RESTRICTION = "glide.authenticate.basic_auth.restriction"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A login. The credentials of a sandbox are no secrets: they are printed for whoever wants to try it."""

    user_name: str
    password: str
    roles: frozenset[str] = frozenset()
    api_key: str = ""
    web_service_access_only: bool = False
    active: bool = True

    @property
    def account(self) -> Account:
        return Account(user_name=self.user_name, roles=self.roles)


class Users:
    def __init__(self, users: Iterable[User]) -> None:
        self._by_name = {user.user_name.casefold(): user for user in users}

    def by_password(self, name: str, password: str) -> User | None:
        user = self.by_name(name)
        return user if user is not None and user.password == password else None

    def by_name(self, name: str) -> User | None:
        user = self._by_name.get(name.casefold())
        return user if user is not None and user.active else None

    def by_api_key(self, key: str) -> User | None:
        return next((user for user in self._by_name.values() if user.active and key and user.api_key == key), None)

    def put(self, user: User) -> None:
        self._by_name[user.user_name.casefold()] = user

    def all(self) -> tuple[User, ...]:
        return tuple(self._by_name.values())


def not_authenticated(realm: str = "BASIC") -> ApiError:
    """One answer for every failure: wrong password, locked user, no header, expired token, basic restriction."""
    headers = (("WWW-Authenticate", f'{realm} realm="Service-now"'), ("Connection", "close"))
    return ApiError(401, "User Not Authenticated", "Required to provide Auth information", headers)


class Bearers(Protocol):
    """Where access tokens are known."""

    def account(self, access_token: str) -> Account | None:
        """None for an unknown or expired token."""


class Authenticator:
    def __init__(self, backend: Backend, users: Users, bearers: Bearers) -> None:
        self._backend = backend
        self._users = users
        self._bearers = bearers

    def identify(self, request: HttpRequest, session: Session | None) -> Account:
        """ApiError 401. What the request says of itself goes before its cookies."""
        kind, _, credential = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return _required(self._bearers.account(credential.strip()), "BEARER")
        if kind.lower() == "basic":
            return _required(self._basic(credential.strip()))
        key = request.headers.get(API_KEY_HEADER) or request.parameter(API_KEY_HEADER)
        if key:
            user = self._users.by_api_key(key)
            return _required(user.account if user else None)
        if session is not None and request.headers.get("x-usertoken") == session.token:
            return session.account
        raise not_authenticated()

    def _basic(self, credential: str) -> Account | None:
        try:
            name, colon, password = base64.b64decode(credential, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        user = self._users.by_password(name, password) if colon else None
        return user.account if user is not None and self._admitted(user) else None

    def _admitted(self, user: User) -> bool:
        """The restriction of basic authentication on new instances; the administrator role does not help."""
        if self._restriction("active") != "true" or user.web_service_access_only:
            return True
        roles = frozenset(self._restriction("allowed_roles").split(","))
        return not roles.isdisjoint(user.roles) or user.user_name in self._restriction("allowed_users").split(",")

    def _restriction(self, name: str) -> str:
        return self._backend.instance.system_property(f"{_RESTRICTION}.{name}")


def _required(account: Account | None, realm: str = "BASIC") -> Account:
    if account is None:
        raise not_authenticated(realm)
    return account
