"""The shared memory of breakers, made harmless: where it fails, each process goes by what it knows itself."""

from __future__ import annotations

from collections.abc import Mapping

from beast_dream_snow_loader.errors import CircuitBreakerOpen, StateError
from beast_dream_snow_loader.operations.breaker import CircuitBreaker
from beast_dream_snow_loader.operations.breaker_memory import BreakerMemory, Remembered

_AWAY = (StateError, CircuitBreakerOpen)


class GuardedMemory:
    """Never raises, and has a breaker of its own: a database that is away costs no call its time again and again."""

    def __init__(self, memory: BreakerMemory, breaker: CircuitBreaker) -> None:
        self._memory, self._breaker = memory, breaker

    def all(self) -> Mapping[str, Remembered]:
        try:
            return self._breaker.call(self._memory.all, "breakers.all", failures=StateError)
        except _AWAY:
            return {}

    def look(self, name: str) -> Remembered | None:
        try:
            return self._breaker.call(lambda: self._memory.look(name), "breakers.look", failures=StateError)
        except _AWAY:
            return None

    def keep(self, found: Remembered) -> Remembered | None:
        try:
            return self._breaker.call(lambda: self._memory.keep(found), "breakers.keep", failures=StateError)
        except _AWAY:
            return None

    def claim(self, name: str, seconds: float) -> Remembered | None:
        """None, and the probe goes out, also when nobody can be asked."""
        try:
            return self._breaker.call(lambda: self._memory.claim(name, seconds), "breakers.claim", failures=StateError)
        except _AWAY:
            return None
