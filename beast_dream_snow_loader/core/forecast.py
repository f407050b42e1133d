"""When a number that grows will pass its limit, and whether it is unlike itself already (X8).

Nothing is said from fewer than :data:`FEWEST` days. A trend counts only when its whole interval points upwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from beast_dream_snow_loader.core.robust import Slope, ewma, ewma_limit, theil_sen

FEWEST = 10
"""Days with a value."""
WINDOWS = (28, 10)
"""Days looked back: the longer shows slow trends, the shorter those that have just begun or grow faster."""
HORIZON = 7.0
"""Days ahead that are warned of."""
CERTAINTY = 2.8
"""Standard deviations of the slope's interval: 99.5 %."""
_WEIGHT = 0.3
_WIDTHS = 4.0
_LEAST_SPREAD = 0.02
"""Of the limit."""
_NEWEST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One number a day, oldest first: ``(day, value)``. It should stay below ``limit``, in ``unit``."""

    name: str
    unit: str
    limit: float
    advice: str
    values: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """``breach_in_days``: when the trend meets the limit, between ``earliest`` and ``latest`` (None: no trend, or
    never). ``warning`` is ``breached``, ``breach_ahead``, ``unusual`` or empty."""

    series: Series
    points: int
    enough: bool
    level: float | None = None
    slope_per_day: float | None = None
    slope_low: float | None = None
    slope_high: float | None = None
    breach_in_days: float | None = None
    earliest: float | None = None
    latest: float | None = None
    warning: str = ""

    def document(self) -> dict[str, Any]:
        names = ("level", "slope_per_day", "slope_low", "slope_high", "breach_in_days", "earliest", "latest")
        numbers = {name: _rounded(getattr(self, name)) for name in names}
        series = self.series
        return {
            "name": series.name,
            "unit": series.unit,
            "limit": _rounded(series.limit),
            "points": self.points,
            "enough": self.enough,
            **numbers,
            "warning": self.warning,
            "next_step": series.advice if self.warning else "",
        }


def forecast(series: Series) -> Forecast:
    """What the days so far say of those to come."""
    values = series.values[-max(WINDOWS) :]
    if len(values) < FEWEST:
        return Forecast(series=series, points=len(values), enough=False)
    trends = [trend for days in WINDOWS if (trend := theil_sen(values[-days:], CERTAINTY)) is not None]
    soonest = min(trends, key=lambda one: _days(series.limit - one.level, one.slope, one.low))
    told = _with_trend(series, soonest, len(values))
    return told if told.warning else _unlike_itself(told)


def _with_trend(series: Series, trend: Slope, points: int) -> Forecast:
    left = series.limit - trend.level
    rising = trend.low > 0
    ahead = left / trend.slope if rising else None
    newest = [value for _, value in series.values[-_NEWEST:]]
    breached = sorted(newest)[len(newest) // 2] > series.limit
    return Forecast(
        series=series,
        points=points,
        enough=True,
        level=trend.level,
        slope_per_day=trend.slope,
        slope_low=trend.low,
        slope_high=trend.high,
        breach_in_days=None if ahead is None else max(ahead, 0.0),
        earliest=max(left / trend.high, 0.0) if rising else None,
        latest=max(left / trend.low, 0.0) if rising else None,
        warning="breached" if breached else "breach_ahead" if ahead is not None and ahead <= HORIZON else "",
    )


def _days(left: float, slope: float, low: float) -> float:
    return left / slope if low > 0 else float("inf")


def _unlike_itself(told: Forecast) -> Forecast:
    """An exponentially weighted mean that left its control limits: earlier than a trend can be told from chance."""
    values = [value for _, value in told.series.values[-max(WINDOWS) :]]
    base = values[:-_NEWEST]
    if len(base) < FEWEST:
        return told
    limit = ewma_limit(base, _WEIGHT, _WIDTHS, _LEAST_SPREAD * told.series.limit)
    unusual = ewma(values, _WEIGHT) > limit and sorted(values[-_NEWEST:])[1] > limit
    return replace(told, warning="unusual") if unusual else told


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
