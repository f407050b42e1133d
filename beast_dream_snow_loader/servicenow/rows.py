"""Table rows as flat text, whatever form the instance chose for a value (servicenow-api 2.4)."""

from __future__ import annotations

from collections.abc import Mapping

Row = Mapping[str, str]
"""Element to stored value; empty is ``""``. A field the account may not read is not in the row."""


def parse_rows(result: object) -> list[Row]:
    """The rows of a list answer; a single record counts as one. Anything else in the list is skipped."""
    rows = result if isinstance(result, list) else [result]
    return [{str(name): text(value) for name, value in row.items()} for row in rows if isinstance(row, Mapping)]


def text(value: object) -> str:
    """A value as wire text: references by sys_id, booleans in lower case, null as empty."""
    if isinstance(value, Mapping):
        return text(value.get("value", value.get("display_value")))
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def flag(value: object, otherwise: bool) -> bool:
    """CMDB Meta mixes JSON booleans with ``"true"``; ``otherwise`` where the key is missing."""
    shown = text(value).strip().casefold()
    return otherwise if not shown else shown == "true"
