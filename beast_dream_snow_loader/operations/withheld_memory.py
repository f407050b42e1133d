"""The shared memory of breakers for threads that may outlive it: somebody else writes down what they find out."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from beast_dream_snow_loader.operations.breaker_memory import BreakerMemory, Remembered


class WithheldMemory:
    """Threads read until it is closed, and write nothing: :meth:`close` does, in the thread that calls it. What is
    found out later is forgotten, for the database may be closed by then."""

    def __init__(self, memory: BreakerMemory) -> None:
        self._memory, self._lock = memory, threading.Lock()
        self._found: dict[str, Remembered] | None = {}

    def all(self) -> Mapping[str, Remembered]:
        return self._memory.all()

    def look(self, name: str) -> Remembered | None:
        with self._lock:
            return self._memory.look(name) if self._found is not None else None

    def keep(self, found: Remembered) -> Remembered | None:
        with self._lock:
            if self._found is not None:
                self._found[found.name] = found
        return found

    def claim(self, name: str, seconds: float) -> Remembered | None:
        """The right to probe is asked for at once: other processes have to know of it."""
        with self._lock:
            return self._memory.claim(name, seconds) if self._found is not None else None

    def close(self) -> None:
        """Waits for one that is just reading, which takes as long as the memory underneath."""
        with self._lock:
            found, self._found = self._found or {}, None
        for one in found.values():
            self._memory.keep(one)
