"""What one thread keeps between requests, and when that is made anew: after connection faults in a row (X5)."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field

import requests

from beast_dream_snow_loader.operations.healing import CONNECTIONS, Healing, Healings
from beast_dream_snow_loader.transport.connections import Adapter, causes

FAULTS_IN_A_ROW = 2
"""One fewer than open a breaker: it is to be tried before the service is left alone."""
_NOT_OF_THE_POOL = (ConnectionRefusedError, socket.gaierror, ssl.SSLError)
"""Nobody listens, no such name, no trust: another connection meets the same."""


@dataclass(slots=True)
class Lane:
    """Cookies and a connection. ServiceNow runs the requests of one session one after another (servicenow-api 9.4), so
    a jar is never shared; the jar also says which node of the instance is asked.
    """

    session: requests.Session
    adapter: Adapter
    proxies: dict[str, dict[str, str]] = field(default_factory=dict)


class Renewing:
    """The lane of one thread. ``fresh`` makes one without connections and cookies.

    After two connection faults in a row the lane is put aside for a fresh one. An answer by that proves it, and the
    former is closed; a fault takes it back, cookies and all.
    """

    def __init__(self, service: str, fresh: Callable[[], Lane], healings: Healings) -> None:
        self.lane = fresh()
        self._service, self._fresh, self._healings = service, fresh, healings
        self._faults = 0
        self._former: Lane | None = None
        self._healing: Healing | None = None

    def answered(self) -> None:
        self._faults = 0
        if self._healing is not None and self._former is not None:
            self._former.adapter.close()
            self._healing.helped()
            self._former = self._healing = None

    def failed(self, error: BaseException) -> None:
        if any(isinstance(one, _NOT_OF_THE_POOL) for one in causes(error)):
            return
        if self._healing is not None and self._former is not None:
            self.lane.adapter.close()
            self.lane, self._former = self._former, None
            self._healing.taken_back("A new connection failed as well; the session before is in use again.")
            self._healing, self._faults = None, 0
            return
        self._faults += 1
        if self._faults >= FAULTS_IN_A_ROW:
            self._renew()

    def _renew(self) -> None:
        self._healing = self._healings.begin(
            CONNECTIONS,
            self._service,
            f"{self._faults} requests in a row met a broken connection.",
            "A new session and new connections are used.",
        )
        self._faults = 0
        if self._healing is not None:
            self._former, self.lane = self.lane, self._fresh()
