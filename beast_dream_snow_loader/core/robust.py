"""Statistics that a few wild values do not mislead: medians, and a slope with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import median

_TO_SIGMA = 1.4826
"""Median absolute deviation to standard deviation, for a normal distribution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slope:
    """Theil-Sen: the median slope over all pairs of ``points`` points, per unit of x, between ``low`` and ``high``;
    ``level`` is the line's value at the last x."""

    points: int
    slope: float
    low: float
    high: float
    level: float


def spread(values: Sequence[float]) -> float:
    """As a standard deviation, from the median absolute deviation; 0.0 for fewer than two values."""
    if len(values) < 2:
        return 0.0
    middle = median(values)
    return _TO_SIGMA * median(abs(value - middle) for value in values)


def theil_sen(points: Sequence[tuple[float, float]], z: float) -> Slope | None:
    """``z``: standard deviations that the interval covers to each side (Sen 1968, without a correction for ties).

    None for fewer than three different x.
    """
    slopes = sorted(
        (later - earlier) / (x - w)
        for index, (w, earlier) in enumerate(points)
        for x, later in points[index + 1 :]
        if x != w
    )
    count = len(points)
    if len({x for x, _ in points}) < 3:
        return None
    width = z * sqrt(count * (count - 1) * (2 * count + 5) / 18)
    low, high = int((len(slopes) - width) // 2), int((len(slopes) + width) // 2) + 1
    slope, last = median(slopes), max(x for x, _ in points)
    return Slope(
        points=count,
        slope=slope,
        low=slopes[max(low, 0)],
        high=slopes[min(high, len(slopes) - 1)],
        level=median(y + slope * (last - x) for x, y in points),
    )


def ewma(values: Sequence[float], weight: float) -> float:
    """Exponentially weighted mean, ``weight`` being that of the newest value, begun at the median of all."""
    mean = median(values)
    for value in values:
        mean += weight * (value - mean)
    return mean


def ewma_limit(base: Sequence[float], weight: float, widths: float, least: float) -> float:
    """The upper control limit of such a mean while all goes on as in ``base``; its spread is taken as ``least`` at
    least, so that a series that never moved does not alarm at once."""
    return median(base) + widths * max(spread(base), least) * sqrt(weight / (2 - weight))
