"""Metrics over HTTP, by the server that prometheus-client brings along. It is asked, and asks nobody.

The present state only: what is there is for whoever may connect, so by default that is this machine. ``web/`` will be
where a server for people lives; this one has two paths and no page.
"""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from beast_dream_snow_loader.core.measures import Sample
from beast_dream_snow_loader.errors import BadArgument
from beast_dream_snow_loader.operations.exposition import registry_of
from beast_dream_snow_loader.transport.manners import is_loopback

_PATIENCE_SECONDS = 10.0
"""For a peer that does not finish its request."""
_TEXT = [("Content-Type", "text/plain; charset=utf-8")]
_HOW = "Write --listen 127.0.0.1:9464."


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    host: str
    port: int

    @classmethod
    def parse(cls, text: str, *, allow_remote: bool) -> Address:
        """``host:port``, an IPv6 address in brackets. BadArgument otherwise, and for what other machines can reach."""
        host, _, port = text.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
            raise BadArgument(f"--listen {text}: an address is host:port.", next_step=_HOW)
        if not allow_remote and not is_loopback(host):
            raise BadArgument(
                f"--listen {text}: other machines could read it, without a login and unencrypted.",
                next_step=f"{_HOW} Where the network keeps strangers out, add --allow-remote.",
            )
        return cls(host=host, port=int(port))


class MetricsServer:
    """Serves while it is entered. ``read`` gives the samples and whether the state could be read; it is asked once for
    each scrape, one after the other. BadArgument when the address cannot be had."""

    def __init__(
        self, address: Address, read: Callable[[], tuple[Sequence[Sample], bool]], common: Mapping[str, str]
    ) -> None:
        self._read, self._common = read, common
        self._lock = threading.Lock()
        self.scrapes: Counter[str] = Counter({"ok": 0, "failed": 0})
        try:
            self._server = make_server(address.host, address.port, self._answer, _server_for(address.host), _Quiet)
        except OSError as error:
            raise BadArgument(
                f"Nothing can listen on {address.host}:{address.port}: {error.strerror}.",
                next_step="Name another port with --listen.",
            ) from None

    @property
    def url(self) -> str:
        host, port = self._server.server_address[:2]
        return f"http://[{host!s}]:{port}" if ":" in str(host) else f"http://{host!s}:{port}"

    def __enter__(self) -> MetricsServer:
        threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == "/metrics":
            samples, _ = self._scraped()
            answer: Iterable[bytes] = make_wsgi_app(registry_of(samples, self._common))(environ, start)
            return answer
        if path == "/healthz":
            with self._lock:
                _, well = self._read()
            start("200 OK" if well else "503 Service Unavailable", _TEXT)
            return [b"ok\n" if well else b"the state cannot be read\n"]
        start("404 Not Found", _TEXT)
        return [b"there are /metrics and /healthz\n"]

    def _scraped(self) -> tuple[list[Sample], bool]:
        with self._lock:
            samples, well = self._read()
            self.scrapes["ok" if well else "failed"] += 1
            counts = [
                Sample(name="snowload_scrapes_total", value=float(count), labels={"outcome": outcome})
                for outcome, count in self.scrapes.items()
            ]
        return [*samples, *counts], well


class _Quiet(WSGIRequestHandler):
    timeout = _PATIENCE_SECONDS

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing: a scrape is no news."""


def _server_for(host: str) -> type[ThreadingWSGIServer]:
    class Server(ThreadingWSGIServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    return Server
