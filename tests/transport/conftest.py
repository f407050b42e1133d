"""A server on loopback that remembers what it was asked, and a client of it."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator

import pytest

from beast_dream_snow_loader.sandbox.messages import HttpAnswer, HttpRequest
from beast_dream_snow_loader.sandbox.serving import Server
from beast_dream_snow_loader.transport.messages import Request


class Remembering:
    """Answers by path, 200 otherwise; ``asked`` is every request it acted upon."""

    def __init__(self) -> None:
        self.asked: list[HttpRequest] = []
        self.answers: dict[str, HttpAnswer] = {}

    def answer(self, request: HttpRequest) -> HttpAnswer:
        self.asked.append(request)
        return self.answers.get(request.path, HttpAnswer(body=b"fine"))


def packed(size: int) -> HttpAnswer:
    """``size`` zeros, a thousandth of that on the wire."""
    return HttpAnswer(headers=(("Content-Encoding", "gzip"),), body=gzip.compress(bytes(size), 9))


@pytest.fixture
def app() -> Remembering:
    return Remembering()


@pytest.fixture
def server(app: Remembering) -> Iterator[Server]:
    with Server(app) as running:
        yield running


@pytest.fixture
def get(server: Server) -> Callable[..., Request]:
    def make(path: str = "/x", **values: object) -> Request:
        return Request(**{"method": "GET", "url": f"{server.url}{path}", "operation": "test.get", **values})  # type: ignore[arg-type]

    return make
