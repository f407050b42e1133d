"""The breakers around a transport: connection trouble and 5xx count against the service, refusals do not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from beast_dream_snow_loader.errors import NotSent, OutcomeUnknown
from beast_dream_snow_loader.operations.circuit_breaker import CircuitBreaker
from beast_dream_snow_loader.transport.messages import Request, Response
from beast_dream_snow_loader.transport.port import Transport
from beast_dream_snow_loader.transport.statuses import FAULTS

Part = Callable[[Request], CircuitBreaker | None]
"""The breaker of that part of the service which a request is for, where the service has parts."""


@dataclass(frozen=True, slots=True)
class Breakers:
    """``service`` is the transport's name, where it is not that of its breaker."""

    whole: CircuitBreaker
    part: Part = lambda _request: None
    service: str = ""

    @property
    def name(self) -> str:
        return self.service or self.whole.name


class _Faulty(Exception):
    """An answer that counts as a failure, on its way through the breaker."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


_FAILURES = (NotSent, OutcomeUnknown, _Faulty)
_UNREACHABLE = (NotSent,)


class Breaking:
    """Raises CircuitBreakerOpen while the service is left alone. A mistake of ours or a refusal counts as nothing.

    Where a request is for a part of the service with a breaker of its own, what fails counts against that part; the
    service as a whole then fails only by not being reached at all.
    """

    def __init__(self, inner: Transport, breakers: Breakers) -> None:
        self._inner = inner
        self._breakers = breakers

    def send(self, request: Request) -> Response:
        whole, part = self._breakers.whole, self._breakers.part(request)
        try:
            if part is None:
                return self._through(whole, request)
            permit = whole.permit(request.operation, patient=True)
            return permit.use(lambda: self._answered(part, request, permit.begin), _UNREACHABLE)
        except _Faulty as fault:
            return fault.response

    def _answered(self, part: CircuitBreaker, request: Request, begin: Callable[[], None]) -> Response:
        """Whatever it answers, it was reached. ``begin`` is told when the wait for the part's breaker is over."""
        try:
            return self._through(part, request, begin)
        except _Faulty as fault:
            return fault.response

    def _through(self, breaker: CircuitBreaker, request: Request, begin: Callable[[], None] = lambda: None) -> Response:
        return breaker.call(lambda: self._checked(request, begin), request.operation, failures=_FAILURES, patient=True)

    def _checked(self, request: Request, begin: Callable[[], None]) -> Response:
        begin()
        response = self._inner.send(request)
        if response.status in FAULTS:
            raise _Faulty(response)
        return response
