"""Playing a verdict on a connection: the one place where a fault becomes bytes, silence or a reset."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import replace

from beast_dream_snow_loader.sandbox.faults import Effect, Fault, Verdict
from beast_dream_snow_loader.sandbox.late import LateActs
from beast_dream_snow_loader.sandbox.messages import HttpAnswer
from beast_dream_snow_loader.sandbox.wire import head_of

Act = Callable[[], HttpAnswer]

HIBERNATION_PAGE = (
    b"<!DOCTYPE html><html><head><title>Instance Hibernating page</title></head>"
    b"<body><h1>Your instance is hibernating</h1><p>Sign in to the developer site to wake it.</p></body></html>"
)
_LOGIN = "/login.do"
_PIECES = 20
_AT_ONCE = 65536


class Connection:
    """The sending half of one client connection."""

    def __init__(self, peer: socket.socket, stopping: threading.Event, late: LateActs) -> None:
        self._peer = peer
        self._stopping = stopping
        self.late = late
        self._head_only = False
        self._date = ""
        self._told: Callable[[int], None] | None = None
        self.usable = True

    def begin(self, *, head_only: bool, keep_alive: bool, date: str, told: Callable[[int], None] | None = None) -> None:
        """Before each answer: what the request in hand wants. ``told`` hears the status once, before the first byte
        leaves, so that whoever has the answer finds it in the log."""
        self._head_only, self.usable, self._date, self._told = head_only, keep_alive, date, told

    def tell(self, status: int) -> None:
        told, self._told = self._told, None
        if told is not None:
            told(status)

    def go_on(self) -> None:
        self._peer.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

    def wait(self, seconds: float) -> None:
        """Pass the time; ends early when the server stops."""
        if seconds > 0:
            self._stopping.wait(seconds)

    def send(self, answer: HttpAnswer, *, keep_alive: bool, date: str) -> None:
        self.begin(head_only=False, keep_alive=keep_alive, date=date)
        self.whole(answer)

    def whole(self, answer: HttpAnswer) -> int:
        head, body = self._parts(answer)
        self.tell(answer.status)
        if len(body) > _AT_ONCE:
            self._peer.sendall(head)
            self._peer.sendall(body)
        else:
            self._peer.sendall(head + body)
        return answer.status

    def dripped(self, answer: HttpAnswer, seconds: float) -> int:
        """Head and body in about twenty pieces over ``seconds``."""
        data = b"".join(self._parts(answer))
        self.tell(answer.status)
        step = max(1, -(-len(data) // _PIECES))
        for start in range(0, len(data), step):
            self.wait(seconds / _PIECES)
            self._peer.sendall(data[start : start + step])
        return answer.status

    def cut(self, answer: HttpAnswer, keep: float) -> int:
        """Promise everything, send ``keep`` of the body, close in an orderly way."""
        head, body = self._parts(answer)
        self.usable = False
        self.tell(answer.status)
        self._peer.sendall(head + body[: int(len(body) * keep)])
        return answer.status

    def reset(self) -> int:
        """RST instead of FIN: SO_LINGER with zero seconds, then close."""
        self.usable = False
        self.tell(0)
        self._peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return 0

    def _parts(self, answer: HttpAnswer) -> tuple[bytes, bytes]:
        head = head_of(answer, length=len(answer.body), keep_alive=self.usable, date=self._date)
        return head, b"" if self._head_only or answer.status in (204, 304) else answer.body


def play(verdict: Verdict, connection: Connection, act: Act) -> int:
    """Answer, or fail as told. The status sent, 0 for none."""
    connection.wait(verdict.wait)
    fault = verdict.fault
    if fault is None:
        return connection.whole(act())
    if fault.acts and fault.effect in _OWN_ANSWERS:
        act()
    return _PLAYS[fault.effect](fault, connection, act)


def _reset_after(_fault: Fault, connection: Connection, act: Act) -> int:
    act()
    return connection.reset()


def _late(fault: Fault, connection: Connection, act: Act) -> int:
    connection.late.add(fault.seconds, act)
    return connection.reset()


def _twice(_fault: Fault, connection: Connection, act: Act) -> int:
    act()
    return connection.whole(act())


def _hang(fault: Fault, connection: Connection, _act: Act) -> int:
    connection.wait(fault.seconds)
    return connection.reset()


def _cut_json(fault: Fault, connection: Connection, act: Act) -> int:
    answer = act()
    return connection.whole(replace(answer, body=answer.body[: int(len(answer.body) * fault.keep)]))


def _status(fault: Fault, connection: Connection, _act: Act) -> int:
    named = {name.lower() for name, _ in fault.headers}
    kind = () if "content-type" in named or not fault.body else (("Content-Type", _kind_of(fault.body)),)
    return connection.whole(HttpAnswer(status=fault.status, headers=(*kind, *fault.headers), body=fault.body.encode()))


def _kind_of(body: str) -> str:
    try:
        json.loads(body)
    except ValueError:
        return "text/html" if body.lstrip().startswith("<") else "text/plain"
    return "application/json"


def _hibernating(fault: Fault, connection: Connection, _act: Act) -> int:
    page = fault.body.encode() or HIBERNATION_PAGE
    return connection.whole(HttpAnswer(headers=(("Content-Type", "text/html;charset=UTF-8"),), body=page))


def _redirect(fault: Fault, connection: Connection, _act: Act) -> int:
    return connection.whole(HttpAnswer(status=302, headers=(("Location", fault.body or _LOGIN),)))


_OWN_ANSWERS = frozenset((Effect.STATUS, Effect.HANG, Effect.HIBERNATING, Effect.EMPTY_202, Effect.REDIRECT))
_PLAYS: dict[Effect, Callable[[Fault, Connection, Act], int]] = {
    Effect.STATUS: _status,
    Effect.RESET_BEFORE: lambda _fault, connection, _act: connection.reset(),
    Effect.RESET_AFTER: _reset_after,
    Effect.LATE: _late,
    Effect.TWICE: _twice,
    Effect.HANG: _hang,
    Effect.DRIP: lambda fault, connection, act: connection.dripped(act(), fault.seconds),
    Effect.CUT_BODY: lambda fault, connection, act: connection.cut(act(), fault.keep),
    Effect.CUT_JSON: _cut_json,
    Effect.HIBERNATING: _hibernating,
    Effect.EMPTY_202: lambda _fault, connection, _act: connection.whole(HttpAnswer(status=202)),
    Effect.REDIRECT: _redirect,
}
