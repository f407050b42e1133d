"""Keeps to what the service has asked for: nothing leaves during a cool-down or beyond its quota.

Waiting is not done here: it would hold a place and count as the service's slowness. :class:`NotYet` says how long.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.errors import OutcomeUnknown, Throttled
from beast_dream_snow_loader.operations.governor import Governor
from beast_dream_snow_loader.operations.pace import after_cool_down, how_long
from beast_dream_snow_loader.transport.messages import Request, Response
from beast_dream_snow_loader.transport.port import Transport
from beast_dream_snow_loader.transport.statuses import THROTTLED, UNAVAILABLE


class NotYet(Throttled):
    """Nothing was sent: the service is to be left alone for ``seconds`` more."""

    def __init__(self, service: str, operation: str, seconds: float, now: datetime) -> None:
        super().__init__(
            f"{service} is to be left alone for {how_long(seconds, now)} ({operation} was not sent).",
            next_step=after_cool_down(service),
            retry_after=seconds,
        )
        self.seconds = seconds


class Pacing:
    """``full``: whether as many requests are under way as may be, so that good answers speak for more."""

    def __init__(self, inner: Transport, governor: Governor, clock: Clock, full: Callable[[], bool]) -> None:
        self._inner = inner
        self._governor = governor
        self._clock = clock
        self._full = full

    def send(self, request: Request) -> Response:
        """Raises NotYet."""
        if (seconds := self._governor.seconds_to_wait(request.operation)) > 0:
            raise NotYet(self._governor.service, request.operation, seconds, self._clock.now())
        full, sent_at = self._full(), self._clock.monotonic()
        try:
            response = self._inner.send(request)
        except OutcomeUnknown:
            self._governor.limit.too_much(sent_at)  # a service that does not answer in time is asked less
            raise
        self._governor.answered(request.operation, response.status, response.headers, sent_at)
        self._learn(request, response, sent_at, full=full)
        return response

    def _learn(self, request: Request, response: Response, sent_at: float, *, full: bool) -> None:
        limit = self._governor.limit
        if response.status == UNAVAILABLE:
            limit.too_much(sent_at)
        elif response.status != THROTTLED:
            limit.good(request.operation, self._clock.monotonic() - sent_at, sent_at, full=full)
