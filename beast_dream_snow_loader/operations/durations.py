"""Durations as people write them."""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS = {"w": 604800.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PLAIN = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[wdhms]))+\Z")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[wdhms])")
_ISO = re.compile(
    r"P(?:(?P<w>\d+)W)?(?:(?P<d>\d+)D)?(?:T(?:(?P<h>\d+)H)?(?:(?P<m>\d+)M)?(?:(?P<s>\d+(?:\.\d+)?)S)?)?\Z"
)


def parse_duration(text: str) -> timedelta:
    """``90s``, ``15m``, ``12h``, ``7d``, ``2w``, ``1d12h``, ``500ms``, ``P7D``, ``PT1H30M``. ValueError otherwise."""
    if _PLAIN.match(text):
        return _seconds(sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text)), text)
    iso = _ISO.match(text)
    if iso is None or not any(iso.groupdict().values()):
        raise ValueError(f"not a duration: {text!r}")
    return _seconds(sum(float(value) * _UNITS[unit] for unit, value in iso.groupdict().items() if value), text)


def _seconds(seconds: float, text: str) -> timedelta:
    try:
        return timedelta(seconds=seconds)
    except OverflowError:
        raise ValueError(f"too long a duration: {text!r}") from None
