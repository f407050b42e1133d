"""What a breaker is, written down a second time, plainly, to hold the real one against (reliability 1.2).

``python -m tests.operations.breaker_model --sequences 100000`` compares the two over random sequences of events.
"""

from __future__ import annotations

import argparse
import random
import sys
import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from beast_dream_snow_loader.operations.circuit_breaker import (
    BreakerPolicy,
    CircuitBreaker,
    CircuitBreakerOpen,
    CountWindow,
    Permit,
)

STEPS, LONG = 40, 400
QUIET = ["begin", "well", "pass"] * 9 + ["badly"]
"""Now and then a service is well for long, so that something becomes usual; then it gets slow."""
QUICK, SLOW, ANY = (0.5, 1.0, 2.0), (2.0, 3.0, 4.0), (0.5, 2.0, 4.0, 10.0, 61.0)
EVENTS = ["begin"] * 8 + ["badly"] * 6 + ["well"] * 4 + ["mistake"] + ["pass"] * 5 + ["jump"]
RARE = 0.01


@dataclass
class Hands:
    """Two clocks that have nothing to do with each other."""

    seconds: float = 0.0
    wall: datetime = datetime(2026, 11, 24, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return self.wall

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def gate(self) -> threading.Event:
        return threading.Event()


@dataclass
class Model:
    """Lists, looked through anew each time. ``history``: (failed, slow, seconds) of the calls that count."""

    policy: BreakerPolicy
    chances: list[float]
    state: str = "closed"
    era: int = 0
    history: list[tuple[bool, bool, float]] = field(default_factory=list)
    usual: list[float] = field(default_factory=list)
    in_a_row: int = 0
    until: float = 0.0
    openings: int = 0
    held: bool = False
    second_stage: bool = False
    out: int = 0
    well: int = 0
    reached: Counter[str] = field(default_factory=Counter)

    def at(self, now: float) -> None:
        if self.state == "open" and now >= self.until:
            self.held = False
            self.become("half_open")
        elif self.state == "half_open" and self.out > self.well and now >= self.until:
            self.reached["probes lost"] += 1
            self.trip(now)

    def begins(self, now: float) -> bool:
        self.at(now)
        if self.state == "half_open" and self.out < self.allowed:
            if self.out == self.well:
                self.until = now + (self.policy.half_open_seconds or self.policy.recovery_timeout_seconds)
            self.out += 1
            return True
        return self.state == "closed"

    @property
    def allowed(self) -> int:
        return self.policy.half_open_then_calls if self.second_stage else self.policy.half_open_max_calls

    def ends(self, now: float, era: int, how: str, took: float) -> None:
        self.at(now)
        if era != self.era:
            self.reached["too late to count"] += 1
        elif self.state == "closed" and how != "mistake":
            self.counted(now, how == "badly", took)
        elif self.state == "half_open":
            self.probed(now, how)

    def counted(self, now: float, failed: bool, took: float) -> None:
        self.in_a_row = self.in_a_row + 1 if failed else 0
        if self.policy.window is not None:
            self.history.append((failed, took > self.slow(), took))
            if len(self.history) > self.policy.window.size:
                self.aged(self.history.pop(0))
        if self.in_a_row >= self.policy.failure_threshold:
            self.reached["opened by a row"] += 1
            self.trip(now)
        elif self.policy.window is not None and len(self.history) >= self.policy.window.minimum_calls:
            share = 1 / len(self.history)
            if sum(share for failed, _, _ in self.history if failed) >= self.policy.window.failure_rate - 1e-9:
                self.reached["opened by the failure rate"] += 1
                self.trip(now)
            elif sum(share for _, slow, _ in self.history if slow) >= self.policy.window.slow_rate - 1e-9:
                self.reached["opened by the slow rate"] += 1
                self.trip(now)

    def aged(self, call: tuple[bool, bool, float]) -> None:
        if not call[0]:
            self.usual = [*self.usual, call[2]][-200:]

    def slow(self) -> float:
        assert self.policy.window is not None
        start = self.policy.window.slow_call_seconds
        if start is None:
            return float("inf")
        if len(self.usual) < 20:
            return start
        self.reached["judged by what is usual"] += 1
        ranked = sorted(self.usual)
        rank = next(i for i in range(1, len(ranked) + 1) if i * 100 >= 99 * len(ranked))
        return max(start, 3 * ranked[rank - 1])

    def probed(self, now: float, how: str) -> None:
        if how == "mistake":
            self.out -= 1
        elif how == "badly":
            self.reached["a probe failed"] += 1
            self.trip(now)
        else:
            self.well += 1
            if self.well == self.allowed:
                if self.policy.half_open_then_calls and not self.second_stage:
                    self.second_stage, self.out, self.well = True, 0, 0
                    self.reached["second stage"] += 1
                else:
                    self.openings = 0
                    self.become("closed")

    def trip(self, now: float) -> None:
        self.openings += 1
        longest, first = self.policy.recovery_timeout_seconds, self.policy.first_wait_seconds
        wait = longest if first is None else first
        for _ in range(self.openings - 1):
            wait = min(longest, wait * 2)
        self.held = False
        self.until = now + min(longest, wait) * (self.chances.pop(0) if self.policy.jitter else 1)
        self.become("open")

    def by_hand(self, now: float, seconds: float | None) -> None:
        self.held = True
        self.until = float("inf") if seconds is None else now + seconds
        self.become("open")

    def reset(self) -> None:
        self.held, self.openings = False, 0
        self.become("closed")

    def become(self, state: str) -> None:
        self.reached[state] += 1
        self.state, self.era, self.in_a_row = state, self.era + 1, 0
        self.out = self.well = 0
        self.second_stage = False
        if state == "closed":
            for call in self.history:
                self.aged(call)
            self.history = []


def policy(chance: random.Random) -> BreakerPolicy:
    """Any, small enough that everything happens within some dozens of events."""
    window = CountWindow(
        size=chance.choice([4, 6, 20]),
        minimum_calls=chance.choice([2, 4, 5]),
        failure_rate=chance.choice([0.5, 0.7]),
        slow_call_seconds=chance.choice([None, 3.0]),
        slow_rate=0.8,
    )
    return BreakerPolicy(
        failure_threshold=chance.choice([1, 2, 3, 5]),
        recovery_timeout_seconds=chance.choice([10.0, 60.0]),
        first_wait_seconds=chance.choice([None, 5.0]),
        jitter=chance.random() < 0.5,
        half_open_max_calls=chance.choice([1, 1, 3]),
        half_open_then_calls=chance.choice([0, 0, 3]),
        half_open_seconds=chance.choice([None, 4.0]),
        window=chance.choice([None, window, window]),
    )


class Walk:
    """One sequence of events, and both breakers going through it. ``begun``: permit, era, when."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.long, self.passes = seed % 25 == 0, ANY
        self.hands, chances = Hands(), [self.chance.random() for _ in range(LONG)]
        rules = policy(self.chance)
        self.model = Model(rules, list(chances))
        self.real = CircuitBreaker.of(rules, clock=self.hands, chance=lambda: chances.pop(0))
        self.begun: list[tuple[Permit, int, float]] = []

    def run(self) -> Counter[str]:
        """AssertionError where they differ; otherwise what was reached."""
        for number in range(LONG if self.long else STEPS):
            quiet = self.long and number < LONG * 3 // 4
            self.passes = ANY if not quiet else QUICK if number < LONG // 2 else SLOW
            self.step(self.chance.choice(QUIET if quiet else EVENTS) if self.chance.random() > RARE else "hand")
            self.model.at(self.hands.seconds)
            assert self.real.state.value == self.model.state
        return self.model.reached

    def step(self, event: str) -> None:
        if event == "pass":
            self.hands.seconds += self.chance.choice(self.passes)
        elif event == "jump":
            self.hands.wall += timedelta(days=self.chance.choice([-3650, 3650]))
        elif event == "hand":
            self.by_hand()
        elif event == "begin":
            self.begin()
        elif self.begun:
            permit, era, since = self.begun.pop(self.chance.randrange(len(self.begun)))
            now = self.hands.seconds
            permit.settle(failed={"well": False, "badly": True, "mistake": None}[event])
            self.model.ends(now, era, event, now - since)

    def begin(self) -> None:
        now = self.hands.seconds
        expected = self.model.begins(now)
        try:
            self.begun.append((self.real.permit(), self.model.era, now))
            admitted = True
        except CircuitBreakerOpen:
            admitted = False
            self.model.reached["refused"] += 1
        assert admitted is expected

    def by_hand(self) -> None:
        now, what = self.hands.seconds, self.chance.choice(["reset", "open", "open for"])
        self.model.reached[what] += 1
        if what == "reset":
            self.real.reset()
            self.model.reset()
        else:
            seconds = None if what == "open" else 20.0
            self.real.open(seconds)
            self.model.by_hand(now, seconds)


def walked(seeds: range) -> Counter[str]:
    """What was reached in all of them."""
    reached: Counter[str] = Counter()
    for seed in seeds:
        try:
            reached += Walk(seed).run()
        except AssertionError as error:
            error.add_note(f"sequence {seed}")
            raise
    return reached


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sequences", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    first = given.seed * 1_000_000
    reached = walked(range(first, first + given.sequences))
    sys.stdout.write(f"{given.sequences} sequences of {STEPS} (every 25th: {LONG}) events agree; reached:\n")
    sys.stdout.writelines(f"  {count:>9} {what}\n" for what, count in sorted(reached.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
