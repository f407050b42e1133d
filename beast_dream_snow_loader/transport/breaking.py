"""The breaker around a transport: connection trouble and 5xx count against the service, refusals do not."""

from __future__ import annotations

from beast_dream_snow_loader.errors import NotSent, OutcomeUnknown
from beast_dream_snow_loader.operations.circuit_breaker import CircuitBreaker
from beast_dream_snow_loader.transport.base import Transport
from beast_dream_snow_loader.transport.messages import Request, Response
from beast_dream_snow_loader.transport.statuses import FAULTS


class _Faulty(Exception):
    """An answer that counts as a failure, on its way through the breaker."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


_FAILURES = (NotSent, OutcomeUnknown, _Faulty)


class Breaking:
    """Raises CircuitBreakerOpen while the service is left alone. A mistake of ours or a refusal counts as nothing."""

    def __init__(self, inner: Transport, breaker: CircuitBreaker) -> None:
        self._inner = inner
        self._breaker = breaker

    def send(self, request: Request) -> Response:
        try:
            return self._breaker.call(lambda: self._checked(request), request.operation, failures=_FAILURES)
        except _Faulty as fault:
            return fault.response

    def _checked(self, request: Request) -> Response:
        response = self._inner.send(request)
        if response.status in FAULTS:
            raise _Faulty(response)
        return response
