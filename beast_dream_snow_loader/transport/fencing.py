"""No write leaves once another run holds the target (Q13): asked right before each, for a batch is many requests and
waits for its turn."""

from __future__ import annotations

from collections.abc import Callable

from beast_dream_snow_loader.transport.messages import Request, Response
from beast_dream_snow_loader.transport.port import Transport


def _unasked() -> None:
    """Whoever holds nothing has nothing to lose: what makes no run writes nothing."""


class Tenure:
    """Whether this run still holds its target. ``confirm`` is set once it does; it raises when it no longer does."""

    def __init__(self) -> None:
        self.confirm: Callable[[], None] = _unasked

    def around(self, inner: Transport) -> Transport:
        return _Fenced(inner, self)


class _Fenced:
    def __init__(self, inner: Transport, tenure: Tenure) -> None:
        self._inner = inner
        self._tenure = tenure

    def send(self, request: Request) -> Response:
        """Raises what ``confirm`` does: then not a byte has left."""
        if not request.reads:
            self._tenure.confirm()
        return self._inner.send(request)
