"""Histories of metrics as snowload would have left them: a good day, and some for everything that may go wrong.

They are made by what makes the metrics of real runs, from facts and documents, and scraped every five minutes; before
things go wrong, once an hour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

from beast_dream_snow_loader.core.measures import Sample
from beast_dream_snow_loader.core.run_samples import run_samples
from beast_dream_snow_loader.core.state_samples import StateFacts, state_samples

STEP = 300.0
HOUR = 3600.0
END = 36 * HOUR
BROKE = END - 30 * HOUR
"""From then on a bad history is bad."""
COMMON = {"environment": "production", "target": "dev1.service-now.com"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One series over time, oldest first: moments and values."""

    name: str
    labels: frozenset[tuple[str, str]]
    points: Sequence[tuple[float, float]]


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one scrape finds: facts of the state, the document of the last load, what health said."""

    facts: StateFacts
    load: Mapping[str, Any]
    health: Mapping[str, Any]

    def samples(self) -> Iterator[Sample]:
        yield from state_samples(self.facts)
        yield from run_samples(self.load)
        yield from run_samples(self.health)


def _operation(name: str, *, failed: int = 0, p95: float = 40.0) -> dict[str, Any]:
    numbers = {"p50_ms": 20.0, "p95_ms": p95, "p99_ms": p95 + 5, "average_ms": 22.0, "per_second": 3.0, "retries": 0}
    return {"operation": name, "requests": 100, "failed": failed, "answered": 100, **numbers}


def _document(moment: float) -> dict[str, Any]:
    """Of a load that went well, each a little different from the one before."""
    return {
        "schema": "snowload.load/1",
        "exit_code": 0,
        "duration_seconds": 90.0 + moment / HOUR % 7,
        "steps": [{"name": "fetch", "duration_seconds": 30.0, "records": 400}],
        "source": {"consoles": 2, "devices": 400},
        "written": {"created": int(moment / HOUR) % 3, "updated": 4},
        "failed": [],
        "held": [],
        "parked": [],
        "queued": 0,
        "findings": [{"severity": "info"}],
        "errors": [],
        "verify": {"checked": 5, "mismatches": 0},
        "links": {"rate": 0.97},
        "stale_source": None,
        "requests": {"waits": 0, "rejected": 0, "retries_refused": 0},
        "operations": [_operation("GET table.read", failed=3), _operation("POST ire.enhanced")],
        "breakers": {"opened": 0},
    }


def good(moment: float) -> Told:
    """A load every hour, through all of them."""
    last = moment - moment % HOUR
    ended = {"load": _moment(last)}
    facts = StateFacts(
        at=_moment(last),
        version="1.0",
        size_bytes=10_000_000,
        ended=ended,
        succeeded=ended,
        queue={"later": 12 if int(last / HOUR) % 5 == 0 else 0},
        oldest_queued=_moment(last) if int(last / HOUR) % 5 == 0 else None,
        breakers=(("servicenow", "closed"), ("unifi:hq", "closed")),
        snapshot=_moment(last),
        level="full" if int(last / HOUR) % 4 else "reduced",
    )
    health = {"schema": "snowload.health/1", "exit_code": 0, "checks": [{"name": "unifi", "status": "healthy"}]}
    return Told(facts=facts, load=_document(last), health=health)


Change = Callable[[Told], Told]


def _facts(**changed: Any) -> Change:
    return lambda told: replace(told, facts=replace(told.facts, **changed))


def _load(**changed: Any) -> Change:
    return lambda told: replace(told, load={**told.load, **changed})


def _failing(code: int) -> Change:
    """Loads still run, and none goes well."""
    before = {"load": _moment(BROKE)}
    return lambda told: _facts(succeeded=before)(_load(exit_code=code)(told))


BAD: Mapping[str, Change] = {
    "SnowloadNoSuccess": _failing(3),
    "SnowloadLoadFailed": _failing(5),
    "SnowloadIntegrity": _failing(12),
    "SnowloadPartial": _failing(3),
    "SnowloadStateUnreadable": _facts(up=False),
    "SnowloadMetricsOld": _facts(at=_moment(BROKE)),
    "SnowloadQueueOld": _facts(queue={"later": 5}, oldest_queued=_moment(BROKE)),
    "SnowloadQueueLong": _facts(queue={"later": 9000, "unknown": 2000}),
    "SnowloadDeadLetters": _facts(queue={"dead": 1}),
    "SnowloadBreakerOpen": _facts(breakers=(("servicenow.ire", "open"),)),
    "SnowloadSourceStale": _facts(stale_consoles=1),
    "SnowloadSourceUnread": _facts(snapshot=_moment(BROKE)),
    "SnowloadDegraded": _facts(level="stale"),
    "SnowloadWritesNotKept": _load(verify={"checked": 5, "mismatches": 2}),
    "SnowloadRelationsMissing": _load(links={"rate": 0.5}),
    "SnowloadRequestsFail": _load(operations=[_operation("GET table.read", failed=60), _operation("POST batch")]),
    "SnowloadRequestsSlow": _load(operations=[_operation("POST ire.enhanced", p95=15_000.0)]),
    "SnowloadSlower": lambda told: (
        _load(duration_seconds=900.0)(told) if told.facts.at > _moment(END - 3 * HOUR) else told
    ),
    "SnowloadUnhealthy": lambda told: replace(
        told, health={**told.health, "exit_code": 2, "checks": [{"name": "unifi", "status": "unhealthy"}]}
    ),
}
"""By alert, what makes it fire: from :data:`BROKE` on."""


Points = dict[tuple[str, frozenset[tuple[str, str]]], list[tuple[float, float]]]


def history(change: Change = lambda told: told) -> list[Series]:
    """Every series over all the time, to :data:`END`."""
    points = {key: list(values) for key, values in _before().items()}
    moment, samples = BROKE + STEP, list(change(good(BROKE)).samples())
    while moment <= END:
        if moment % HOUR == 0:  # a load: until the next one every scrape finds the same
            samples = list(change(good(moment)).samples())
        _scrape(points, moment, samples)
        moment += STEP
    return [Series(name=name, labels=labels, points=values) for (name, labels), values in points.items()]


@cache
def _before() -> Points:
    points: Points = {}
    moment = HOUR
    while moment <= BROKE:
        _scrape(points, moment, good(moment).samples())
        moment += HOUR
    return points


def _scrape(points: Points, moment: float, samples: Iterable[Sample]) -> None:
    for one in samples:
        labels = frozenset({**COMMON, **one.labels}.items())
        points.setdefault((one.name + one.suffix, labels), []).append((moment, one.value))
