"""A dry run cannot write: the transport itself refuses what would change the far side."""

from __future__ import annotations

from beast_dream_snow_loader.errors import Refused
from beast_dream_snow_loader.transport.base import Transport
from beast_dream_snow_loader.transport.messages import Request, Response


class ReadingOnly:
    def __init__(self, inner: Transport) -> None:
        self._inner = inner

    def send(self, request: Request) -> Response:
        if not request.reads:
            raise Refused(f"{request.operation} would write during a dry run: not sent.")
        return self._inner.send(request)
