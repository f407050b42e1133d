"""A server whose peers are few, and patient only so long: strangers may connect to it.

The server of the standard library makes a thread for whoever connects, waits for each line anew, and takes 6 MB of
headers. Here there are so many places and a 503 beyond them, one deadline for a whole request, and a small one.
"""

from __future__ import annotations

import io
import socket
import threading
import time
from contextlib import suppress
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler

from prometheus_client.exposition import ThreadingWSGIServer

PLACES = 8
"""Connections at a time: two Prometheus servers, a monitor, and some to spare."""
PATIENCE_SECONDS = 3.0
"""For a peer to send its request, and as long again to take the answer."""
HEAD_BYTES = 16 * 1024
"""Of the request line and all headers together."""
_GLANCE_SECONDS = 0.05
_FULL = (
    b"HTTP/1.0 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nRetry-After: 1\r\n"
    b"Connection: close\r\n\r\ntoo many connections\n"
)


class BoundedServer(ThreadingWSGIServer):
    """OSError when the address cannot be had."""

    def __init__(self, address: tuple[str, int], handler: type[WSGIRequestHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._places = threading.BoundedSemaphore(PLACES)
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._places.acquire(blocking=False):
            _refuse(request)
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread could be had
            self._places.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a peer that went away or was too slow is no news, and its traceback would be noise."""


class BoundedHandler(WSGIRequestHandler):
    """One request, read whole by a deadline."""

    def setup(self) -> None:
        super().setup()
        self._head = _Head(self.connection)
        self.rfile = io.BufferedReader(self._head, 1024)
        self.wfile = _Answer(self.connection)

    def parse_request(self) -> bool:
        parsed = super().parse_request()
        if parsed and self._head.too_long:
            self.send_error(431)
            return False
        self.connection.settimeout(PATIENCE_SECONDS)
        return parsed

    def address_string(self) -> str:
        return str(self.client_address[0])

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing: a scrape is no news."""


class _Head(io.RawIOBase):
    """What a peer sends, until the deadline (TimeoutError) or so many bytes (as if it ended)."""

    def __init__(self, peer: socket.socket) -> None:
        self._peer = peer
        self._until = time.monotonic() + PATIENCE_SECONDS
        self._room = HEAD_BYTES
        self.too_long = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._peer.settimeout(max(0.001, self._until - time.monotonic()))
        self.too_long = self._room <= 0
        if self.too_long:
            return 0
        taken = self._peer.recv_into(memoryview(buffer)[: self._room])
        self._room -= taken
        return taken


class _Answer(io.BufferedIOBase):
    """What a peer is sent; one that does not take it has gone away, which is no news either."""

    def __init__(self, peer: socket.socket) -> None:
        self._peer = peer

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        try:
            self._peer.sendall(data)
        except TimeoutError:
            raise ConnectionAbortedError from None
        return len(data)


def _refuse(peer: socket.socket) -> None:
    """What has arrived is taken first: closing on it would throw the answer away."""
    peer.settimeout(_GLANCE_SECONDS)
    with suppress(OSError):
        peer.recv(HEAD_BYTES)
    with suppress(OSError):
        peer.sendall(_FULL)
