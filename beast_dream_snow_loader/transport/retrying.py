"""The one retry layer: what is safe to repeat is repeated, as often and as late as the policy and the server say."""

from __future__ import annotations

from dataclasses import replace

from beast_dream_snow_loader.core.events import Listener, RetryDecided
from beast_dream_snow_loader.errors import (
    BulkheadFull,
    CircuitBreakerOpen,
    NotSent,
    OutcomeUnknown,
    RequestLimitReached,
    ServerFault,
    SnowloadError,
    Throttled,
)
from beast_dream_snow_loader.operations.criticality import Criticality
from beast_dream_snow_loader.operations.pace import after_cool_down, how_long
from beast_dream_snow_loader.operations.restraint import Restraint
from beast_dream_snow_loader.operations.retry import RetryManager, RetryPolicy, retry_after
from beast_dream_snow_loader.transport.messages import Request, Response
from beast_dream_snow_loader.transport.observing import RequestMeter
from beast_dream_snow_loader.transport.pacing import NotYet
from beast_dream_snow_loader.transport.port import Transport
from beast_dream_snow_loader.transport.statuses import FAULTS, THROTTLED

DEADLINE_SECONDS = 60.0
_SPARE_ATTEMPTS = 2
"""For what can be asked again at any time."""
_NOT_ON_THE_WIRE = (NotYet, BulkheadFull, CircuitBreakerOpen, RequestLimitReached)
_NO_WAIT = 0.0
_SPARE_WAIT_SECONDS = 5.0
"""What is spare says that a service is left alone rather than wait for it any longer."""


class Retrying:
    """By class of error: NotSent and 429 are always safe to repeat; an unknown outcome and a fault only for a
    repeatable request; a refused login never (its token is renewed once, below). By criticality: what is spare is tried
    twice at most. In all: as many retries as the budget of the service allows.

    While the service is to be left alone the request waits for its turn, which is no attempt; not beyond the policy's
    deadline (60 s unless it has one).

    Raises the last error: Throttled for 429, with the wait that was asked for; ServerFault for 500, 502, 503 and 504;
    what came from below for the rest. Every other status is an answer and is returned.
    """

    def __init__(
        self,
        inner: Transport,
        policy: RetryPolicy,
        restraint: Restraint,
        meter: RequestMeter,
        listener: Listener,
    ) -> None:
        self._inner = inner
        self._service = restraint.budget.service
        self._deadline = DEADLINE_SECONDS if policy.deadline_seconds is None else policy.deadline_seconds
        self._policy = replace(policy, deadline_seconds=self._deadline)
        self._spare = replace(self._policy, max_attempts=min(policy.max_attempts, _SPARE_ATTEMPTS))
        self._manager = RetryManager(self._policy, clock=restraint.clock)
        self._budget = restraint.budget
        self._meter = meter
        self._clock = restraint.clock
        self._listener = listener

    def send(self, request: Request) -> Response:
        ends = self._clock.monotonic() + self._deadline
        attempt = 0

        def once() -> Response:
            nonlocal attempt
            attempt += 1
            return self._counted(request if attempt == 1 else replace(request, attempt=attempt), ends)

        return self._manager.execute_with_retry(
            once,
            self._spare if request.criticality is Criticality.SPARE else self._policy,
            request.operation,
            delay=lambda error, count: self._delay(error, count, request),
            permit=lambda error, count, seconds: self._permitted(error, count, seconds, request),
        )

    def _counted(self, request: Request, ends: float) -> Response:
        """One attempt; a first one on the wire earns a tenth of a retry."""
        try:
            response = self._in_turn(request, ends)
        except _NOT_ON_THE_WIRE:
            raise
        except SnowloadError:
            self._count(request)
            raise
        self._count(request)
        return self._judged(request, response)

    def _count(self, request: Request) -> None:
        if request.attempt == 1:
            self._budget.earn()
        else:
            self._meter.count("retries")

    def _in_turn(self, request: Request, ends: float) -> Response:
        """Waits as long as the service is to be left alone, if the deadline allows."""
        while True:
            try:
                return self._inner.send(request)
            except NotYet as early:
                before = self._clock.monotonic()
                spare = request.criticality is Criticality.SPARE
                if before + early.seconds >= ends or (spare and early.seconds > _SPARE_WAIT_SECONDS):
                    raise
                self._meter.count("waits")
                self._clock.sleep(early.seconds)
                if self._clock.monotonic() - before < early.seconds / 2:
                    raise  # woken: the program is asked to stop

    def _judged(self, request: Request, response: Response) -> Response:
        if response.status != THROTTLED and response.status not in FAULTS:
            return response
        asked = retry_after(response.headers, self._clock.now())
        if response.status == THROTTLED:
            raise self._throttled(request.operation, asked)
        raise ServerFault(
            f"{self._service} failed while answering {request.operation} ({response.status}).",
            next_step="Try again later.",
            status=response.status,
            retry_after=asked,
        )

    def _throttled(self, operation: str, asked: float | None) -> Throttled:
        told, step = (
            f"{self._service} asks to slow down ({operation}, 429)",
            "Try again later, or with less concurrency.",
        )
        if asked:
            told = f"{told} and to be left alone for {how_long(asked, self._clock.now())}"
            step = after_cool_down(self._service)
        return Throttled(f"{told}.", next_step=step, retry_after=asked)

    def _delay(self, error: BaseException, attempt: int, request: Request) -> float | None:
        """Exactly what the server asks for, else the policy's back-off; None for what must not be sent again.

        After a 429 without a word the service's cool-down says how long.
        """
        if isinstance(error, NotYet):
            return None
        if isinstance(error, Throttled):
            return _NO_WAIT if error.retry_after is None else error.retry_after
        if isinstance(error, NotSent):
            return self._manager.calculate_delay(attempt)
        if isinstance(error, ServerFault) and request.repeatable:
            return self._manager.calculate_delay(attempt) if error.retry_after is None else error.retry_after
        if isinstance(error, OutcomeUnknown) and request.repeatable and error.repeat_helps:
            return self._manager.calculate_delay(attempt)
        return None

    def _permitted(self, error: BaseException, attempt: int, seconds: float, request: Request) -> bool:
        permitted = self._budget.spend()
        if not permitted:
            self._meter.count("retries_refused")
            error.add_note(f"{request.operation}: not tried again, the retry budget of {self._service} is spent")
        self._listener(
            RetryDecided(
                service=self._service,
                operation=request.operation,
                attempt=attempt,
                seconds=seconds if permitted else None,
                error=error.code if isinstance(error, SnowloadError) else type(error).__name__,
            )
        )
        return permitted
