"""Metrics over HTTP. It is asked, and asks nobody.

The present state only: what is there is for whoever may connect, so by default that is this machine. Two paths and no
page.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import Any

from prometheus_client import make_wsgi_app

from beast_dream_snow_loader.app.failing import failed
from beast_dream_snow_loader.app.metrics import COMMAND, Readings, serving
from beast_dream_snow_loader.app.options import Place
from beast_dream_snow_loader.app.result import Result
from beast_dream_snow_loader.core.measures import Sample
from beast_dream_snow_loader.errors import BadArgument, SnowloadError
from beast_dream_snow_loader.operations.exposition import registry_of
from beast_dream_snow_loader.web.address import Address
from beast_dream_snow_loader.web.bounded import PATIENCE_SECONDS, BoundedHandler, BoundedServer

_TEXT = ("Content-Type", "text/plain; charset=utf-8")
_OK, _UNAVAILABLE, _MISSING = "200 OK", "503 Service Unavailable", "404 Not Found"


def serve_metrics(
    place: Place,
    listen: str,
    *,
    say: Callable[[str], None],
    complain: Callable[[SnowloadError], None],
    allow_remote: bool = False,
) -> Result:
    """Serve ``/metrics`` and ``/healthz`` until SIGINT (exit code 130) or SIGTERM (143). ``say`` is told the URL,
    ``complain`` why the state cannot be read, once until that changes.

    In the result BadArgument for an address that is none, is taken, or is not loopback without ``allow_remote``.
    """
    try:
        address = Address.parse(listen, allow_remote=allow_remote)
    except BadArgument as error:
        return failed(COMMAND, error, environment=place.environment or "")
    return serving(place, partial(MetricsServer, address), say=say, complain=complain)


class MetricsServer:
    """Serves while it is entered. The state is read by one peer at a time, and none waits for that longer than for a
    request. BadArgument when the address cannot be had."""

    def __init__(self, address: Address, readings: Readings) -> None:
        self._readings = readings
        self._turn = threading.Lock()
        self._scrapes: Counter[str] = Counter({"ok": 0, "failed": 0})
        try:
            self._server = BoundedServer((address.host, address.port), BoundedHandler)
        except OSError as error:
            raise BadArgument(
                f"Nothing can listen on {address.host}:{address.port}: {error.strerror}.",
                next_step="Name another port with --listen.",
            ) from None
        self._server.set_app(self._answer)

    @property
    def url(self) -> str:
        host, port = self._server.server_address[:2]
        return f"http://[{host!s}]:{port}" if ":" in str(host) else f"http://{host!s}:{port}"

    @property
    def scrapes(self) -> dict[str, int]:
        """How often it was asked for metrics, by whether the state could be read: ``ok``, ``failed``."""
        return dict(self._scrapes)

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
        if path not in ("/metrics", "/healthz"):
            return _said(start, _MISSING, "there are /metrics and /healthz")
        with self._in_turn() as mine:
            if not mine:
                return _said(start, _UNAVAILABLE, "the state is still being read for somebody else")
            if path == "/healthz":
                well = self._readings.opens()
                return _said(start, _OK if well else _UNAVAILABLE, "ok" if well else "the state cannot be read")
            samples = self._scraped()
        answer: Iterable[bytes] = make_wsgi_app(registry_of(samples, self._readings.common))(environ, start)
        return answer

    @contextmanager
    def _in_turn(self) -> Iterator[bool]:
        mine = self._turn.acquire(timeout=PATIENCE_SECONDS)
        try:
            yield mine
        finally:
            if mine:
                self._turn.release()

    def _scraped(self) -> list[Sample]:
        samples, well = self._readings.samples()
        self._scrapes["ok" if well else "failed"] += 1
        counts = [
            Sample(name="snowload_scrapes_total", value=float(count), labels={"outcome": outcome})
            for outcome, count in self._scrapes.items()
        ]
        return [*samples, *counts]


def _said(start: Callable[..., Any], status: str, text: str) -> Iterable[bytes]:
    start(status, [_TEXT])  # a list of its own: wsgiref adds the length to it
    return [f"{text}\n".encode()]
