"""HTTP's methods as Python's, on any transport."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict, Unpack

from beast_dream_snow_loader.transport.messages import Request, Response
from beast_dream_snow_loader.transport.port import Transport

_IDEMPOTENT = frozenset({"GET", "PUT", "DELETE"})
"""RFC 9110, 9.2.2. POST and PATCH are not."""


class CallOptions(TypedDict, total=False):
    """``operation`` names the call in logs and metrics (the method's name if missing); ``repeatable`` says that a
    POST or PATCH may be sent twice; ``timeout`` is the read timeout in seconds."""

    params: Sequence[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes
    operation: str
    repeatable: bool
    timeout: float


class Verbs:
    """Every method answers with a Response of any status the transport returns, and raises what it raises.

    ``correlation_id`` goes out as X-Correlation-ID and as the trace of ``traceparent``.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def send(self, request: Request) -> Response:
        return self._transport.send(request)

    def get(self, url: str, correlation_id: str | None = None, **options: Unpack[CallOptions]) -> Response:
        return self._call("GET", url, correlation_id, options)

    def post(self, url: str, correlation_id: str | None = None, **options: Unpack[CallOptions]) -> Response:
        return self._call("POST", url, correlation_id, options)

    def put(self, url: str, correlation_id: str | None = None, **options: Unpack[CallOptions]) -> Response:
        return self._call("PUT", url, correlation_id, options)

    def patch(self, url: str, correlation_id: str | None = None, **options: Unpack[CallOptions]) -> Response:
        return self._call("PATCH", url, correlation_id, options)

    def delete(self, url: str, correlation_id: str | None = None, **options: Unpack[CallOptions]) -> Response:
        return self._call("DELETE", url, correlation_id, options)

    def _call(self, method: str, url: str, correlation_id: str | None, options: CallOptions) -> Response:
        correlated = {"X-Correlation-ID": correlation_id} if correlation_id else {}
        return self._transport.send(
            Request(
                method=method,
                url=url,
                operation=options.get("operation", method.lower()),
                params=tuple(options.get("params", ())),
                headers={**options.get("headers", {}), **correlated},
                body=options.get("body"),
                repeatable=options.get("repeatable", method in _IDEMPOTENT),
                reads=method == "GET",
                timeout=options.get("timeout"),
            )
        )
