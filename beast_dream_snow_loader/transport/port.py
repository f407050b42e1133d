"""The one thing every transport does."""

from __future__ import annotations

from typing import Protocol

from beast_dream_snow_loader.transport.messages import Request, Response


class Transport(Protocol):
    """A wrapper takes a Transport and is one."""

    def send(self, request: Request) -> Response:
        """The answer, whatever its status.

        Raises NotSent (nothing left), OutcomeUnknown (sent, no whole answer), CircuitBreakerOpen (not tried).
        """
