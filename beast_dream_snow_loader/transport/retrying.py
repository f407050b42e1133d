"""The one retry layer: what is safe to repeat is repeated, as often and as late as the policy and the server say."""

from __future__ import annotations

from dataclasses import replace

from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.errors import NotSent, OutcomeUnknown, ServerFault, Throttled
from beast_dream_snow_loader.operations.retry import RetryManager, RetryPolicy, retry_after
from beast_dream_snow_loader.transport.base import Transport
from beast_dream_snow_loader.transport.messages import Request, Response
from beast_dream_snow_loader.transport.observing import RequestMeter

GIVE_UP = -1.0


class Retrying:
    """NotSent and 429 are always safe; an unknown outcome and a 5xx only for a repeatable request.

    ``deadline`` is in seconds over all attempts. Raises the last error; Throttled carries the wait that was asked for.
    """

    def __init__(
        self, inner: Transport, policy: RetryPolicy, meter: RequestMeter, clock: Clock, deadline: float = 60.0
    ) -> None:
        self._inner = inner
        self._policy = replace(policy, retryable_exceptions=(NotSent, Throttled, OutcomeUnknown, ServerFault))
        self._manager = RetryManager(self._policy, clock=clock)
        self._meter = meter
        self._clock = clock
        self._deadline = deadline

    def send(self, request: Request) -> Response:
        ends = self._clock.monotonic() + self._deadline
        attempts = 0

        def once() -> Response:
            nonlocal attempts
            attempts += 1
            if attempts > 1:
                self._meter.count("retries")
            return self._unless_throttled(request)

        return self._manager.execute_with_retry(
            once, operation_name=request.operation, wait=lambda error, _: self._wait(error, request, ends)
        )

    def _unless_throttled(self, request: Request) -> Response:
        response = self._inner.send(request)
        if response.status == 429:
            raise Throttled(
                f"The server asks to slow down ({request.operation}, 429).",
                next_step="Try again later, or lower servicenow.concurrency.",
                retry_after=retry_after(response.headers, self._clock.now()),
            )
        return response

    def _wait(self, error: BaseException, request: Request, ends: float) -> float | None:
        """Seconds to wait, None for the policy's own, negative to give up."""
        if self._clock.monotonic() >= ends:
            return GIVE_UP
        if isinstance(error, OutcomeUnknown | ServerFault) and not request.repeatable:
            return GIVE_UP
        if isinstance(error, Throttled) and error.retry_after is not None:
            return error.retry_after if self._clock.monotonic() + error.retry_after < ends else GIVE_UP
        return None
