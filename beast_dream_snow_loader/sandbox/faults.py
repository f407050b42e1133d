"""Faults on request: what goes wrong, and for which requests.

A :class:`Fault` is data; a :class:`FaultPlan` counts requests and says which fault a request meets. The server plays
it (``playing.py``), so any application can be made to fail without knowing.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fnmatch import fnmatchcase

from beast_dream_snow_loader.clock import Clock, SystemClock


class Effect(StrEnum):
    """What happens to a request. ``acts`` of a :class:`Fault` says whether the application has acted before."""

    STATUS = "status"
    """An answer of its own: ``status``, ``headers``, ``body``."""
    RESET_BEFORE = "reset_before"
    """The connection is reset and the application never sees the request."""
    RESET_AFTER = "reset_after"
    """The application acts, then the connection is reset and its answer is lost."""
    LATE = "late"
    """The connection is reset, and the application acts ``seconds`` later, whether or not anybody still waits."""
    TWICE = "twice"
    """The application gets the request twice, as from a proxy that tries again; the second answer is sent."""
    HANG = "hang"
    """Silence for ``seconds``, then the connection is reset."""
    DRIP = "drip"
    """The application's answer, in small pieces spread over ``seconds``."""
    CUT_BODY = "cut_body"
    """The whole length is promised, ``keep`` of the body is sent, then the connection closes."""
    CUT_JSON = "cut_json"
    """A complete answer with the application's status whose body stops at ``keep`` of its length."""
    HIBERNATING = "hibernating"
    """200 and the page of a developer instance that sleeps."""
    EMPTY_202 = "empty_202"
    """202 without a body: dropped by the session queue, nothing done."""
    REDIRECT = "redirect"
    """302 to ``body`` as the address (default: a login page)."""
    LATENCY = "latency"
    """``seconds`` plus a seeded share of ``spread_seconds`` before the request is looked at; then all is normal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault and the requests it is for. A request must satisfy every selector that is set.

    ``path`` is a glob on the decoded path (``/api/now/*``). Counting selectors count the requests that match
    ``method`` and ``path``, from 1: ``nth`` exactly that one, ``first`` the first so many, ``every`` each so-manieth,
    ``from_request``/``until_request`` a window with both ends in it. ``from_seconds``/``until_seconds`` is a window
    on the plan's clock, counted from its start. ``probability`` is drawn from ``seed`` and the count, so the same
    requests fail in every run. ``active`` False rests until :meth:`FaultPlan.switch` wakes it.
    """

    effect: Effect
    name: str = ""
    method: str = ""
    path: str = ""
    nth: int = 0
    first: int = 0
    every: int = 0
    from_request: int = 0
    until_request: int = 0
    from_seconds: float | None = None
    until_seconds: float | None = None
    probability: float = 1.0
    seed: int = 0
    active: bool = True
    status: int = 503
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    seconds: float = 0.0
    spread_seconds: float = 0.0
    keep: float = 0.5
    acts: bool = False

    def concerns(self, method: str, path: str) -> bool:
        """Whether the request counts for this fault at all."""
        return (not self.method or self.method.upper() == method) and (not self.path or fnmatchcase(path, self.path))

    def strikes(self, count: int, elapsed: float) -> bool:
        """Whether the ``count``-th concerned request, ``elapsed`` seconds after the start, meets the fault."""
        return (
            self.active
            and self._counted(count)
            and self._timed(elapsed)
            and (self.probability >= 1.0 or chance(self.seed, count) < self.probability)
        )

    def delay(self, count: int) -> float:
        """Seconds of latency for the ``count``-th request."""
        return self.seconds + (self.spread_seconds * chance(self.seed, count) if self.spread_seconds else 0.0)

    def _counted(self, count: int) -> bool:
        return (
            (not self.nth or count == self.nth)
            and (not self.first or count <= self.first)
            and (not self.every or count % self.every == 0)
            and (not self.from_request or count >= self.from_request)
            and (not self.until_request or count <= self.until_request)
        )

    def _timed(self, elapsed: float) -> bool:
        return (self.from_seconds is None or elapsed >= self.from_seconds) and (
            self.until_seconds is None or elapsed < self.until_seconds
        )


def chance(seed: int, count: int) -> float:
    """A number in [0, 1) that depends on nothing but its arguments."""
    return zlib.crc32(f"{seed}:{count}:{seed ^ count * 2654435761}".encode()) / 2**32


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one request meets: a wait, and then at most one fault."""

    wait: float = 0.0
    fault: Fault | None = None


@dataclass(slots=True)
class _Entry:
    fault: Fault
    count: int = 0
    struck: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFault:
    """A fault in a plan with its number there, the requests it has counted and those it has struck."""

    number: int
    fault: Fault
    count: int
    struck: int


_NOTHING = Verdict()


@dataclass(slots=True)
class FaultPlan:
    """Thread-safe list of faults. Every fault counts every request that concerns it; the first that strikes decides."""

    clock: Clock = field(default_factory=SystemClock)
    _entries: dict[int, _Entry] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _started: float = 0.0
    _last: int = 0

    def __post_init__(self) -> None:
        self._started = self.clock.monotonic()

    def add(self, *faults: Fault) -> int:
        """Append; the number of the last one, for :meth:`remove`."""
        with self._lock:
            for fault in faults:
                self._last += 1
                self._entries[self._last] = _Entry(fault)
            return self._last

    def remove(self, number: int) -> bool:
        with self._lock:
            return self._entries.pop(number, None) is not None

    def clear(self) -> None:
        """No faults, and the plan's time starts again at zero."""
        with self._lock:
            self._entries.clear()
            self._started = self.clock.monotonic()

    def switch(self, name: str, active: bool) -> int:
        """Turn every fault of that name on or off: an outage by hand. How many there were."""
        with self._lock:
            named = [entry for entry in self._entries.values() if entry.fault.name == name]
            for entry in named:
                entry.fault = replace(entry.fault, active=active)
            return len(named)

    def match(self, method: str, path: str) -> Verdict:
        """Count the request and say what it meets."""
        if not self._entries:
            return _NOTHING
        with self._lock:
            return self._judge(method, path, self.clock.monotonic() - self._started)

    def listing(self) -> tuple[PlannedFault, ...]:
        with self._lock:
            return tuple(
                PlannedFault(number=number, fault=entry.fault, count=entry.count, struck=entry.struck)
                for number, entry in self._entries.items()
            )

    def _judge(self, method: str, path: str, elapsed: float) -> Verdict:
        wait, decided = 0.0, None
        for entry in self._entries.values():
            if not entry.fault.concerns(method, path):
                continue
            entry.count += 1
            if not entry.fault.strikes(entry.count, elapsed):
                continue
            if entry.fault.effect is Effect.LATENCY:
                entry.struck += 1
                wait += entry.fault.delay(entry.count)
            elif decided is None:
                entry.struck += 1
                decided = entry.fault
        return Verdict(wait=wait, fault=decided)


def throttled(*, retry_after: int | None = None, body: str = "", **selectors: object) -> Fault:
    """429, with or without ``Retry-After`` (seconds). ``selectors`` are those of :class:`Fault`."""
    headers = (("Retry-After", str(retry_after)),) if retry_after is not None else ()
    return from_values({"effect": "status", "status": 429, "headers": headers, "body": body, **selectors})


def unavailable(**selectors: object) -> Fault:
    """503 with a load balancer's HTML page."""
    page = "<html><head><title>503 Service Temporarily Unavailable</title></head><body>503</body></html>"
    headers = (("Content-Type", "text/html"),)
    return from_values({"effect": "status", "status": 503, "headers": headers, "body": page, **selectors})


def from_values(values: Mapping[str, object]) -> Fault:
    """A fault from its JSON form: field names as in :class:`Fault`, ``headers`` an object or a list of pairs.

    Raises ValueError naming the field that is unknown or of the wrong type.
    """
    if "effect" not in values:
        raise ValueError("a fault needs an 'effect'")
    return Fault(**{name: _read(name, value) for name, value in values.items()})  # type: ignore[arg-type]


def to_values(fault: Fault) -> dict[str, object]:
    """The JSON form: only what differs from the defaults."""
    plain = Fault(effect=fault.effect)
    changed = {name: getattr(fault, name) for name in Fault.__slots__ if getattr(fault, name) != getattr(plain, name)}
    return {"effect": fault.effect.value, **changed}


_NUMBERS = frozenset(("from_seconds", "until_seconds", "probability", "seconds", "spread_seconds", "keep"))
_COUNTS = frozenset(("nth", "first", "every", "from_request", "until_request", "seed", "status"))
_TEXTS = frozenset(("name", "method", "path", "body"))
_SWITCHES = frozenset(("active", "acts"))


def _read(name: str, value: object) -> object:
    if name == "effect":
        return Effect(str(value))
    if name == "headers":
        return _headers(value)
    return _plain(name, value)


def _plain(name: str, value: object) -> object:
    kinds: tuple[tuple[frozenset[str], type | tuple[type, ...]], ...] = (
        (_NUMBERS, (int, float)),
        (_COUNTS, int),
        (_TEXTS, str),
        (_SWITCHES, bool),
    )
    for names, kind in kinds:
        if name in names:
            if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
                raise ValueError(f"fault field {name!r} has the wrong type")
            return value
    raise ValueError(f"a fault has no field {name!r}")


def _headers(value: object) -> tuple[tuple[str, str], ...]:
    if isinstance(value, Mapping):
        return tuple((str(name), str(text)) for name, text in value.items())
    if isinstance(value, (list, tuple)):
        return tuple((str(name), str(text)) for name, text in value)
    raise ValueError("fault field 'headers' is an object or a list of pairs")
