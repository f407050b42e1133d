"""Connections that know whether a byte of the request has left, and when the answer must be whole.

The first makes NotSent a fact and not a guess; the second ends an answer that trickles in, headers and all.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from beast_dream_snow_loader.transport.manners import is_link_local


class _Progress(threading.local):
    """One request per thread at a time, so a thread-local says it all. ``left``: seconds until time is over."""

    def __init__(self) -> None:
        self.sent = False
        self.left: Callable[[], float] = lambda: float("inf")

    def begin(self, left: Callable[[], float]) -> None:
        self.sent, self.left = False, left


progress = _Progress()


class _Timed(io.RawIOBase):
    """A socket's bytes. The socket's own time limit is for each read alone; ``progress.left`` is for all of them."""

    def __init__(self, stream: io.BufferedIOBase, sock: socket.socket) -> None:
        self._raw = stream.detach()
        self._sock = sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = progress.left()
        if left <= 0:
            raise TimeoutError("the answer took too long")
        if left < (self._sock.gettimeout() or float("inf")):
            self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *arguments: Any, **named: Any) -> None:
        super().__init__(sock, *arguments, **named)
        self.fp = io.BufferedReader(_Timed(self.fp, sock))


class _Noting(HTTPConnection):
    """Bytes of a proxy's CONNECT are not bytes of the request."""

    response_class = _TimedResponse
    _connecting: bool = False

    def connect(self) -> None:
        self._connecting = True
        try:
            super().connect()
        finally:
            self._connecting = False
        if self.sock is not None and is_link_local(str(self.sock.getpeername()[0])):
            self.close()
            raise OSError("the name leads to a link-local address")

    def send(self, data: Any) -> None:
        if self.sock is None and self.auto_open:
            self.connect()
        if not self._connecting:
            progress.sent = True
        super().send(data)


class _PlainConnection(_Noting):
    pass


class _SecureConnection(_Noting, HTTPSConnection):
    pass


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


_POOLS = {"http": _PlainPool, "https": _SecurePool}


class Adapter(HTTPAdapter):
    """One pooled connection per host, no retries of urllib3's own, and TLS only as ``context`` and ``pin`` say."""

    def __init__(self, context: ssl.SSLContext, pin: str) -> None:
        self._tls: dict[str, Any] = {"ssl_context": context, "assert_fingerprint": pin or None}
        super().__init__(pool_connections=4, pool_maxsize=1, max_retries=0)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def build_connection_pool_key_attributes(  # type: ignore[override]
        self, request: Any, verify: Any, cert: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        host, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        return dict(host), (self._tls if host["scheme"] == "https" else {})

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Nothing: requests would add its own bundle of authorities to the context."""


def causes(error: BaseException) -> Iterable[BaseException]:
    """The error and everything behind it, as urllib3 and requests wrap things: by cause, context, reason, argument."""
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        behind = (one.__cause__, one.__context__, getattr(one, "reason", None), *one.args)
        waiting.extend(other for other in behind if isinstance(other, BaseException))
