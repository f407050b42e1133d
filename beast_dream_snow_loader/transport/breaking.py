"""The breaker around a transport: connection trouble and 5xx count against the service, refusals do not."""

from __future__ import annotations

from beast_dream_snow_loader.errors import ServerFault
from beast_dream_snow_loader.operations.circuit_breaker import CircuitBreaker
from beast_dream_snow_loader.transport.base import Transport
from beast_dream_snow_loader.transport.messages import Request, Response


class Breaking:
    """Raises CircuitBreakerOpen when the service is left alone, ServerFault for a 5xx answer."""

    def __init__(self, inner: Transport, breaker: CircuitBreaker) -> None:
        self._inner = inner
        self._breaker = breaker

    def send(self, request: Request) -> Response:
        return self._breaker.call(lambda: self._checked(request), request.operation)

    def _checked(self, request: Request) -> Response:
        response = self._inner.send(request)
        if response.status >= 500:
            raise ServerFault(
                f"{self._breaker.name} failed while answering {request.operation} ({response.status}).",
                next_step="Try again later.",
                status=response.status,
            )
        return response
