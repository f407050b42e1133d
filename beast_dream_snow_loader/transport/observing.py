"""Every exchange counted and told, whatever became of it."""

from __future__ import annotations

import threading
from collections import Counter

from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.core.events import Listener, RequestFinished
from beast_dream_snow_loader.errors import TransportError
from beast_dream_snow_loader.operations.correlation import spanning
from beast_dream_snow_loader.transport.manners import origin_of
from beast_dream_snow_loader.transport.messages import Request, Response
from beast_dream_snow_loader.transport.port import Transport

_COUNTED = ("servicenow", "unifi", "retries", "retries_refused", "waits", "rejected")


class RequestMeter:
    """Requests by family of service (``servicenow``, ``unifi``), and what was made of them: ``retries`` sent,
    ``retries_refused`` by the budget, ``waits`` because a service was to be left alone, ``rejected`` for want of a
    place. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def count(self, name: str) -> None:
        with self._lock:
            self._counts[name] += 1

    def counts(self) -> dict[str, int]:
        with self._lock:
            return {name: self._counts[name] for name in _COUNTED}


class Observing:
    """One RequestFinished per exchange on the wire, a login's own included; one that failed says how long that took."""

    def __init__(self, inner: Transport, service: str, meter: RequestMeter, clock: Clock, listener: Listener) -> None:
        self._inner = inner
        self._service = service
        self._meter = meter
        self._clock = clock
        self._listener = listener

    def send(self, request: Request) -> Response:
        self._meter.count(self._service.partition(":")[0])
        with spanning() as span:
            return self._observed(request, span)

    def _observed(self, request: Request, span: str) -> Response:
        started = self._clock.monotonic()
        try:
            response = self._inner.send(request)
        except TransportError as error:
            spent = round((self._clock.monotonic() - started) * 1000, 3)
            self._tell(request, span, None, spent, error.code)
            raise
        self._tell(request, span, response.status, response.milliseconds)
        return response

    def _tell(self, request: Request, span: str, status: int | None, milliseconds: float, error: str = "") -> None:
        self._listener(
            RequestFinished(
                service=self._service,
                operation=request.operation,
                method=request.method,
                status=status,
                milliseconds=milliseconds,
                attempt=request.attempt,
                error=error,
                origin=origin_of(request.url),
                span_id=span,
            )
        )
