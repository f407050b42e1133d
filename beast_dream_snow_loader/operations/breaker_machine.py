"""What a breaker decides, and nothing else: no lock, no clock, no call. ``now`` is monotonic time in seconds."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from beast_dream_snow_loader.operations.breaker_memory import CircuitState, Remembered
from beast_dream_snow_loader.operations.breaker_policy import BreakerPolicy
from beast_dream_snow_loader.operations.call_window import CallWindow

FORGOTTEN_AFTER_SECONDS = 600.0
"""What was learned so long before says nothing: the breaker starts closed."""
ELSEWHERE = "another process found it failing"


class Ask(Enum):
    """What :meth:`Machine.admit` says when it is not a round to belong to."""

    REFUSED = "refused"
    CLAIM = "claim"
    """A probe is due, and other processes may be about to send one too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """``seconds`` is how long it will be left alone (None: until a person says otherwise, or not at all). ``ours``:
    found out here, so that other processes should know."""

    before: CircuitState
    after: CircuitState
    reason: str
    seconds: float | None = None
    by_hand: bool = False
    ours: bool = True


class Machine:
    """Not thread-safe. ``shared``: a probe has to be claimed first.

    A call belongs to the round in which it was admitted; the result of one that belongs to an earlier round says
    nothing of the present one and is not counted.
    """

    def __init__(self, policy: BreakerPolicy, random: Callable[[], float], *, shared: bool) -> None:
        self._policy, self._random, self._shared = policy, random, shared
        self._window = CallWindow(policy.window) if policy.window else None
        self.state = CircuitState.CLOSED
        self.by_hand = False
        self.reason = ""
        self._round = 0
        self._failures = self._probes = self._passed = self._stage = self._openings = 0
        self._claimed = self._claiming = False
        self._ends = 0.0
        self._told: list[Transition] = []

    def left(self, now: float) -> float:
        """Seconds until the next thing happens by itself; infinite when only a person ends it."""
        return max(0.0, self._ends - now)

    @property
    def full(self) -> bool:
        """Being tried, by as many probes as go through at a time."""
        taken = self._claiming or self._probes >= self._policy.stages[self._stage]
        return self.state is CircuitState.HALF_OPEN and taken

    def pass_time(self, now: float) -> None:
        over = now >= self._ends
        if self.state is CircuitState.OPEN and over:
            self.by_hand = False
            self._enter(CircuitState.HALF_OPEN, "the wait is over", ours=False)
        elif self.state is CircuitState.HALF_OPEN and over and self._probes > self._passed:
            self._fail(now, "its probes did not come back in time")

    def admit(self, now: float) -> int | Ask:
        """The round the call belongs to, or why it has none."""
        if self.state is CircuitState.CLOSED:
            return self._round
        if self.state is CircuitState.OPEN or self.full:
            return Ask.REFUSED
        if self._shared and not self._claimed:
            self._claiming = True
            return Ask.CLAIM
        if self._probes == self._passed:
            self._ends = now + self._policy.probe_seconds
        self._probes += 1
        return self._round

    def claimed(self, in_the_way: Remembered | None, now: float) -> int | Ask:
        """How the claim went: ``in_the_way`` is what another process found out or is about to. As :meth:`admit`, but
        never :attr:`Ask.CLAIM`."""
        self.unclaimed()
        if self.state is CircuitState.HALF_OPEN:
            self._claimed = in_the_way is None
            if in_the_way is not None:
                self.adopt(in_the_way, now)
        if in_the_way is not None and self.state is not CircuitState.CLOSED:
            return Ask.REFUSED
        return self.admit(now)

    def unclaimed(self) -> None:
        """Nobody is asked any more."""
        self._claiming = False

    def settle(self, round_: int, *, failed: bool | None, seconds: float, now: float) -> bool:
        """``failed`` None: the call says nothing of the dependency, and a probe's place is free again. True when the
        claim on a probe is needed no more: other processes may try as well."""
        if round_ != self._round:
            return False
        if self.state is CircuitState.HALF_OPEN:
            return self._judge_probe(now, failed)
        if failed is not None:
            self._count(now, failed=failed, seconds=seconds)
        return False

    def hold(self, now: float, seconds: float | None, reason: str, *, ours: bool = True) -> None:
        """Open by hand, for so long or until :meth:`reset`."""
        self.by_hand = True
        self._open(now, math.inf if seconds is None else seconds, reason or "opened by hand", ours=ours)

    def reset(self, reason: str = "reset by hand", *, ours: bool = True) -> None:
        self.by_hand = True
        self._openings = 0
        self._close(reason, ours=ours)

    def adopt(self, found: Remembered, now: float) -> None:
        """Take over what the other processes know."""
        left = math.inf if found.left is None else found.left
        if found.state is CircuitState.CLOSED or left < -FORGOTTEN_AFTER_SECONDS:
            if self.state is not CircuitState.CLOSED:
                self.reset("another process found it well, or it was reset", ours=False)
                self.by_hand = False
        elif found.by_hand and self.by_hand and self.state is CircuitState.OPEN:
            self._ends, self.reason = now + left, found.reason
        elif found.by_hand:
            self.hold(now, found.left, found.reason, ours=False)
        else:
            self.by_hand = False
            self._openings = max(1, found.openings)
            self._open(now, max(0.0, left), found.reason or ELSEWHERE, ours=False)

    def remembered(self, name: str, now: float) -> Remembered:
        """What other processes should know."""
        left = None if math.isinf(self._ends) else self.left(now)
        return Remembered(
            name=name,
            state=self.state,
            left=left if self.state is not CircuitState.CLOSED else 0.0,
            by_hand=self.by_hand,
            reason=self.reason,
            openings=self._openings,
        )

    def drain(self) -> list[Transition]:
        """What changed since the last time."""
        told, self._told = self._told, []
        return told

    def _judge_probe(self, now: float, failed: bool | None) -> bool:
        if failed is None:
            self._probes -= 1
            idle = self._probes == 0 and self._passed == 0 and self._stage == 0 and self._claimed
            self._claimed = self._claimed and not idle
            return idle
        if failed:
            self._fail(now, "a probe failed")
            return False
        self._passed += 1
        return self._passed >= self._policy.stages[self._stage] and self._pass_stage()

    def _pass_stage(self) -> bool:
        """Whether there is a next one. This process may end before it has sent all of that: nobody has to wait."""
        self._probes = self._passed = 0
        if self._stage + 1 < len(self._policy.stages):
            self._stage += 1
            return self._claimed
        self._openings = 0
        self._close("the probes succeeded", ours=True)
        return False

    def _count(self, now: float, *, failed: bool, seconds: float) -> None:
        self._failures = self._failures + 1 if failed else 0
        if self._window:
            self._window.add(failed=failed, seconds=seconds)
        if self._failures >= self._policy.failure_threshold:
            self._fail(now, f"{self._failures} failures in a row" if self._failures > 1 else "a call failed")
        elif self._window and (reason := self._window.exceeded):
            self._fail(now, reason)

    def _fail(self, now: float, reason: str) -> None:
        self.by_hand = False
        self._openings += 1
        self._open(now, self._policy.wait(self._openings, self._random), reason, ours=True)

    def _open(self, now: float, seconds: float, reason: str, *, ours: bool) -> None:
        self._ends = now + seconds
        self._enter(CircuitState.OPEN, reason, None if math.isinf(seconds) else seconds, ours=ours)

    def _close(self, reason: str, *, ours: bool) -> None:
        self._enter(CircuitState.CLOSED, reason, ours=ours)
        if self._window:
            self._window.clear()

    def _enter(self, state: CircuitState, reason: str, seconds: float | None = None, *, ours: bool) -> None:
        self._told.append(
            Transition(before=self.state, after=state, reason=reason, seconds=seconds, by_hand=self.by_hand, ours=ours)
        )
        if state is not CircuitState.HALF_OPEN:
            self.reason = reason
        self.state = state
        self._round += 1
        self._failures = self._probes = self._passed = self._stage = 0
        self._claimed = False
