"""Reading loosely typed JSON: absent, null, empty and wrong types all become None (unifi-api 5, gotchas 1 to 3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

Json = Mapping[str, object]

_EPOCH_LIMIT = 253_402_300_799
"""The last second of the year 9999: beyond it the number is no time."""


def text(record: Json, *names: str) -> str | None:
    """The first of ``names`` that holds text; numbers count as text, blanks do not."""
    for name in names:
        value = record.get(name)
        if isinstance(value, str) and value.strip():
            return value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
    return None


def flag(record: Json, name: str) -> bool | None:
    """Booleans as they come: true, "true", 1; "" and null are None."""
    value = record.get(name)
    if isinstance(value, str):
        return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(value.lower())
    return bool(value) if isinstance(value, bool | int) else None


def integer(record: Json, name: str) -> int | None:
    """Whole numbers as number, float or text."""
    value = record.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return int(float(value))
    except (ValueError, OverflowError):
        return None


def epoch(record: Json, name: str) -> datetime | None:
    """Seconds since 1970 → an instant in UTC."""
    seconds = integer(record, name)
    return datetime.fromtimestamp(seconds, UTC) if seconds and 0 < seconds < _EPOCH_LIMIT else None


def instant(record: Json, name: str) -> datetime | None:
    """ISO 8601, also with nanoseconds; a time without a zone is taken as UTC."""
    value = record.get(name)
    if not isinstance(value, str) or not value:
        return None
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def section(record: Json, name: str) -> Json:
    """A nested object, or an empty one."""
    value = record.get(name)
    return value if isinstance(value, Mapping) else {}


def rows(record: Json, name: str) -> Iterator[Json]:
    """The objects of a nested list; whatever else stands in it is passed over."""
    value = record.get(name)
    yield from objects(value)


def objects(value: object) -> Iterator[Json]:
    if isinstance(value, list):
        yield from (row for row in value if isinstance(row, Mapping))


def words(record: Json, name: str) -> frozenset[str]:
    """A list of names, the keys of an object, or the ``name`` of each object in a list; lower case."""
    value = record.get(name)
    found: list[object] = list(value) if isinstance(value, list | Mapping) else []
    named = [entry.get("name") if isinstance(entry, Mapping) else entry for entry in found]
    return frozenset(word.lower() for word in named if isinstance(word, str))
