"""The instance as an application: gates, login, routing, headers; everything a request passes on its way in and out."""

from __future__ import annotations

import hashlib
import itertools
import secrets
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.sandbox.messages import HttpAnswer, HttpRequest
from beast_dream_snow_loader.sandbox.servicenow import pages
from beast_dream_snow_loader.sandbox.servicenow.auth import Authenticator, User, Users
from beast_dream_snow_loader.sandbox.servicenow.backend import Backend
from beast_dream_snow_loader.sandbox.servicenow.calls import Account, ApiError, Call, Reply
from beast_dream_snow_loader.sandbox.servicenow.control_pages import ControlPages
from beast_dream_snow_loader.sandbox.servicenow.installed_apis import installed_apis
from beast_dream_snow_loader.sandbox.servicenow.limits import QueueFull, RateLimits, Semaphore, check_content_length
from beast_dream_snow_loader.sandbox.servicenow.oauth import TOKEN_PATH, OAuth, OAuthClient
from beast_dream_snow_loader.sandbox.servicenow.options import Options
from beast_dream_snow_loader.sandbox.servicenow.records import Instance
from beast_dream_snow_loader.sandbox.servicenow.routing import Router, check_route
from beast_dream_snow_loader.sandbox.servicenow.seeds import seed_demo
from beast_dream_snow_loader.sandbox.servicenow.sessions import Session, SessionBusy, SessionStore
from beast_dream_snow_loader.sandbox.servicenow.wire_headers import plain_headers, wrap, wrap_refused

DEMO_USER = User(user_name="snowload", password="snowload-demo", roles=frozenset({"itil"}), api_key="snowload-demo-key")
ADMIN_USER = User(user_name="admin", password="admin-demo", roles=frozenset({"admin"}))
DEMO_CLIENT = OAuthClient(client_id="snowload-demo", client_secret="snowload-demo-secret", user_name="snowload")
_CLIENT_CREDENTIALS = "glide.oauth.inbound.client.credential.grant_type.enabled"


class ServiceNowApp:
    """One instance over HTTP. Thread-safe."""

    def __init__(
        self, instance: Instance, options: Options, users: Iterable[User], clients: Iterable[OAuthClient], seed: str
    ) -> None:
        self.instance = instance
        self.backend = Backend(instance, options)
        self.users = Users(users)
        self.oauth = OAuth(self.backend, self.users, clients, seed)
        self.sessions = SessionStore(instance.clock, seed)
        self._authenticator = Authenticator(self.backend, self.users, self.oauth)
        self._semaphore = Semaphore(self.backend)
        self._rates = RateLimits(self.backend)
        self._router = Router(installed_apis(self.backend, self._inner))
        self._control = ControlPages(self.backend, self.users, self.oauth)
        self._transactions = itertools.count(1)
        self._seed = seed

    @classmethod
    def create(
        cls,
        path: Path | None = None,
        *,
        users: Iterable[User] = (DEMO_USER, ADMIN_USER),
        clients: Iterable[OAuthClient] = (DEMO_CLIENT,),
        clock: Clock | None = None,
        seed: int | None = None,
        options: Options | None = None,
        **shape: Any,
    ) -> ServiceNowApp:
        """An instance, kept in ``path`` if given. ``shape``: ``class_models``, ``without``, ``sources`` of
        :meth:`Instance.create`. The OAuth client-credentials grant is switched on, as for any integration by OAuth.
        """
        instance = Instance.create(path, clock, seed, **shape)
        app = cls(
            instance, options or Options(), tuple(users), clients, secrets.token_hex(8) if seed is None else str(seed)
        )
        app._first_rows()
        return app

    def answer(self, request: HttpRequest) -> HttpAnswer:
        options = self.backend.options
        if options.hibernating:
            return pages.hibernating()
        if options.login_redirect:
            return pages.login_redirect(self._base_url(request))
        if len(urlencode(request.query)) > options.max_query_characters:
            return pages.query_too_long()
        try:
            with self._semaphore.place():
                return self._in_session(_overridden(request))
        except QueueFull:
            return pages.too_busy()
        except SessionBusy:
            return pages.dropped()

    def control(self, request: HttpRequest) -> HttpAnswer | None:
        """The control plane's pages about this instance."""
        return self._control.answer(request)

    def seed_demo(self) -> None:
        """What a customer's instance already holds: see ``seeds.py``."""
        seed_demo(self.instance)

    def close(self) -> None:
        self.instance.close()

    def _in_session(self, request: HttpRequest) -> HttpAnswer:
        session, options = self.sessions.find(request), self.backend.options
        if session is None:
            return self._admit(request, None)
        with session.turn(self.instance.clock, options.session_queue, options.session_patience_seconds):
            return self._admit(request, session)

    def _admit(self, request: HttpRequest, session: Session | None) -> HttpAnswer:
        self._take_time(request)
        if request.path == TOKEN_PATH:
            return wrap_refused(self.oauth.answer(request), self._hex(32).upper())
        if not request.path.startswith("/api/"):
            return pages.not_found()
        try:
            account = self._authenticator.identify(request, session)
        except ApiError as error:
            return wrap_refused(error.reply(), self._hex(32).upper())
        opened, by_cookie = self._session(account, session), "authorization" not in request.headers
        reply = self._guarded(request, account)
        if session is not None and by_cookie:
            reply = replace(reply, headers=(*reply.headers, ("X-UserToken-Response", session.token)))
        return wrap(reply, self._hex(12), opened)

    def _session(self, account: Account, session: Session | None) -> Session | None:
        """The session this request opens; None when it came with one of its own."""
        seconds = self.backend.options.session_seconds
        if session is not None and session.account == account:
            self.sessions.prolong(session, seconds)
            return None
        return self.sessions.open(account, seconds)

    def _guarded(self, request: HttpRequest, account: Account) -> Reply:
        try:
            check_content_length(self.backend, len(request.body))
            route, _, _ = self._router.find(request.path)
            headers = self._rates.count(account, route.name)
            reply = self._dispatch(request, account, self._base_url(request))
            return replace(reply, headers=(*reply.headers, *headers))
        except ApiError as error:
            return error.reply()
        finally:
            self.instance.flush()

    def _dispatch(self, request: HttpRequest, account: Account, base_url: str) -> Reply:
        """ApiError."""
        route, version, segments = self._router.find(request.path)
        check_route(route, request, account, self.backend.options)
        call = Call(request=request, version=version, segments=segments, account=account, base_url=base_url)
        with self.instance.acting_as(account.user_name):
            if not route.locked:
                return route.api.answer(call)
            with self.instance.lock:
                return route.api.answer(call)

    def _inner(self, request: HttpRequest, outer: Call) -> HttpAnswer:
        """An item of a batch: its own routing, rights and answer; no login, no limits."""
        self._take_time(request)
        try:
            reply = self._dispatch(request, outer.account, outer.base_url)
        except ApiError as error:
            reply = error.reply()
        return HttpAnswer(status=reply.status, headers=plain_headers(reply), body=reply.encoded())

    def _take_time(self, request: HttpRequest) -> None:
        options = self.backend.options
        seconds = options.request_seconds
        if options.ire_item_seconds and "/identifyreconcile" in request.path:
            # Each item names its class once; lookups and related items do too, and cost as much.
            seconds += options.ire_item_seconds * request.body.count(b'"className"')
        if seconds:
            self.instance.clock.sleep(seconds)

    def _base_url(self, request: HttpRequest) -> str:
        host = request.headers.get("host", "")
        return self.backend.options.instance_url or (f"http://{host}" if host else "https://sandbox.service-now.com")

    def _hex(self, length: int) -> str:
        number = next(self._transactions)
        return hashlib.sha256(f"{self._seed}/{number}".encode()).hexdigest()[:length]

    def _first_rows(self) -> None:
        """Users as records, and the grant of machine-to-machine tokens; nothing on an instance that has them."""
        for user in self.users.all():
            if not self.instance.find("sys_user", user_name=user.user_name):
                self.instance.insert("sys_user", {"user_name": user.user_name, "name": user.user_name.title()})
        found = self.instance.find("sys_properties", name=_CLIENT_CREDENTIALS)
        if found and found[0]["sys_mod_count"] == "0":
            self.instance.update("sys_properties", found[0]["sys_id"], {"value": "true"})
        self.instance.flush()


def _overridden(request: HttpRequest) -> HttpRequest:
    method = request.headers.get("x-http-method-override", "").upper()
    return replace(request, method=method) if method else request
