"""What every line of the log goes through: its id, what may be shown, and the form it is written in."""

from __future__ import annotations

import json
import logging
import math
import traceback
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

from beast_dream_snow_loader.core.shown import shown
from beast_dream_snow_loader.operations.correlation import correlation_id
from beast_dream_snow_loader.operations.log_events import ENVELOPE, LOGGED
from beast_dream_snow_loader.redaction import allow, masked

_TEXT_MAX = 2000
_TRACE_FRAMES = 12
Line = MutableMapping[str, Any]


def shared() -> list[Any]:
    """Processors for our own lines and those of libraries alike."""
    import structlog

    return [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _correlated,
        _redacted,
    ]


def formatter(*, as_json: bool, colours: bool) -> logging.Formatter:
    """One line per record, of ours or of a library."""
    import structlog

    render = as_json_line if as_json else structlog.dev.ConsoleRenderer(colors=colours, pad_event_to=20)
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[_of_a_library, *shared()],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
    )


def as_json_line(_logger: object, _name: str, line: Mapping[str, Any]) -> str:
    """Strict JSON in ASCII, whatever stands in it: no NaN, no half of a character, no line end."""
    return json.dumps(line, allow_nan=False, default=str, separators=(",", ":"))


def _of_a_library(_logger: object, _name: str, line: Line) -> Line:
    """Its text is a message, not an event; an exception is told by its kind and place, for its text may quote data."""
    line["message"], line["event"] = line["event"], "library.spoke"
    kind, _, trace = _exception(line.pop("exc_info", None))
    line.pop("stack_info", None)
    if kind is not None:
        line["error"] = kind.__name__
        frames = traceback.extract_tb(trace)[-_TRACE_FRAMES:]
        line["trace"] = " > ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames)
    return line


def _exception(found: object) -> tuple[Any, Any, Any]:
    return found if isinstance(found, tuple) and len(found) == 3 else (None, None, None)


def _correlated(_logger: object, _name: str, line: Line) -> Line:
    if current := correlation_id():
        line.setdefault("correlation_id", current)
    return line


def _redacted(_logger: object, _name: str, line: Line) -> Line:
    """Only what is on the list, and no secret in it, whoever says it: the one filter before every sink.

    structlog's own entries begin with an underscore and never reach a sink.
    """
    for name, value in line.items():
        if name not in ENVELOPE and not name.startswith("_"):
            line[name] = _plain(allow({name: value}, LOGGED)[name])
    return line


def _plain(value: Any) -> Any:
    """A value that JSON has; text masked, escaped, then cut."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {shown(str(name), limit=_TEXT_MAX): _plain(one) for name, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [_plain(one) for one in value]
    return shown(masked(str(value)), limit=_TEXT_MAX)
