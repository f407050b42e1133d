"""Whether what waited came to ServiceNow in the order it was queued: from what was carried out there (Q6)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.crash.sent import Sent

_OF_ITS_OWN = "correlation_id"
"""What a CI is written with and an end that is only named by its edge is not."""


Names = Mapping[str, Sequence[str]]
"""What CIs were called after their first name, one after the other."""


def disorder(sent: Sequence[Sent], names: Names) -> Iterator[str]:
    """Of one CI the older write after the newer, an edge before its ends."""
    yield from _older_after_newer(sent, names)
    yield from _before_its_ends(sent)


def out_of_turn(sent: Sequence[Sent], oldest_first: Sequence[str], at_once: int) -> Iterator[str]:
    """CIs sent by a replay that took ``at_once`` of the oldest writes, though so many others had waited longer."""
    runs: dict[str, int] = {}
    first: dict[str, int] = {}
    for one in sent:
        run = runs.setdefault(one.run, len(runs))
        for key in _written(one):
            first.setdefault(key, run)
    came = [(key, first.get(key, len(runs))) for key in oldest_first]
    for place, (key, run) in enumerate(came):
        older = sum(other >= run for _, other in came[:place])
        if older >= at_once and run < len(runs):
            yield f"{key} was sent though {older} had waited longer"


def renamed(sent: Sequence[Sent], names: Names) -> int:
    """How many CIs came under more than one name: those of which the order of their writes shows."""
    came = {(key, _name(names, key, values)) for one in sent for key, values in _items(one)}
    return len(came) - len({key for key, _ in came})


def _older_after_newer(sent: Sequence[Sent], names: Names) -> Iterator[str]:
    reached: dict[str, int] = {}
    for one in sent:
        for key, values in _items(one):
            number = _name(names, key, values)
            if number < reached.get(key, 0):
                yield f"{key} was sent as {values.get('name')} after a newer name"
            reached[key] = max(number, reached.get(key, 0))


def _name(names: Names, key: str, values: Mapping[str, Any]) -> int:
    """0: its first one. The program may add to a name."""
    told = (number for number, name in enumerate(names.get(key, ()), 1) if name in values.get("name", ""))
    return max(told, default=0)


def _before_its_ends(sent: Sequence[Sent]) -> Iterator[str]:
    there: set[str] = set()
    for one in sent:
        there |= _written(one)
        yield from (f"{edge} was drawn before {end}" for edge, ends in _edges(one) for end in ends if end not in there)


def _items(one: Sent) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for key, _, told in (thing.partition(" ") for thing in sorted(one.things)):
        if told.startswith("{"):
            yield key, json.loads(told)


def _written(one: Sent) -> set[str]:
    return {key for key, values in _items(one) if _OF_ITS_OWN in values}


def _edges(one: Sent) -> Iterator[tuple[str, tuple[str, str]]]:
    for thing in sorted(one.things):
        first, _, told = thing.partition(" ")
        if not told.startswith("{"):
            yield thing, (first, told.rpartition(" ")[2])
