"""Forecasts tried on series of which it is known whether and when they pass their limit.

``python -m tests.analytics.forecasts --series 2000 --seed 1`` prints how often a breach was warned of at least a day
ahead, by how many days, and how often a series that never passes its limit was warned of.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

from beast_dream_snow_loader.core.forecast import HORIZON, Series, forecast

LIMIT = 10.0
DAYS = 60
AHEAD = 1.0
AHEAD_SHARE, FALSE_SHARE = 0.90, 0.05

Shape = Callable[[random.Random], Sequence[float]]


def _seen(rng: random.Random, truth: Sequence[float], noise: float) -> list[float]:
    """What a report sees of it: noise, one day in thirty a wild one, one day in twenty none, never below nothing."""
    values = []
    for value in truth:
        wild = rng.uniform(1.0, 4.0) * noise * 3 if rng.random() < 1 / 30 else 0.0
        values.append(math.nan if rng.random() < 1 / 20 else max(0.0, value + rng.gauss(0, noise) + wild))
    return values


def straight(rng: random.Random) -> list[float]:
    """Grows by the same every day."""
    start, days = rng.uniform(0.5, 4), rng.uniform(14, 50)
    return [start + (LIMIT - start) * day / days for day in range(DAYS)]


def bent(rng: random.Random) -> list[float]:
    """Flat at first, then it grows until it is over."""
    start, flat, days = rng.uniform(0.5, 4), rng.randint(10, 25), rng.uniform(9, 30)
    return [start + (LIMIT - start) * max(0, day - flat) / days for day in range(DAYS)]


def growing(rng: random.Random) -> list[float]:
    """Doubles every one to two weeks."""
    start, double = rng.uniform(0.5, 2), rng.uniform(7, 14)
    return [start * 2 ** (day / double) for day in range(DAYS)]


def steady(rng: random.Random) -> list[float]:
    return [rng.uniform(0.5, 5)] * DAYS


def weekly(rng: random.Random) -> list[float]:
    """Higher on work days."""
    base, swing = rng.uniform(1, 4), rng.uniform(0.2, 1.5)
    return [base + (swing if day % 7 < 5 else 0) for day in range(DAYS)]


def falling(rng: random.Random) -> list[float]:
    start = rng.uniform(4, 7)
    return [start * (1 - day / (2 * DAYS)) for day in range(DAYS)]


def settling(rng: random.Random) -> list[float]:
    """Grows to a new level below the limit, and stays there."""
    start, end, days = rng.uniform(0.5, 2), rng.uniform(3, 7), rng.uniform(15, 40)
    return [start + (end - start) * min(1.0, day / days) for day in range(DAYS)]


def spiky(rng: random.Random) -> list[float]:
    """A quiet series with a few days over the limit, each by itself: weather, not a trend."""
    base = rng.uniform(0.5, 3)
    return [base if rng.random() > 1 / 25 else LIMIT * rng.uniform(1.1, 2) for _ in range(DAYS)]


BREACHING: tuple[Shape, ...] = (straight, bent, growing)
QUIET: tuple[Shape, ...] = (steady, weekly, falling, settling, spiky)


@dataclass
class Tally:
    """``ahead`` are the days between the first warning and the breach, of those that were warned of in time."""

    series: Counter[str] = field(default_factory=Counter)
    warned: Counter[str] = field(default_factory=Counter)
    false: Counter[str] = field(default_factory=Counter)
    ahead: list[float] = field(default_factory=list)

    def share(self, shapes: Sequence[Shape], counted: Counter[str]) -> float:
        names = [shape.__name__ for shape in shapes]
        return sum(counted[name] for name in names) / sum(self.series[name] for name in names)

    @property
    def warned_share(self) -> float:
        return self.share(BREACHING, self.warned)

    @property
    def false_share(self) -> float:
        return self.share(QUIET, self.false)


def first_warning(values: Sequence[float], until: int) -> int | None:
    """The first day on whose evening a breach ahead is told of."""
    for day in range(until):
        told = [(float(n), value) for n, value in enumerate(values[: day + 1]) if not math.isnan(value)]
        series = Series(name="n", unit="percent", limit=LIMIT, advice="", values=told)
        if forecast(series).warning == "breach_ahead":
            return day
    return None


def tried(count: int, seed: int) -> Tally:
    tally, rng = Tally(), random.Random(seed)
    for number in range(count):
        shape = BREACHING[number % len(BREACHING)]
        truth = shape(rng)
        breach = next((day for day, value in enumerate(truth) if value > LIMIT), DAYS)
        warned = first_warning(_seen(rng, truth, rng.uniform(0.1, 1.2)), breach)
        tally.series[shape.__name__] += 1
        if warned is not None and breach - warned >= AHEAD:
            tally.warned[shape.__name__] += 1
            tally.ahead.append(breach - warned)
        quiet = QUIET[number % len(QUIET)]
        tally.series[quiet.__name__] += 1
        values = _seen(rng, quiet(rng), rng.uniform(0.1, 1.2))
        tally.false[quiet.__name__] += first_warning(values, DAYS) is not None
    return tally


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(arguments)
    tally = tried(asked.series, asked.seed)
    for shape in BREACHING:
        share = tally.share([shape], tally.warned)
        sys.stdout.write(f"{shape.__name__:10} {share:6.1%} warned a day ahead or more\n")
    for shape in QUIET:
        sys.stdout.write(f"{shape.__name__:10} {tally.share([shape], tally.false):6.1%} false alarms\n")
    sys.stdout.write(
        f"all: {tally.warned_share:.1%} warned at least {AHEAD:.0f} day ahead "
        f"(median {median(tally.ahead):.0f} days, horizon {HORIZON:.0f}), {tally.false_share:.1%} false alarms\n"
    )
    return 0 if tally.warned_share >= AHEAD_SHARE and tally.false_share <= FALSE_SHARE else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
