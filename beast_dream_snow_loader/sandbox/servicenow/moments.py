"""Dates in encoded queries: the ``javascript:gs…`` values and the operators that compare with now."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from beast_dream_snow_loader.sandbox.servicenow.values import DATE_TIME_FORMAT

_UNITS = {"minute": 60, "hour": 3600, "day": 86400, "week": 604800, "month": 2592000, "quarter": 7776000,
          "year": 31536000}  # fmt: skip
_AGO = re.compile(r"gs\.(minutes|hours|days|weeks|months|years)Ago(Start|End)?\((\d+)\)")
_GENERATE = re.compile(r"gs\.dateGenerate\('([\d-]+)','(start|end|[\d:]+)'\)")
_DATE_PART = re.compile(r".*gs\.datePart\('(\w+)','(\w+)','(\w+)'\)")
_RELATIVE = re.compile(r"@(\w+?)s?@(ago|ahead|from now)@(\d+)")
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY_EDGE = {"Start": "00:00:00", "End": "23:59:59"}


def parse_moment(text: str) -> datetime | None:
    """A stored date-time, or a date; None for anything else."""
    for form in (DATE_TIME_FORMAT, "%Y-%m-%d"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None


def script_value(text: str, now: datetime, user_sys_id: str) -> str:
    """What ``javascript:…`` stands for; any other text, or a script this sandbox does not know, is itself."""
    if not text.startswith("javascript:"):
        return text
    script = text.removeprefix("javascript:").strip()
    if script in ("gs.getUserID()", "gs.user_id()"):
        return user_sys_id
    moment = _script_moment(script, now)
    return moment.strftime(DATE_TIME_FORMAT) if moment else text


def _script_moment(script: str, now: datetime) -> datetime | None:
    if ago := _AGO.fullmatch(script):
        unit, edge, number = ago.groups()
        return _edge(now - timedelta(seconds=_UNITS[unit.removesuffix("s")] * int(number)), edge)
    if generated := _GENERATE.fullmatch(script):
        day, clock = generated.groups()
        return parse_moment(f"{day} {_DAY_EDGE.get(clock.capitalize(), clock)}")
    days = {"Today": 0, "Yesterday": 1, "Tomorrow": -1}
    named = re.fullmatch(r"gs\.(beginning|end)Of(Today|Yesterday|Tomorrow)\(\)", script)
    if named:
        day_moment = now - timedelta(days=days[named[2]])
        return _edge(day_moment, "Start" if named[1] == "beginning" else "End")
    return now if script in ("gs.nowDateTime()", "gs.now()") else None


def _edge(moment: datetime, edge: str | None) -> datetime:
    if not edge:
        return moment
    return parse_moment(f"{moment:%Y-%m-%d} {_DAY_EDGE[edge]}") or moment


def relative_limit(value: str, now: datetime) -> datetime | None:
    """The instant ``@hour@ago@3`` means."""
    match = _RELATIVE.fullmatch(value)
    if match is None or match[1] not in _UNITS:
        return None
    distance = timedelta(seconds=_UNITS[match[1]] * int(match[3]))
    return now - distance if match[2] == "ago" else now + distance


def in_date_part(value: str, moment: datetime) -> bool | None:
    """``Monday@javascript:gs.datePart('dayofweek','monday','EE')``; None when the expression is not understood."""
    match = _DATE_PART.fullmatch(value)
    if match is None:
        return None
    part, wanted, _ = match.groups()
    parts = {
        "dayofweek": _WEEKDAYS[moment.weekday()],
        "month": f"{moment:%B}".lower()[:3],
        "year": str(moment.year),
        "hour": str(moment.hour),
    }
    return parts[part] == wanted.lower() if part in parts else None


def further_apart(first: str, second: str, value: str) -> bool | None:
    """Whether two stored date-times lie further apart than ``@day@after@1`` says; None when not comparable."""
    match = re.fullmatch(r"@(\w+?)s?@\w+@(\d+)", value)
    one, other = parse_moment(first), parse_moment(second)
    if match is None or match[1] not in _UNITS or one is None or other is None:
        return None
    return abs((one - other).total_seconds()) > _UNITS[match[1]] * int(match[2])
