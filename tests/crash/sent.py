"""What ServiceNow was sent and carried out: request by request, as the things in it, knowing nothing of the program."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from beast_dream_snow_loader.sandbox.messages import HttpAnswer, HttpRequest
from beast_dream_snow_loader.sandbox.servicenow.app import ServiceNowApp

_READING_POSTS = ("/queryEnhanced", "/v1/batch", "/oauth_token.do")
_TIMES = ("last_discovered", "first_discovered")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """``things``: CIs with the values they were sent with, and relations; of the Table path the one row."""

    run: str
    things: frozenset[str]


class Witness:
    """The instance, with somebody at its door who notes what was carried out, and for which run."""

    def __init__(self, app: ServiceNowApp) -> None:
        self._app = app
        self.sent: list[Sent] = []
        self.asked = 0
        self.meanwhile: Callable[[int], None] = lambda _number: None
        """Told the number of each request before it is answered, while its sender waits."""

    def answer(self, request: HttpRequest) -> HttpAnswer:
        self.asked += 1
        self.meanwhile(self.asked)
        answer = self._app.answer(request)
        reads = request.method == "GET" or request.path.endswith(_READING_POSTS)
        if not reads and answer.status < 400:
            run = request.headers.get("x-correlation-id", "")
            self.sent.append(Sent(run=run, things=frozenset(_things(request))))
        return answer

    def control(self, request: HttpRequest) -> HttpAnswer | None:
        return self._app.control(request)


def sent_again(sent: Sequence[Sent]) -> Sequence[Sent]:
    """The requests of the first of these runs of which a later one has sent anything once more.

    What one process writes down and sends as one has one fate; so these are the batches that were sent again, however
    many requests that took: a narrowed size, or relations that then go alone, make more of them and send nothing more.
    """
    mine = [one for one in sent if one.run == sent[0].run] if sent else []
    later: set[str] = set().union(*(one.things for one in sent if one.run != sent[0].run)) if sent else set()
    seen: set[str] = set()
    again = []
    for one in mine:
        if (one.things - seen) & later:
            again.append(one)
        seen |= one.things
    return again


def names(sent: Sent) -> Iterator[tuple[str, str]]:
    """The CIs that it gave a name to by the engine: native key and name."""
    for thing in sent.things:
        key, _, values = thing.partition(" ")
        if values.startswith("{") and "name" in (told := json.loads(values)):
            yield key, told["name"]


def _things(request: HttpRequest) -> Iterator[str]:
    body = json.loads(request.body) if request.body else {}
    if "/identifyreconcile" not in request.path:
        yield f"{request.method} {request.path} {_told(body)}"
        return
    yield from (_item(item) for item in body["items"])
    yield from (f"{edge['parent_id']} {edge['type']} {edge['child_id']}" for edge in body.get("relations", ()))


def _item(item: Mapping[str, Any]) -> str:
    return f"{item['internal_id']} {_told(item['values'])}"


def _told(values: Mapping[str, Any]) -> str:
    return json.dumps({name: value for name, value in values.items() if name not in _TIMES}, sort_keys=True)
