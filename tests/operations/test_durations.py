"""Durations as people write them."""

from __future__ import annotations

import contextlib
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beast_dream_snow_loader.operations.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90), ("15m", 900), ("12h", 43200), ("7d", 604800), ("2w", 1209600), ("1d12h", 129600), ("P7D", 604800),
        ("PT1H30M", 5400), ("500ms", 0.5), ("1.5h", 5400), ("P1DT12H", 129600), ("0s", 0),
    ],
)  # fmt: skip
def test_every_written_form_is_understood(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "7", "d", "7 d", "-1d", "1M", "P", "PT", "P1DT", "1y", "7dd", "٧d", "99999999999d", "1d\n", "P1M"]
)
def test_anything_else_is_refused_with_the_forms_that_are_meant(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@given(st.timedeltas(min_value=timedelta(), max_value=timedelta(days=999_999)))
def test_what_is_formatted_reads_back_to_the_millisecond(duration: timedelta) -> None:
    whole = duration - duration % timedelta(milliseconds=1)
    assert parse_duration(format_duration(duration)) == whole


@given(st.text(max_size=12))
def test_no_text_does_worse_than_a_refusal(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert parse_duration(text) >= timedelta()
