"""The one retry layer: what is safe to repeat is repeated, as often and as late as the policy and the server say."""

from __future__ import annotations

from dataclasses import replace

from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.errors import NotSent, OutcomeUnknown, ServerFault, Throttled
from beast_dream_snow_loader.operations.retry import RetryManager, RetryPolicy, retry_after
from beast_dream_snow_loader.transport.base import Transport
from beast_dream_snow_loader.transport.messages import Request, Response
from beast_dream_snow_loader.transport.observing import RequestMeter
from beast_dream_snow_loader.transport.statuses import FAULTS, THROTTLED

DEADLINE_SECONDS = 60.0


class Retrying:
    """NotSent and 429 are always safe; an unknown outcome and a fault only for a repeatable request.

    Raises the last error: Throttled for 429, with the wait that was asked for; ServerFault for 500, 502, 503 and 504;
    what came from below for the rest. Every other status is an answer and is returned.
    """

    def __init__(self, inner: Transport, service: str, policy: RetryPolicy, meter: RequestMeter, clock: Clock) -> None:
        self._inner = inner
        self._service = service
        deadline = DEADLINE_SECONDS if policy.deadline_seconds is None else policy.deadline_seconds
        self._manager = RetryManager(replace(policy, deadline_seconds=deadline), clock=clock)
        self._meter = meter
        self._clock = clock

    def send(self, request: Request) -> Response:
        attempt = 0

        def once() -> Response:
            nonlocal attempt
            attempt += 1
            if attempt == 1:
                return self._answered(request)
            self._meter.count("retries")
            return self._answered(replace(request, attempt=attempt))

        return self._manager.execute_with_retry(
            once, operation_name=request.operation, delay=lambda error, count: self._delay(error, count, request)
        )

    def _answered(self, request: Request) -> Response:
        response = self._inner.send(request)
        if response.status != THROTTLED and response.status not in FAULTS:
            return response
        asked = retry_after(response.headers, self._clock.now())
        if response.status == THROTTLED:
            raise Throttled(
                f"{self._service} asks to slow down ({request.operation}, 429).",
                next_step="Try again later, or with less concurrency.",
                retry_after=asked,
            )
        raise ServerFault(
            f"{self._service} failed while answering {request.operation} ({response.status}).",
            next_step="Try again later.",
            status=response.status,
            retry_after=asked,
        )

    def _delay(self, error: BaseException, attempt: int, request: Request) -> float | None:
        """Exactly what the server asks for, else the policy's back-off; None for what must not be sent again."""
        asked: float | None = None
        if isinstance(error, OutcomeUnknown):
            if not (request.repeatable and error.repeat_helps):
                return None
        elif isinstance(error, ServerFault):
            if not request.repeatable:
                return None
            asked = error.retry_after
        elif isinstance(error, Throttled):
            asked = error.retry_after
        elif not isinstance(error, NotSent):
            return None
        return self._manager.calculate_delay(attempt) if asked is None else asked
