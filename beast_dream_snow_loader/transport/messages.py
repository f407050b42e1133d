"""What goes over the wire, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from beast_dream_snow_loader.operations.criticality import Criticality


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """``repeatable``: sending it twice does no more than sending it once (a read, or a write keyed by the server).

    ``operation`` is a short name for logs and metrics (``ire.enhanced``). ``reads`` marks what changes nothing on
    the far side: a read-only transport refuses everything else. ``timeout`` is the read timeout
    in seconds, where it is not the client's.
    ``attempt`` counts from 1 and is set by the retrying layer.
    """

    method: str
    url: str
    operation: str
    params: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    repeatable: bool = False
    reads: bool = False
    timeout: float | None = None
    attempt: int = 1
    criticality: Criticality = Criticality.ROUTINE


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """Any status. ``headers`` are looked up without regard to case through :meth:`header`; keys are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str
    milliseconds: float = 0.0

    def header(self, name: str) -> str | None:
        return self.headers.get(name.lower())
