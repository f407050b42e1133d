"""Circuit breakers: after repeated failures a dependency is left alone for a while, then probed. One for each name."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping

from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.core.events import Listener, ignore
from beast_dream_snow_loader.errors import CircuitBreakerOpen
from beast_dream_snow_loader.operations.breaker import CircuitBreaker, Permit
from beast_dream_snow_loader.operations.breaker_memory import BreakerMemory, CircuitState
from beast_dream_snow_loader.operations.breaker_policy import BreakerPolicy
from beast_dream_snow_loader.operations.call_window import CountWindow

__all__ = [
    "BreakerPolicy",
    "BreakerRegistry",
    "CircuitBreaker",
    "CircuitBreakerOpen",
    "CircuitState",
    "CountWindow",
    "Permit",
    "breaker_states",
    "get_breaker",
    "install",
    "look_again",
]


class BreakerRegistry:
    """One breaker per name. What is remembered of them is read once, when the registry is made."""

    def __init__(
        self,
        policy_of: Callable[[str], BreakerPolicy] = lambda _name: BreakerPolicy(),
        *,
        memory: BreakerMemory | None = None,
        listener: Listener = ignore,
        clock: Clock | None = None,
        own: Iterable[CircuitBreaker] = (),
    ) -> None:
        """``own`` are breakers that are there already."""
        self._policy_of, self._memory, self._listener, self._clock = policy_of, memory, listener, clock
        self._lock = threading.RLock()  # whoever hears of a breaker that is just made may ask for the states
        self._breakers = {breaker.name: breaker for breaker in own}
        self._remembered = memory.all() if memory is not None else {}

    def get(self, name: str, policy: BreakerPolicy | None = None, clock: Clock | None = None) -> CircuitBreaker:
        """The one breaker of that name; ``policy`` and ``clock`` count when it is first asked for."""
        with self._lock:
            found = self._breakers.get(name)
            if found is None:
                found = self._breakers[name] = self._made(name, policy or self._policy_of(name), clock or self._clock)
        return found

    def look_again(self) -> None:
        """What persons have decided since, and what others found well again."""
        if self._memory is None:
            return
        for name, found in self._memory.all().items():
            with self._lock:
                breaker = self._breakers.get(name)
            if breaker is not None:
                breaker.hear(found)

    def states(self) -> Mapping[str, str]:
        with self._lock:
            known = dict(self._breakers)
        return {name: breaker.state.value for name, breaker in sorted(known.items())}

    def _made(self, name: str, policy: BreakerPolicy, clock: Clock | None) -> CircuitBreaker:
        made = CircuitBreaker.of(policy, name=name, clock=clock, memory=self._memory, listener=self._listener)
        if name in self._remembered:
            made.adopt(self._remembered[name], standing=True)
        return made


_installed = BreakerRegistry()


def install(registry: BreakerRegistry) -> BreakerRegistry:
    """From now on :func:`get_breaker` asks this one."""
    global _installed
    _installed = registry
    return registry


def look_again() -> None:
    """A process that runs for long hears now and then of what was decided elsewhere."""
    _installed.look_again()


def get_breaker(
    name: str,
    *,
    failure_threshold: int | None = None,
    recovery_timeout_seconds: float | None = None,
    clock: Clock | None = None,
) -> CircuitBreaker:
    """The one breaker of that name in this process; the options count when it is first asked for."""
    given = {"failure_threshold": failure_threshold, "recovery_timeout_seconds": recovery_timeout_seconds}
    given = {option: value for option, value in given.items() if value is not None}
    return _installed.get(name, BreakerPolicy(**given) if given else None, clock)  # type: ignore[arg-type]


def breaker_states() -> Mapping[str, str]:
    """Every breaker of the registry by name: ``closed``, ``open`` or ``half_open``."""
    return _installed.states()
