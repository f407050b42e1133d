"""What a sandbox server was asked: the record a test or a curious user counts requests in."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRequest:
    """``status`` is 0 when no answer was sent; ``fault`` is the effect played, or ``""``. The last two are
    the headers by which a request is found again."""

    service: str
    method: str
    path: str
    query: str
    status: int
    milliseconds: float
    fault: str = ""
    correlation_id: str = ""
    traceparent: str = ""


@dataclass(slots=True)
class RequestLog:
    """The last ``limit`` requests, oldest first. Several servers may share one."""

    limit: int = 100_000
    _lines: deque[LoggedRequest] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, line: LoggedRequest) -> None:
        with self._lock:
            self._lines.append(line)
            if len(self._lines) > self.limit:
                self._lines.popleft()

    def lines(self, service: str = "") -> tuple[LoggedRequest, ...]:
        with self._lock:
            return tuple(line for line in self._lines if not service or line.service == service)

    def clear(self) -> None:
        with self._lock:
            self._lines.clear()
