"""A place among those of the service before anything else happens."""

from __future__ import annotations

from dataclasses import replace

from beast_dream_snow_loader.errors import BulkheadFull
from beast_dream_snow_loader.operations.bulkhead import Bulkhead
from beast_dream_snow_loader.operations.criticality import Criticality
from beast_dream_snow_loader.transport.messages import Request, Response
from beast_dream_snow_loader.transport.observing import RequestMeter
from beast_dream_snow_loader.transport.port import Transport


class Bulkheading:
    """Raises BulkheadFull, counted as ``rejected``."""

    def __init__(self, inner: Transport, bulkhead: Bulkhead, meter: RequestMeter) -> None:
        self._inner = inner
        self._bulkhead = bulkhead
        self._meter = meter

    def send(self, request: Request) -> Response:
        try:
            with self._bulkhead.place(request.criticality, request.operation):
                return self._inner.send(request)
        except BulkheadFull:
            self._meter.count("rejected")
            raise


class Spare:
    """Outermost: every request can be asked again at any time, and gives way to those of a run."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner

    def send(self, request: Request) -> Response:
        return self._inner.send(replace(request, criticality=Criticality.SPARE))
