"""What the write path makes of a value: text, cut to the column, of the column's type, or nothing.

Everything is stored and answered as text. Cutting over-long text, dropping a number that is none, and reading JSON null
as "clear" are the usual reading of the product's behaviour; none of it is documented.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from beast_dream_snow_loader.sandbox.servicenow.dictionary import FieldDefinition

DATE_TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_TRUE = frozenset({"true", "1", "yes", "on"})
_WRITE_ONLY = frozenset({"journal_input", "journal", "journal_list"})


def to_text(value: object) -> str:
    """Any JSON value as the text the product would store; of a reference object its ``value``."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, Mapping):
        return to_text(value.get("value", value.get("display_value", "")))
    if isinstance(value, list | tuple):
        return ",".join(to_text(entry) for entry in value)
    return str(value)


def coerce(definition: FieldDefinition, value: object) -> str:
    """``value`` as this column keeps it; what does not fit its type becomes empty."""
    text = to_text(value)
    if not text or definition.type in _WRITE_ONLY:
        return ""
    if definition.type == "boolean":
        return "true" if text.lower() in _TRUE else "false"
    if definition.type == "integer":
        return str(int(float(text))) if _NUMBER.fullmatch(text) else ""
    if definition.type in ("glide_date_time", "due_date"):
        return text if _is_moment(text) else ""
    return text[: definition.max_length]


def _is_moment(text: str) -> bool:
    try:
        datetime.strptime(text, DATE_TIME_FORMAT)  # noqa: DTZ007 - the wire format carries no zone, it is UTC
    except ValueError:
        return False
    return True
