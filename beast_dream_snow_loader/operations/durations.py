"""Durations as people write them."""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS = {
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}
_NUMBER = r"\d+(?:\.\d+)?"
_PLAIN = re.compile(rf"(?:{_NUMBER}(?:ms|[wdhms]))+", re.ASCII)
_PART = re.compile(rf"({_NUMBER})(ms|[wdhms])", re.ASCII)
_ISO = re.compile(
    rf"P(?:(?P<w>{_NUMBER})W)?(?:(?P<d>{_NUMBER})D)?"
    rf"(?:T(?=\d)(?:(?P<h>{_NUMBER})H)?(?:(?P<m>{_NUMBER})M)?(?:(?P<s>{_NUMBER})S)?)?",
    re.ASCII,
)


def parse_duration(text: str) -> timedelta:
    """``90s``, ``15m``, ``12h``, ``7d``, ``2w``, ``1d12h``, ``500ms``, ``P7D``, ``PT1H30M``. ValueError otherwise.

    No months or years: nobody agrees how long they are.
    """
    plain, iso = _PLAIN.fullmatch(text), _ISO.fullmatch(text)
    if plain:
        parts = [(unit, number) for number, unit in _PART.findall(text)]
    else:
        parts = [(unit, number) for unit, number in iso.groupdict().items() if number] if iso else []
    if not parts:
        raise ValueError(f"not a duration: {text!r}. Write 90s, 15m, 12h, 7d, 2w, 1d12h or P7D.")
    try:
        return sum((_times(number, _UNITS[unit]) for unit, number in parts), timedelta())
    except OverflowError:
        raise ValueError(f"too long a duration: {text!r}") from None


def _times(number: str, unit: timedelta) -> timedelta:
    """Whole numbers stay exact, however large."""
    return (int(number) if number.isdigit() else float(number)) * unit


def format_duration(duration: timedelta) -> str:
    """``1d12h``: the largest units first, down to milliseconds; the inverse of :func:`parse_duration` for whole ones.

    ValueError for a negative duration.
    """
    if duration < timedelta():
        raise ValueError(f"a duration is not negative: {duration}")
    left = duration - duration % _UNITS["ms"]
    parts = []
    for unit in ("d", "h", "m", "s", "ms"):
        count, left = divmod(left, _UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
