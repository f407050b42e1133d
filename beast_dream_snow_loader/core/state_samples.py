"""The metrics of the state: what waits, what is left alone, when something last went well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from beast_dream_snow_loader.core.degradation import RANK, Level
from beast_dream_snow_loader.core.measures import Sample

BREAKERS = ("servicenow", "unifi")
"""Those that are told of even when nothing was ever remembered of them."""
_STATES = ("closed", "half_open", "open")


@dataclass(frozen=True, slots=True, kw_only=True)
class StateFacts:
    """What was read. ``ended`` and ``succeeded``: when, by command. ``breakers``: name and state of each.

    ``up`` False: it could not be read, None: nobody looked; the rest then says nothing.
    """

    at: datetime
    version: str
    up: bool | None = True
    size_bytes: int = 0
    ended: Mapping[str, datetime] = field(default_factory=dict)
    succeeded: Mapping[str, datetime] = field(default_factory=dict)
    queue: Mapping[str, int] = field(default_factory=dict)
    oldest_queued: datetime | None = None
    breakers: Iterable[tuple[str, str]] = ()
    snapshot: datetime | None = None
    stale_consoles: int = 0
    level: str = ""


def state_samples(facts: StateFacts) -> Iterator[Sample]:
    """As :data:`~.measures.MEASURES` describes them."""
    yield _told("build_info", 1, version=facts.version)
    yield _told("exposition_timestamp_seconds", facts.at.timestamp())
    if facts.up is not None:
        yield _told("state_up", facts.up)
    if facts.up:
        yield from _read(facts)


def _read(facts: StateFacts) -> Iterator[Sample]:
    yield _told("state_size_bytes", facts.size_bytes)
    for command, ended in facts.ended.items():
        yield _told("last_run_timestamp_seconds", ended.timestamp(), command=command)
        good = facts.succeeded.get(command)
        yield _told("last_success_timestamp_seconds", good.timestamp() if good else 0, command=command)
    for state in ("later", "dead", "open", "unknown"):
        yield _told("queue_entries", facts.queue.get(state, 0), state=state)
    if facts.oldest_queued is not None:
        yield _told("queue_oldest_timestamp_seconds", facts.oldest_queued.timestamp())
    yield from _breakers(facts.breakers)
    if facts.snapshot is not None:
        yield _told("snapshot_timestamp_seconds", facts.snapshot.timestamp())
    yield _told("stale_consoles", facts.stale_consoles)
    if facts.level in RANK:
        yield _told("degradation_level", RANK[Level(facts.level)])


def _breakers(found: Iterable[tuple[str, str]]) -> Iterator[Sample]:
    """Consoles have names that people gave them: theirs count together."""
    counts = Counter((name.partition(":")[0], state) for name, state in found)
    for name in sorted({*BREAKERS, *(name for name, _ in counts)}):
        for state in _STATES:
            yield _told("breakers", counts[name, state], breaker=name, state=state)


def _told(name: str, value: float, **labels: str) -> Sample:
    return Sample(name=f"snowload_{name}", value=float(value), labels=labels)
