"""So many requests and no more: what ``--max-requests`` allows one run."""

from __future__ import annotations

import threading

from beast_dream_snow_loader.core.events import FindingRaised, Listener, ignore
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.errors import RequestLimitReached
from beast_dream_snow_loader.transport.messages import Request, Response
from beast_dream_snow_loader.transport.port import Transport


class Allowance:
    """``most`` None: no end. Thread-safe; logins and retries count too. That it is used up is told once."""

    def __init__(self, most: int | None = None, listener: Listener = ignore) -> None:
        self._most = most
        self._listener = listener
        self._sent = 0
        self._told = False
        self._lock = threading.Lock()

    def around(self, inner: Transport) -> Transport:
        return _Allowed(inner, self) if self._most is not None else inner

    def take(self, operation: str) -> None:
        """Raises RequestLimitReached."""
        with self._lock:
            if self._most is None or self._sent < self._most:
                self._sent += 1
                return
            told, self._told = self._told, True
        error = RequestLimitReached(
            f"--max-requests {self._most} is reached: {operation} and what follows was not sent.",
            next_step="What is queued is sent by: snowload replay-queue; what is not, and checks, by: snowload load",
        )
        if not told:
            self._listener(_finding(error))
        raise error


def _finding(error: RequestLimitReached) -> FindingRaised:
    found = Finding(record="instance", rule=error.code, severity=Severity.WARNING, message=str(error))
    return FindingRaised(finding=found)


class _Allowed:
    def __init__(self, inner: Transport, allowance: Allowance) -> None:
        self._inner = inner
        self._allowance = allowance

    def send(self, request: Request) -> Response:
        self._allowance.take(request.operation)
        return self._inner.send(request)
