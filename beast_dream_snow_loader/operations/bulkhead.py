"""Bulkheads: each service has places of its own, so that one that is sick takes nothing from the others.

Within a service the places are given by how much depends on a request (:class:`Criticality`), first come, first served
among equals. Each kind has its own bounded queue: what does not get a place in time was not sent, and is told.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field

from beast_dream_snow_loader.clock import Clock, Gate
from beast_dream_snow_loader.errors import BulkheadFull
from beast_dream_snow_loader.operations.criticality import Criticality


@dataclass(frozen=True, slots=True, kw_only=True)
class Compartment:
    """``at_once`` None: as many as the service takes. ``queue`` may wait, none longer than ``wait_seconds``."""

    at_once: int | None = None
    queue: int = 50
    wait_seconds: float = 300.0


def compartments(queue: int = 50, wait_seconds: float = 300.0) -> Mapping[Criticality, Compartment]:
    """What can be had again has one place and little patience."""
    usual = Compartment(queue=queue, wait_seconds=wait_seconds)
    spare = Compartment(at_once=1, queue=max(1, queue // 10), wait_seconds=wait_seconds / 30)
    return {Criticality.ESSENTIAL: usual, Criticality.ROUTINE: usual, Criticality.SPARE: spare}


_EARLY_SECONDS = 0.05
"""A wait that ends so long before its time was cut short."""


@dataclass(slots=True, eq=False)
class _Ticket:
    kind: Criticality
    gate: Gate
    admitted: bool = False


@dataclass(slots=True)
class _Places:
    inside: Counter[Criticality] = field(default_factory=Counter)
    waiting: list[_Ticket] = field(default_factory=list)


class Bulkhead:
    """The places of one service; ``limit`` says how many there are at the moment. Thread-safe.

    ``within``: whoever has a place here needs one there too (a console that is reached through another service).
    """

    def __init__(
        self,
        service: str,
        limit: Callable[[], int],
        clock: Clock,
        kinds: Mapping[Criticality, Compartment] | None = None,
        within: Bulkhead | None = None,
    ) -> None:
        self.service = service
        self._within = within
        self._limit = limit
        self._clock = clock
        self._kinds = kinds or compartments()
        self._places = _Places()
        self._lock = threading.Lock()

    @contextmanager
    def place(self, kind: Criticality, operation: str) -> Iterator[None]:
        """A place for as long as the block runs. Raises BulkheadFull: nothing was sent."""
        self._enter(kind, operation)
        try:
            with self._within.place(kind, operation) if self._within is not None else nullcontext():
                yield
        finally:
            with self._lock:
                self._places.inside[kind] -= 1
                self._admit()

    @property
    def full(self) -> bool:
        """Whether nobody else would get in."""
        return self._places.inside.total() >= self._limit()

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return len(self._places.waiting)

    def _enter(self, kind: Criticality, operation: str) -> None:
        with self._lock:
            if not self._places.waiting and self._fits(kind):
                self._places.inside[kind] += 1
                return
            ticket = self._queued(kind, operation)
            self._admit()
        self._wait(ticket, operation)

    def _queued(self, kind: Criticality, operation: str) -> _Ticket:
        most = self._kinds[kind].queue
        if sum(ticket.kind is kind for ticket in self._places.waiting) >= most:
            raise self._refusal(operation, f"{most} requests of its kind wait already")
        ticket = _Ticket(kind=kind, gate=self._clock.gate())
        self._places.waiting.append(ticket)
        return ticket

    def _wait(self, ticket: _Ticket, operation: str) -> None:
        most = self._kinds[ticket.kind].wait_seconds
        ends = self._clock.monotonic() + most
        ticket.gate.wait(most)
        with self._lock:
            if ticket.admitted:
                return
            self._places.waiting.remove(ticket)
        stopping = self._clock.monotonic() < ends - _EARLY_SECONDS
        why = "the program is asked to stop" if stopping else f"no place became free in {most:.0f} s"
        raise self._refusal(operation, why)

    def _admit(self) -> None:
        """Whoever fits by now: the most critical first."""
        for ticket in sorted(self._places.waiting, key=lambda one: one.kind):
            if self._fits(ticket.kind):
                self._places.inside[ticket.kind] += 1
                self._places.waiting.remove(ticket)
                ticket.admitted = True
                ticket.gate.set()

    def _fits(self, kind: Criticality) -> bool:
        inside, own = self._places.inside, self._kinds[kind].at_once
        return inside.total() < self._limit() and (own is None or inside[kind] < own)

    def _refusal(self, operation: str, why: str) -> BulkheadFull:
        return BulkheadFull(
            f"{self.service} is busy with other requests of this program: {why} ({operation} was not sent).",
            next_step="Try again later, or with fewer at once (--workers).",
        )
