"""The envelopes of the three APIs, and what their contents are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import orjson

from beast_dream_snow_loader.sandbox.messages import HttpAnswer

Json = dict[str, object]
Item = TypeVar("Item")
_JSON = (("Content-Type", "application/json"),)


class Rows(Protocol):
    """A collection in order, rendered a page at a time."""

    def __len__(self) -> int: ...

    def page(self, offset: int, limit: int) -> list[Json]: ...

    def keys(self) -> Sequence[str]:
        """An opaque name per row, for tokens."""


@dataclass(frozen=True, slots=True)
class Rendered(Generic[Item]):
    """Rows made from ``items`` as they are asked for."""

    items: Sequence[Item]
    render: Callable[[Item], Json]
    key: Callable[[Item], str] = str

    def __len__(self) -> int:
        return len(self.items)

    def page(self, offset: int, limit: int) -> list[Json]:
        return [self.render(item) for item in self.items[offset : offset + limit]]

    def keys(self) -> Sequence[str]:
        return [self.key(item) for item in self.items]


def json_answer(value: object, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> HttpAnswer:
    return HttpAnswer(status=status, headers=(*_JSON, *headers), body=orjson.dumps(value))


def text_answer(text: str, status: int = 200, kind: str = "text/html; charset=utf-8") -> HttpAnswer:
    return HttpAnswer(status=status, headers=(("Content-Type", kind),), body=text.encode())


def legacy(data: Sequence[Json], status: int = 200) -> HttpAnswer:
    """The controller's envelope: single things are a list of one."""
    return json_answer({"meta": {"rc": "ok"}, "data": data}, status)


def legacy_error(message: str, status: int = 200) -> HttpAnswer:
    """An error, which the controller may well send with HTTP 200."""
    return json_answer({"meta": {"rc": "error", "msg": message}, "data": []}, status)
