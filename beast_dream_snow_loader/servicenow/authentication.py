"""Puts a login on every request to the instance: the most secure one that is not refused (servicenow-api 9)."""

from __future__ import annotations

import threading
from dataclasses import replace
from urllib.parse import urlsplit

from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.core.events import FindingRaised, Listener, ignore
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.errors import NotSent, OutcomeUnknown
from beast_dream_snow_loader.servicenow.answers import AnswerKind, judge
from beast_dream_snow_loader.servicenow.config import ServiceNowSettings
from beast_dream_snow_loader.servicenow.logins import Credential, Login, logins
from beast_dream_snow_loader.transport.base import Transport
from beast_dream_snow_loader.transport.messages import Request, Response

_NO_VERDICT = frozenset({AnswerKind.SUCCESS, AnswerKind.FAULT, AnswerKind.TRUNCATED, AnswerKind.UNREADABLE})
"""Answers of the token endpoint that say nothing about the login nor about the request waiting for it."""


def authenticating(
    transport: Transport, settings: ServiceNowSettings, clock: Clock, listener: Listener = ignore
) -> Transport:
    """Puts the best login on every request to the instance; the next one when it is refused, said once as a finding."""
    return _Authenticating(transport, settings, logins(settings, clock), listener)


def by_one(transport: Transport, settings: ServiceNowSettings, login: Login) -> Transport:
    """Puts this login on every request to the instance and no other."""
    return _Authenticating(transport, settings, (login,), ignore)


class _Authenticating:
    def __init__(
        self, inner: Transport, settings: ServiceNowSettings, ways: tuple[Login, ...], listener: Listener
    ) -> None:
        self._inner, self._listener = inner, listener
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
        return response

    def _send_as(self, login: Login, request: Request) -> Response:
        credential = self._credential(login, None)
        if isinstance(credential, Response):
            return credential
        response = self._inner.send(_signed(request, credential))
        if response.status != 401:
            return response
        renewed = self._credential(login, credential)
        if isinstance(renewed, Response) or renewed is credential:
            return renewed if isinstance(renewed, Response) else response
        return self._inner.send(_signed(request, renewed))

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
            if self._active == 0:
                return
        refused, following = self._logins[position], self._logins[position + 1]
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
