"""Puts a login on every request to the instance: the most secure one that is not refused (servicenow-api 9)."""

from __future__ import annotations

import threading
from dataclasses import replace
from urllib.parse import urlsplit

from beast_dream_snow_loader.clock import Clock, SystemClock
from beast_dream_snow_loader.core.events import CredentialAccessed, FindingRaised, Listener, ignore
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.errors import NotAuthenticated, NotSent, OutcomeUnknown
from beast_dream_snow_loader.operations.healing import TOKEN, Healings
from beast_dream_snow_loader.servicenow.answers import AnswerKind, judge
from beast_dream_snow_loader.servicenow.config import ServiceNowSettings
from beast_dream_snow_loader.servicenow.login_changes import Changes
from beast_dream_snow_loader.servicenow.logins import Credential, Login, logins
from beast_dream_snow_loader.transport.messages import Request, Response
from beast_dream_snow_loader.transport.port import Transport

_NO_VERDICT = frozenset({AnswerKind.SUCCESS, AnswerKind.FAULT, AnswerKind.TRUNCATED, AnswerKind.UNREADABLE})
"""Answers of the token endpoint that say nothing about the login nor about the request waiting for it."""


def authenticating(
    transport: Transport,
    settings: ServiceNowSettings,
    clock: Clock,
    listener: Listener = ignore,
    healings: Healings | None = None,
) -> Transport:
    """Puts the best login on every request to the instance; the next one when it is refused, said once as a finding.

    A token that was refused is renewed once, and a change of the login is taken back where it opens less (X5)."""
    return _Authenticating(
        transport, settings, logins(settings, clock), listener, healings or Healings(clock, listener)
    )


def by_one(transport: Transport, settings: ServiceNowSettings, login: Login) -> Transport:
    """Puts this login on every request to the instance and no other."""
    return _Authenticating(transport, settings, (login,), ignore, Healings(SystemClock()))


class _Authenticating:
    def __init__(
        self,
        inner: Transport,
        settings: ServiceNowSettings,
        ways: tuple[Login, ...],
        listener: Listener,
        healings: Healings,
    ) -> None:
        self._inner, self._listener, self._healings = inner, listener, healings
        self._changes = Changes(healings)
        self._origin = urlsplit(settings.instance)[:2]
        self._logins = ways
        self._lock = threading.Lock()
        self._active = 0

    def send(self, request: Request) -> Response:
        if not self._logins or urlsplit(request.url)[:2] != self._origin:
            return self._inner.send(request)
        first = self._active
        response: Response | None = None
        for position in range(first, len(self._logins)):
            response = self._send_as(self._logins[position], request)
            if response.status != 401:
                break
            self._fall_back(position)
        assert response is not None  # the loop ran: there is at least one login
        return self._judged(position, request, response)

    def _judged(self, position: int, request: Request, response: Response) -> Response:
        """The answer, after a look at what it says of the last change of the login. One that shuts us out of what the
        login before had opened is taken back, and that login is tried once more."""
        before = self._changes.judged(position, response.status)
        if before is None:
            return response
        again = self._send_as(self._logins[before], request)
        works = again.status != 401
        self._changes.went_back(works=works)
        if works:
            with self._lock:
                self._active = before
        return again if works else response

    def _send_as(self, login: Login, request: Request) -> Response:
        credential = self._credential(login, None)
        if isinstance(credential, Response):
            return credential
        response = self._inner.send(_signed(request, credential))
        if response.status != 401:
            return response
        return self._renewed(login, credential, request, response)

    def _renewed(self, login: Login, stale: Credential, request: Request, refused: Response) -> Response:
        """Once more with a new token, where the login has such and it was not renewed too often."""
        if not login.renews:
            return refused
        present = self._credential(login, None)
        if isinstance(present, Credential) and present is not stale:
            return self._inner.send(_signed(request, present))  # another thread has renewed it meanwhile
        healing = self._healings.begin(
            TOKEN, "servicenow", f"ServiceNow refused the token of {login.name} (401).", "A new token was asked for."
        )
        if healing is None:
            return refused
        renewed = self._credential(login, stale)
        if isinstance(renewed, Response):
            healing.did_not_help()
            return renewed
        response = self._inner.send(_signed(request, renewed))
        if response.status == 401:
            login.forget(renewed)
            healing.taken_back("The new token was refused as well and is not used again.")
        else:
            healing.helped()
        return response

    def _credential(self, login: Login, stale: Credential | None) -> Credential | Response:
        """A token that cannot be fetched means the request itself was never sent."""
        try:
            answer = login.credential(self._inner, stale)
        except OutcomeUnknown as error:
            raise NotSent(f"No token from ServiceNow: {error.message}", next_step=error.next_step) from error
        if isinstance(answer, Credential):
            return answer
        verdict = judge(answer)
        if verdict.kind in _NO_VERDICT:
            raise NotSent(f"No token from ServiceNow: its token endpoint said {verdict.words}.", next_step="Try later.")
        # ServiceNow refuses a token with 401, others as RFC 6749 has it with 400
        return replace(answer, status=401) if verdict.kind is AnswerKind.REFUSED else answer

    def _fall_back(self, position: int) -> None:
        """After the last login all are tried again: a 401 may pass, and the caller stops at the error anyway."""
        with self._lock:
            if self._active != position:
                return
            self._active = (position + 1) % len(self._logins)
            last = self._active == 0
            if not last:
                self._changes.changed(self._logins[position].name, self._logins[position + 1].name, position)
        refused = self._logins[position]
        self._listener(
            CredentialAccessed(setting="servicenow", method=refused.name, success=False, code=NotAuthenticated.code)
        )
        if last:
            return
        following = self._logins[position + 1]
        message = (
            f"ServiceNow refused the login by {refused.name}; going on with {following.name}. Check {refused.checks}."
        )
        self._listener(
            FindingRaised(
                finding=Finding(
                    record="instance", rule="auth.method_refused", severity=Severity.WARNING, message=message
                )
            )
        )


def _signed(request: Request, credential: Credential) -> Request:
    return replace(request, headers={**request.headers, credential.header: credential.value.reveal()})
