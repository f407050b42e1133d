"""No write leaves: the transport itself refuses what would change the far side."""

from __future__ import annotations

from collections.abc import Callable

from beast_dream_snow_loader.errors import ReadOnlyMode, Refused, SnowloadError
from beast_dream_snow_loader.transport.messages import Request, Response
from beast_dream_snow_loader.transport.port import Transport

Refusal = Callable[[Request], SnowloadError]


def dry_run(request: Request) -> SnowloadError:
    """A write during a dry run is a mistake of ours."""
    return Refused(f"{request.operation} would write during a dry run: not sent.")


def held_back(request: Request) -> SnowloadError:
    """A write in read-only mode is queued."""
    return ReadOnlyMode(f"{request.operation} was not sent: servicenow.mode is read-only.")


class ReadingOnly:
    def __init__(self, inner: Transport, refusal: Refusal = dry_run) -> None:
        self._inner = inner
        self._refusal = refusal

    def send(self, request: Request) -> Response:
        if not request.reads:
            raise self._refusal(request)
        return self._inner.send(request)
