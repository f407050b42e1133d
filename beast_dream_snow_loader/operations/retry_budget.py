"""How many second tries there may be in all: a tenth of the requests and three more, whoever sends them.

Retries multiply a load just when a service can bear it least. Each service has :data:`FLOOR` tokens, shared by every
thread and every process; a retry spends one. A spent token is earned back by ten requests of its holder, or comes back
:data:`RETURN_SECONDS` after it was spent. So in any minute the retries are at most ``3 + requests / 10`` (a token never
holds more than one retry, and nothing is saved up).

A process leases tokens one by one and only when it wants a retry, so that a run without trouble costs the shared
state nothing.
"""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass
from typing import Protocol

from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.errors import StateError

FLOOR = 3
RATIO = 0.1
RETURN_SECONDS = 60.0
LEASE_SECONDS = 2 * RETURN_SECONDS
"""A token is spent in the first half of its lease only: whoever has it next finds it rested."""
_PATIENCE_SECONDS = 30.0
"""How long the shared state is not asked again after it did not answer."""
_WHOLE = 1.0 - 1e-9


class Tokens(Protocol):
    """Where tokens are leased, for :data:`LEASE_SECONDS`. Both methods raise StateError when the state is away."""

    def lease(self, service: str, holder: str) -> int | float:
        """The number of a token that nobody has (int), else the seconds until one may be free (float)."""

    def renew(self, service: str, holder: str, number: int) -> bool:
        """The whole lease again; False when somebody else has the token by now."""


class OwnTokens:
    """The tokens of one process that shares them with no other."""

    def __init__(self, clock: Clock, floor: int = FLOOR) -> None:
        self._clock = clock
        self._floor = floor
        self._until: dict[tuple[str, int], float] = {}
        self._holder: dict[tuple[str, int], str] = {}
        self._lock = threading.Lock()

    def lease(self, service: str, holder: str) -> int | float:
        now = self._clock.monotonic()
        with self._lock:
            ends = {number: self._until.get((service, number), now) for number in range(self._floor)}
            number = min(ends, key=ends.__getitem__)
            if ends[number] > now:
                return ends[number] - now
            self._give(service, holder, number)
            return number

    def renew(self, service: str, holder: str, number: int) -> bool:
        with self._lock:
            if self._holder.get((service, number)) != holder:
                return False
            self._give(service, holder, number)
            return True

    def _give(self, service: str, holder: str, number: int) -> None:
        self._until[service, number] = self._clock.monotonic() + LEASE_SECONDS
        self._holder[service, number] = holder


@dataclass(slots=True)
class _Token:
    """``number`` None: the one that a process has by itself while the shared state is away."""

    number: int | None
    leased_at: float
    level: float = 0.0
    spent_at: float = float("-inf")

    def rested(self, now: float) -> bool:
        return now - self.spent_at >= RETURN_SECONDS

    def spend(self, now: float) -> bool:
        if self.level < _WHOLE and not self.rested(now):
            return False
        self.level, self.spent_at = 0.0, now
        return True


class RetryBudget:
    """The budget for one service. Thread-safe; ``tokens`` None: shared with nobody.

    While the shared state is away each process has one token: three processes are no more than before.
    """

    def __init__(self, service: str, clock: Clock, tokens: Tokens | None = None) -> None:
        self.service = service
        self._clock = clock
        self._tokens: Tokens = tokens or OwnTokens(clock)
        self._holder = uuid.uuid4().hex
        self._held: list[_Token] = []
        self._ask_at = float("-inf")
        self._lock = threading.Lock()

    def earn(self) -> None:
        """One request was sent that is not a retry."""
        if not self._held:
            return
        with self._lock:
            for token in self._held:
                if token.level < _WHOLE:
                    token.level += RATIO
                    return

    def spend(self) -> bool:
        """Whether one more retry may be sent; it is counted as sent."""
        with self._lock:
            now = self._clock.monotonic()
            self._held = [token for token in self._held if self._still_ours(token, now)]
            return any(token.spend(now) for token in self._held) or self._spend_another(now)

    def _still_ours(self, token: _Token, now: float) -> bool:
        """Renews what is past the first half of its lease."""
        if now - token.leased_at < RETURN_SECONDS:
            return True
        if token.number is None:
            return not token.rested(now)
        try:
            kept = self._tokens.renew(self.service, self._holder, token.number)
        except StateError:
            kept, token.number = True, None
        token.leased_at = now
        return kept

    def _spend_another(self, now: float) -> bool:
        if now < self._ask_at:
            return False
        try:
            leased = self._tokens.lease(self.service, self._holder)
        except StateError:
            self._ask_at = now + _PATIENCE_SECONDS
            return self._spend_alone(now)
        if isinstance(leased, float):
            self._ask_at = now + leased
            return False
        self._held.append(_Token(number=leased, leased_at=now, spent_at=now))
        return True

    def _spend_alone(self, now: float) -> bool:
        if self._held:
            return False
        self._held.append(_Token(number=None, leased_at=now, spent_at=now))
        return True
