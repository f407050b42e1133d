"""What a sandbox application is asked and what it answers; the server in ``serving.py`` does the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """``path`` is percent-decoded and without the query; ``query`` keeps order and repeats; header names lower case."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def parameter(self, name: str, default: str = "") -> str:
        return next((value for key, value in self.query if key == name), default)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """``headers`` as sent, repeats allowed (``Set-Cookie``); Content-Length is added by the server."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


class Application(Protocol):
    def answer(self, request: HttpRequest) -> HttpAnswer:
        """Thread-safe; called from one thread per connection."""
