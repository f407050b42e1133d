"""``/oauth_token.do``: form encoding only, one answer for every failure, the same token again while it lives."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from urllib.parse import parse_qsl

from beast_dream_snow_loader.sandbox.messages import HttpRequest
from beast_dream_snow_loader.sandbox.servicenow.auth import User, Users
from beast_dream_snow_loader.sandbox.servicenow.backend import Backend
from beast_dream_snow_loader.sandbox.servicenow.calls import Account, Reply

TOKEN_PATH = "/oauth_token.do"
_CLIENT_CREDENTIALS = "glide.oauth.inbound.client.credential.grant_type.enabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthClient:
    """A registry entry. ``user_name`` is its OAuth Application User, which client_credentials needs."""

    client_id: str
    client_secret: str
    user_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Token:
    value: str
    account: Account
    expires: datetime


class OAuth:
    def __init__(self, backend: Backend, users: Users, clients: Iterable[OAuthClient], seed: str) -> None:
        self._backend = backend
        self._users = users
        self._clients = {client.client_id: client for client in clients}
        self._seed = seed
        self._issued = 0
        self._access: dict[str, _Token] = {}
        self._refresh: dict[str, _Token] = {}
        self._lock = threading.Lock()
        self._grants: Mapping[str, Callable[[OAuthClient, Mapping[str, str]], Account | None]] = {
            "password": self._by_password,
            "client_credentials": self._by_client,
            "refresh_token": self._by_refresh_token,
        }

    def account(self, access_token: str) -> Account | None:
        with self._lock:
            return _living(self._access.get(access_token), self._now())

    def answer(self, request: HttpRequest) -> Reply:
        form = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
        is_form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
        client = self._clients.get(form.get("client_id", "")) if request.method == "POST" and is_form else None
        if client is None or client.client_secret != form.get("client_secret"):
            return _denied()
        grant = self._grants.get(form.get("grant_type", ""))
        account = grant(client, form) if grant else None
        return (
            _denied()
            if account is None
            else self._granted(account, with_refresh=form.get("grant_type") != "client_credentials")
        )

    def revoke_all(self) -> None:
        """Every token is worthless from now on."""
        with self._lock:
            self._access.clear()
            self._refresh.clear()

    def _granted(self, account: Account, *, with_refresh: bool) -> Reply:
        options = self._backend.options
        with self._lock:
            access = self._current(self._access, account, options.access_token_seconds)
            body: dict[str, object] = {"access_token": access.value}
            if with_refresh:
                body["refresh_token"] = self._current(self._refresh, account, options.refresh_token_seconds).value
        # A fresh token of 1,800 s is announced with 1,799, as the printed examples have it.
        left = ceil((access.expires - self._now()).total_seconds()) - 1
        return Reply(body={**body, "scope": "useraccount", "token_type": "Bearer", "expires_in": max(0, left)})

    def _current(self, tokens: dict[str, _Token], account: Account, seconds: int) -> _Token:
        now = self._now()
        for token in tokens.values():
            if token.account == account and token.expires > now:
                return token
        self._issued += 1
        value = hashlib.sha512(f"{self._seed}/{self._issued}".encode()).hexdigest()[:86]
        tokens[value] = _Token(value=value, account=account, expires=now + timedelta(seconds=seconds))
        return tokens[value]

    def _by_password(self, client: OAuthClient, form: Mapping[str, str]) -> Account | None:
        user = self._users.by_password(form.get("username", ""), form.get("password", ""))
        return _of(user, client)

    def _by_client(self, client: OAuthClient, _: Mapping[str, str]) -> Account | None:
        if self._backend.instance.system_property(_CLIENT_CREDENTIALS) != "true" or not client.user_name:
            return None
        return _of(self._users.by_name(client.user_name), client)

    def _by_refresh_token(self, client: OAuthClient, form: Mapping[str, str]) -> Account | None:
        with self._lock:
            account = _living(self._refresh.get(form.get("refresh_token", "")), self._now())
        return account if account is not None and account.client_id == client.client_id else None

    def _now(self) -> datetime:
        return self._backend.instance.clock.now()


def _living(token: _Token | None, now: datetime) -> Account | None:
    return token.account if token is not None and token.expires > now else None


def _of(user: User | None, client: OAuthClient) -> Account | None:
    return Account(user_name=user.user_name, roles=user.roles, client_id=client.client_id) if user else None


def _denied() -> Reply:
    return Reply(status=401, body={"error_description": "access_denied", "error": "server_error"})
