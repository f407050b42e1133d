"""Forecasts on series with a known end: the short form of ``python -m tests.analytics.forecasts`` (X8)."""

from __future__ import annotations

import math

import pytest

from beast_dream_snow_loader.core.forecast import FEWEST, Series, forecast
from tests.analytics.forecasts import AHEAD_SHARE, FALSE_SHARE, LIMIT, tried


def told(values):
    values = [(float(day), value) for day, value in enumerate(values)]
    return forecast(Series(name="orphans", unit="percent", limit=LIMIT, advice="look", values=values))


def test_a_breach_is_warned_of_a_day_ahead_and_quiet_series_are_left_alone():
    tally = tried(60, seed=4)
    assert tally.warned_share >= AHEAD_SHARE
    assert tally.false_share <= FALSE_SHARE


@pytest.mark.parametrize("days", range(FEWEST))
def test_nothing_is_said_from_too_few_days(days):
    found = told([8 + day / 4 for day in range(days)])
    assert (found.enough, found.warning, found.breach_in_days, found.points) == (False, "", None, days)


def test_a_straight_line_meets_its_limit_when_it_does():
    found = told([day * 0.5 for day in range(16)])
    assert found.warning == "breach_ahead"
    assert found.earliest == found.breach_in_days == found.latest == pytest.approx(5.0)
    assert (found.points, found.slope_per_day) == (16, pytest.approx(0.5))


def test_over_the_limit_is_breached_and_one_wild_day_is_not():
    assert told([1.0] * 12 + [12.0] * 2).warning == "breached"
    assert told([1.0] * 13 + [50.0]).warning == ""


def test_a_step_to_another_level_is_unusual_before_it_is_a_trend():
    assert told([1.0, 1.1, 0.9] * 6 + [4.0] * 3).warning == "unusual"


def test_a_series_that_never_moved_is_quiet():
    found = told([0.0] * 28)
    assert (found.warning, found.breach_in_days) == ("", None)
    assert not math.isnan(found.level)
