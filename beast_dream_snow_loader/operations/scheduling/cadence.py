"""How often something is started: what systemd, cron and everything after cron can say alike."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

from beast_dream_snow_loader.operations.durations import format_duration, parse_duration

_HOUR, _DAY = 60, 24 * 60
_MINUTE = 17
"""Past the hour: on the hour itself everybody's jobs start."""
_NIGHT = 3
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_DELAY_MOST_SECONDS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Cadence:
    """Every so many ``minutes``, which divide an hour or, as whole hours, a day; ``at`` is the hour and the minute of
    what is started once a day."""

    minutes: int
    at: tuple[int, int] = (_NIGHT, _MINUTE)

    @property
    def cron(self) -> str:
        """The five fields: ``17 */6 * * *``."""
        if self.minutes < _HOUR:
            return f"{_step(self.minutes)} * * * *"
        hours = f"{self.at[0]}" if self.minutes == _DAY else _step(self.minutes // _HOUR)
        return f"{self.at[1]} {hours} * * *"

    @property
    def calendar(self) -> str:
        """For ``OnCalendar=``: ``*-*-* 00/6:17:00``."""
        if self.minutes < _HOUR:
            return f"*-*-* *:00/{self.minutes}:00"
        hours = f"{self.at[0]:02}" if self.minutes == _DAY else f"00/{self.minutes // _HOUR}"
        return f"*-*-* {hours}:{self.at[1]:02}:00"

    @property
    def delay_seconds(self) -> int:
        """How much a start may be put off by chance, so that many machines do not start at once."""
        return min(_DELAY_MOST_SECONDS, self.minutes * 3)


def every(text: str) -> Cadence:
    """``6h``, ``15m``, ``1d``. ValueError where a day is no whole number of them, naming the nearest that fit."""
    wanted = parse_duration(text).total_seconds() / 60
    fits = [minutes for minutes in range(1, _DAY + 1) if _fits(minutes)]
    if wanted in fits:
        return Cadence(minutes=int(wanted))
    near = sorted(sorted(fits, key=lambda minutes: (abs(minutes - wanted), minutes))[:2])
    names = " or ".join(format_duration(timedelta(minutes=minutes)) for minutes in near)
    raise ValueError(f"no timer can be set to every {text}: an hour, or a day, is no whole number of them. Use {names}")


def daily(text: str) -> Cadence:
    """``03:30``: once a day. ValueError otherwise."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(f"not a time of day: {text!r}. Write 03:30")
    return Cadence(minutes=_DAY, at=(int(found[1]), int(found[2])))


def _fits(minutes: int) -> bool:
    return _HOUR % minutes == 0 if minutes <= _HOUR else minutes % _HOUR == 0 and _DAY % minutes == 0


def _step(count: int) -> str:
    return "*" if count == 1 else f"*/{count}"
