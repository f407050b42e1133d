"""A threaded HTTP/1.1 server on loopback that plays faults at the socket: one thread per connection, keep-alive.

It refuses any other address: the sandbox has no access control worth the name. A bug in an application ends the
connection it happened on, with its traceback on stderr.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading
import time
from dataclasses import dataclass, field
from datetime import timedelta
from types import TracebackType
from typing import BinaryIO, cast
from urllib.parse import urlencode

from beast_dream_snow_loader.clock import Clock, SystemClock
from beast_dream_snow_loader.sandbox.certificate import Certificate
from beast_dream_snow_loader.sandbox.control import PREFIX, ControlPlane
from beast_dream_snow_loader.sandbox.faults import FaultPlan, Verdict
from beast_dream_snow_loader.sandbox.late import LateActs
from beast_dream_snow_loader.sandbox.messages import Application, HttpAnswer, HttpRequest
from beast_dream_snow_loader.sandbox.playing import Connection, play
from beast_dream_snow_loader.sandbox.request_log import LoggedRequest, RequestLog
from beast_dream_snow_loader.sandbox.wire import Incoming, Malformed, read_request

_MALFORMED = HttpAnswer(status=400, headers=(("Content-Type", "text/plain"),), body=b"not a request")


@dataclass(slots=True)
class _Open:
    """The sockets in use, so that stopping can end the threads that wait on them."""

    sockets: set[socket.socket] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, one: socket.socket) -> None:
        with self.lock:
            self.sockets.add(one)

    def discard(self, one: socket.socket) -> None:
        with self.lock:
            self.sockets.discard(one)

    def shut(self) -> None:
        with self.lock:
            for one in self.sockets:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)


class Server:
    """Serves one application. ``name`` marks its lines in a request log shared by several servers.

    ``/_sandbox/…`` is the control plane (``control.py``): never faulted, never logged.
    """

    def __init__(
        self,
        application: Application,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        faults: FaultPlan | None = None,
        tls: Certificate | None = None,
        log: RequestLog | None = None,
        name: str = "",
    ) -> None:
        if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
            raise ValueError(f"the sandbox serves on loopback only, not on {host}")
        self.application = application
        self.faults = faults if faults is not None else FaultPlan()
        self.log = log if log is not None else RequestLog()
        self.name = name or type(application).__name__
        self.tls = tls
        self._clock: Clock = SystemClock()
        self._control = ControlPlane(application=application, faults=self.faults, log=self.log, service=self.name)
        self._context = tls.server_context() if tls else None
        self._address = (host, port)
        self._listener: socket.socket | None = None
        self._open = _Open()
        self.late = LateActs()
        self._stopping = threading.Event()
        self._date = (0, "")
        self.off_by_seconds = 0.0
        """How far its clock is ahead, as its Date header tells."""

    @property
    def port(self) -> int:
        """The port in use once started; before that the one asked for."""
        return int(self._listener.getsockname()[1]) if self._listener else self._address[1]

    @property
    def url(self) -> str:
        host = f"[{self._address[0]}]" if ":" in self._address[0] else self._address[0]
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"

    def start(self) -> Server:
        """Listen and return. OSError when the port is taken."""
        family = socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET
        listener = socket.create_server(self._address, family=family, backlog=256)
        self._listener = listener
        self._stopping.clear()
        threading.Thread(target=self._accept, args=(listener,), name=f"sandbox-{self.port}", daemon=True).start()
        return self

    def stop(self) -> None:
        """Close everything at once; requests in flight are cut off."""
        self._stopping.set()
        listener, self._listener = self._listener, None
        if listener:
            self._address = (self._address[0], listener.getsockname()[1])
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self._open.shut()

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _accept(self, listener: socket.socket) -> None:
        while not self._stopping.is_set():
            try:
                accepted, _ = listener.accept()
            except OSError:
                return
            self._open.add(accepted)
            threading.Thread(target=self._serve, args=(accepted,), daemon=True).start()

    def _serve(self, accepted: socket.socket) -> None:
        peer = accepted
        try:
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context:
                peer = self._context.wrap_socket(accepted, server_side=True)
                self._open.add(peer)
            with peer.makefile("rb", 65536) as stream:
                connection = Connection(peer, self._stopping, self.late)
                while self._exchange(connection, cast(BinaryIO, stream)):
                    pass
        except OSError:
            pass  # the peer went away, or we are stopping
        finally:
            self._open.discard(accepted)
            self._open.discard(peer)
            with contextlib.suppress(OSError):
                peer.close()

    def _exchange(self, connection: Connection, stream: BinaryIO) -> bool:
        """One request and its answer; whether the connection is good for another."""
        try:
            incoming = read_request(stream, connection.go_on)
        except Malformed:
            connection.send(_MALFORMED, keep_alive=False, date=self._now())
            return False
        if incoming is None:
            return False
        if incoming.request.path.startswith(PREFIX):
            return self._steer(connection, incoming)
        return self._answer(connection, incoming)

    def _steer(self, connection: Connection, incoming: Incoming) -> bool:
        answer = self._control.answer(incoming.request)
        connection.send(answer, keep_alive=incoming.keep_alive, date=self._now())
        return incoming.keep_alive

    def _answer(self, connection: Connection, incoming: Incoming) -> bool:
        started = time.perf_counter()
        request = incoming.request
        verdict = self.faults.match(request.method, request.path)

        def told(status: int) -> None:
            self._note(request, verdict, status, (time.perf_counter() - started) * 1000)

        head_only = request.method == "HEAD"
        connection.begin(head_only=head_only, keep_alive=incoming.keep_alive, date=self._now(), told=told)
        try:
            play(verdict, connection, lambda: self.application.answer(request))
        finally:
            connection.tell(0)
        return connection.usable

    def _note(self, request: HttpRequest, verdict: Verdict, status: int, milliseconds: float) -> None:
        self.log.add(
            LoggedRequest(
                service=self.name,
                method=request.method,
                path=request.path,
                query=urlencode(request.query) if request.query else "",
                status=status,
                milliseconds=milliseconds,
                fault=verdict.fault.effect.value if verdict.fault else "",
                correlation_id=request.headers.get("x-correlation-id", ""),
                traceparent=request.headers.get("traceparent", ""),
            )
        )

    def _now(self) -> str:
        second = int(self._clock.monotonic())
        if self._date[0] != second or not self._date[1]:
            told = self._clock.now() + timedelta(seconds=self.off_by_seconds)
            self._date = (second, told.strftime("%a, %d %b %Y %H:%M:%S GMT"))
        return self._date[1]
