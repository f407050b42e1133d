"""Answers made to exhaust whoever reads them: a clear error, and little memory (S10)."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Iterator

import pytest

from beast_dream_snow_loader.errors import OutcomeUnknown, SourceDataInvalid
from beast_dream_snow_loader.sandbox.messages import HttpAnswer, HttpRequest
from beast_dream_snow_loader.sandbox.serving import Server
from beast_dream_snow_loader.servicenow.answers import AnswerKind, judge
from beast_dream_snow_loader.transport.http import HttpTransport
from beast_dream_snow_loader.transport.messages import Request, Response
from beast_dream_snow_loader.unifi.apis.envelopes import decoded

DEEP = 1_000_000
MOST = 50 * 1024 * 1024


class One:
    """Gives one answer to everybody."""

    body = b""
    packed = False

    def answer(self, request: HttpRequest) -> HttpAnswer:
        return HttpAnswer(headers=(("Content-Encoding", "gzip"),) if self.packed else (), body=self.body)


@pytest.fixture
def app() -> One:
    return One()


@pytest.fixture
def url(app: One) -> Iterator[str]:
    with Server(app) as running:
        yield running.url


def get(url: str) -> Response:
    return HttpTransport("gw-1").send(Request(method="GET", url=url, operation="x"))


def test_a_gigabyte_packed_into_a_megabyte_ends_early_with_the_usual_limits(app: One, url: str) -> None:
    app.packed, app.body = True, gzip.compress(bytes(8 * 1024 * 1024), 9) * 128
    tracemalloc.start()
    with pytest.raises(OutcomeUnknown, match="packed so that it becomes so") as error:
        get(url)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not error.value.repeat_helps
    assert peak < MOST


def test_a_long_list_of_like_records_is_read_for_all_that(app: One, url: str) -> None:
    rows = b"[" + b",".join(b'{"mac":"%012x","name":"sw-core","state":1}' % number for number in range(600_000)) + b"]"
    app.packed, app.body = True, gzip.compress(rows)
    assert get(url).body == rows


@pytest.mark.parametrize("opening", [b"[", b'{"result":', b'{"data":['])
def test_json_as_deep_as_a_mine_is_no_answer_and_no_crash(app: One, url: str, opening: bytes) -> None:
    app.body = opening * (DEEP // len(opening))
    answer = get(url)
    assert judge(answer).kind is AnswerKind.TRUNCATED
    with pytest.raises(SourceDataInvalid):
        decoded(answer.body, "console")
