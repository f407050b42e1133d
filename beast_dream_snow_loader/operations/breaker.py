"""One breaker: it decides under its lock and calls outside it; time is monotonic.

With a memory all processes that share the state know what one of them found out; a memory that fails leaves each
process with what it knows itself.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

from beast_dream_snow_loader.clock import Clock, Gate, SystemClock
from beast_dream_snow_loader.core.events import BreakerChanged, Listener, ignore
from beast_dream_snow_loader.errors import CircuitBreakerOpen
from beast_dream_snow_loader.operations.breaker_machine import Ask, Machine, Transition
from beast_dream_snow_loader.operations.breaker_memory import BreakerMemory, CircuitState, Remembered
from beast_dream_snow_loader.operations.breaker_policy import BreakerPolicy
from beast_dream_snow_loader.operations.call_window import CountWindow

T = TypeVar("T")
Failures = type[BaseException] | tuple[type[BaseException], ...]

LOOK_SECONDS = 5.0
"""So often at most a process asks whether a breaker that is open to it still is."""


class CircuitBreaker:
    """Opens after ``failure_threshold`` failures in a row, or when ``window`` (off unless given) shows too many.

    ``recovery_timeout_seconds`` later it lets ``half_open_max_calls`` probes through: when all succeed it closes, when
    one fails, or the probes have not come back within another ``recovery_timeout_seconds``, it opens again. Only
    ``expected_exception`` counts as failure; a call that ends by any other exception counts as nothing at all.
    """

    def __init__(
        self,
        failure_threshold: int = 5,
        recovery_timeout_seconds: float = 60,
        expected_exception: Failures = Exception,
        *,
        half_open_max_calls: int = 1,
        window: CountWindow | None = None,
        name: str = "unknown",
        clock: Clock | None = None,
    ) -> None:
        self.name = name
        self.policy = BreakerPolicy(
            failure_threshold=failure_threshold,
            recovery_timeout_seconds=recovery_timeout_seconds,
            half_open_max_calls=half_open_max_calls,
            window=window,
        )
        self._expected = expected_exception
        self._clock = clock or SystemClock()
        self._lock, self._keeping = threading.Lock(), threading.Lock()
        self._gates: list[Gate] = []
        self._unkept = False
        self._join(None, ignore, random.random)

    @classmethod
    def of(
        cls,
        policy: BreakerPolicy,
        *,
        name: str = "unknown",
        clock: Clock | None = None,
        memory: BreakerMemory | None = None,
        listener: Listener = ignore,
        chance: Callable[[], float] = random.random,
    ) -> CircuitBreaker:
        """One with everything that a policy can say. A ``memory`` must not raise
        (:class:`~.guarded_memory.GuardedMemory`); ``chance`` gives numbers from 0 to 1."""
        made = cls(name=name, clock=clock)
        made.policy = policy
        made._join(memory, listener, chance)
        return made

    def _join(self, memory: BreakerMemory | None, listener: Listener, chance: Callable[[], float]) -> None:
        self._memory, self._listener = memory, listener
        self._machine = Machine(self.policy, chance, shared=memory is not None)
        self._looked = self._clock.monotonic()

    @property
    def state(self) -> CircuitState:
        with self._deciding() as (machine, _):
            return machine.state

    def call(
        self,
        operation: Callable[[], T],
        operation_name: str = "unknown",
        *,
        failures: Failures | None = None,
        patient: bool = False,
    ) -> T:
        """The operation's result or exception. Raises CircuitBreakerOpen without calling it while open.

        ``failures`` stands in for ``expected_exception`` in this call. ``patient``: where another thread is just trying
        whether the dependency is well again, wait for how that goes.
        """
        permit = self.permit(operation_name, patient=patient)
        return permit.use(operation, self._expected if failures is None else failures)

    def permit(self, operation_name: str = "unknown", *, patient: bool = False) -> Permit:
        """Leave to make one call, to be settled when it has ended. Raises CircuitBreakerOpen."""
        self._look_again()
        asked = self._ask()
        if patient:
            ends = self._clock.monotonic() + self.policy.probe_seconds
            while asked is Ask.REFUSED and self._tried_meanwhile(ends):
                asked = self._ask()
        if isinstance(asked, Ask):
            raise self._refusal(operation_name)
        return Permit(self, asked, self._clock)

    def open(self, seconds: float | None = None, reason: str = "") -> None:
        """By hand: stays open for so long, or until :meth:`reset`."""
        with self._deciding() as (machine, now):
            machine.hold(now, seconds, reason)

    def reset(self) -> None:
        """Closed, as if nothing had happened; also ends an opening by hand."""
        with self._deciding() as (machine, _):
            machine.reset()

    def adopt(self, found: Remembered, *, standing: bool = False) -> None:
        """Take over what other processes found out. ``standing``: before this one came, so that it is no change."""
        with self._deciding(standing=standing) as (machine, now):
            machine.adopt(found, now)

    def hear(self, found: Remembered) -> None:
        """Take over what a person decided; that it is well again, while it is open here."""
        set_aside = found.by_hand and not found.over
        with self._deciding() as (machine, now):
            if set_aside or (machine.state is CircuitState.OPEN and not self._unkept):
                machine.adopt(found, now)

    def settle(self, round_: int, started: float, *, failed: bool | None) -> None:
        """For :class:`Permit`."""
        with self._deciding() as (machine, now):
            needless = machine.settle(round_, failed=failed, seconds=now - started, now=now)
            closed = machine.state is CircuitState.CLOSED
            given_back = replace(machine.remembered(self.name, now), state=CircuitState.OPEN, left=0.0)
        if needless and self._memory is not None:
            self._memory.keep(given_back)
        if failed and closed:
            self._look()

    def _ask(self) -> int | Ask:
        with self._deciding() as (machine, now):
            asked = machine.admit(now)
        return self._claim() if asked is Ask.CLAIM else asked

    def _tried_meanwhile(self, ends: float) -> bool:
        """Wait for a probe of another thread. False when it went badly, takes too long, or we are asked to stop."""
        with self._lock:
            if not self._machine.full:
                return self._machine.state is not CircuitState.OPEN
            gate = self._clock.gate()
            self._gates.append(gate)
        return gate.wait(max(0.0, ends - self._clock.monotonic()))

    def _claim(self) -> int | Ask:
        """Ask the other processes, outside the lock; meanwhile other threads are refused."""
        try:
            in_the_way = self._in_the_way()
        except BaseException:
            with self._deciding() as (machine, _):
                machine.unclaimed()
            raise
        with self._deciding() as (machine, now):
            return machine.claimed(in_the_way, now)

    def _in_the_way(self) -> Remembered | None:
        """A memory that has not taken what was found out here knows nothing better."""
        if self._unkept:
            self._keep()
        if self._memory is None or self._unkept:
            return None
        return self._memory.claim(self.name, self.policy.probe_seconds)

    def _look_again(self) -> None:
        """Somebody may have reset it; a closed breaker costs no look."""
        if self._memory is None or self._machine.state is not CircuitState.OPEN:
            return
        if self._clock.monotonic() - self._looked >= LOOK_SECONDS:
            self._look()

    def _look(self) -> None:
        if self._memory is None:
            return
        self._looked = self._clock.monotonic()
        if self._unkept:
            self._keep()
        elif (found := self._memory.look(self.name)) is not None:
            self.adopt(found)

    def _keep(self) -> None:
        """What holds afterwards may be what a person decided. One after another: the last to write knows the latest."""
        if self._memory is None:
            return
        with self._keeping:
            with self._lock:
                mine = self._machine.remembered(self.name, self._clock.monotonic())
            standing = self._memory.keep(mine)
            self._unkept = standing is None
            self._looked = self._clock.monotonic()
        if standing is not None and standing.by_hand and not mine.by_hand:
            self.adopt(standing)

    @contextmanager
    def _deciding(self, *, standing: bool = False) -> Iterator[tuple[Machine, float]]:
        """Decide under the lock; tell and write down what changed when it is free again."""
        with self._lock:
            now = self._clock.monotonic()
            self._machine.pass_time(now)
            was_full = self._machine.full
            yield self._machine, now
            changes = self._machine.drain()
            if changes or (was_full and not self._machine.full):
                self._open_gates()
        if changes:
            self._tell(changes, standing=standing)

    def _open_gates(self) -> None:
        """Under the lock."""
        waiting, self._gates = self._gates, []
        for gate in waiting:
            gate.set()

    def _tell(self, changes: list[Transition], *, standing: bool) -> None:
        for change in changes:
            if change.before is not change.after or change.by_hand:
                self._listener(
                    BreakerChanged(
                        name=self.name,
                        before=(change.after if standing else change.before).value,
                        after=change.after.value,
                        reason=change.reason,
                        seconds=change.seconds,
                        by_hand=change.by_hand,
                        standing=standing,
                    )
                )
        if any(change.ours for change in changes):
            self._keep()

    def _refusal(self, operation_name: str) -> CircuitBreakerOpen:
        with self._lock:
            machine, left = self._machine, self._machine.left(self._clock.monotonic())
            by_hand, state, reason = machine.by_hand, machine.state, machine.reason
        until = "until it is reset" if left == float("inf") else f"for {left:.0f} s more"
        why = f"failed repeatedly ({reason}) and is left alone {until}"
        if by_hand:
            why = f"was set aside by hand ({reason}) {until}"
        elif state is CircuitState.HALF_OPEN:
            why = "failed repeatedly and is being tried with another request"
        return CircuitBreakerOpen(
            f"{self.name} {why} ({operation_name} was not sent).",
            next_step=f"Check with: snowload breakers list; end it with: snowload breakers reset {self.name}",
            retry_in=left,
        )


class Permit:
    """Leave to make one call. To be settled once, whatever became of it; :meth:`use` does so."""

    __slots__ = ("_breaker", "_clock", "_round", "_started")

    def __init__(self, breaker: CircuitBreaker, round_: int, clock: Clock) -> None:
        self._breaker, self._round, self._clock, self._started = breaker, round_, clock, clock.monotonic()

    def begin(self) -> None:
        """The call leaves now: what was waited for since the permit was given is no slowness of the dependency."""
        self._started = self._clock.monotonic()

    def use(self, operation: Callable[[], T], failures: Failures) -> T:
        """The operation's result or exception; any of ``failures`` speaks against the dependency."""
        try:
            result = operation()
        except BaseException as error:
            self.settle(failed=True if isinstance(error, failures) else None)
            raise
        self.settle(failed=False)
        return result

    def settle(self, *, failed: bool | None) -> None:
        """``failed`` None: the call says nothing of the dependency."""
        self._breaker.settle(self._round, self._started, failed=failed)
