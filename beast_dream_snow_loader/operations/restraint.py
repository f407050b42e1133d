"""All that keeps us from asking too much of a service, one of each per service and process."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.operations.bulkhead import Bulkhead, Compartment
from beast_dream_snow_loader.operations.concurrency import START, AdaptiveLimit
from beast_dream_snow_loader.operations.criticality import Criticality
from beast_dream_snow_loader.operations.governor import FIRST_COOL_DOWN_SECONDS, Governor
from beast_dream_snow_loader.operations.pace import Pace
from beast_dream_snow_loader.operations.retry_budget import RetryBudget, Tokens

MOST = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Width:
    """At most so many requests at once, ``start`` to begin with. ``first_cool_down``: seconds after a 429 that does
    not say how long. ``within`` names the service through which this one is reached: its places are needed too."""

    most: int = MOST
    start: int = START
    first_cool_down: float = FIRST_COOL_DOWN_SECONDS
    within: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restraint:
    """Of one service."""

    clock: Clock
    budget: RetryBudget
    governor: Governor
    bulkhead: Bulkhead


class Restraints:
    """Each service's, made when it is first asked for. Thread-safe.

    ``tokens`` and ``pace`` share retry budget and cool-downs with other processes; None: with nobody.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        tokens: Tokens | None = None,
        pace: Pace | None = None,
        kinds: Mapping[Criticality, Compartment] | None = None,
    ) -> None:
        self._clock = clock
        self._tokens = tokens
        self._pace = pace
        self._kinds = kinds
        self._made: dict[str, Restraint] = {}
        self._lock = threading.Lock()

    def of(self, service: str, width: Width = Width()) -> Restraint:
        with self._lock:
            if service not in self._made:
                self._made[service] = self._make(service, width)
            return self._made[service]

    def _make(self, service: str, width: Width) -> Restraint:
        limit = AdaptiveLimit(width.most, self._clock, width.start)
        governor = Governor(service, self._clock, limit, self._pace, width.first_cool_down)
        through = self._made[width.within].bulkhead if width.within else None
        bulkhead = Bulkhead(service, lambda: limit.now, self._clock, self._kinds, through)
        return Restraint(
            clock=self._clock,
            budget=RetryBudget(service, self._clock, self._tokens),
            governor=governor,
            bulkhead=bulkhead,
        )
