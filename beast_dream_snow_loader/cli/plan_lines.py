"""A plan as lines for people: record by record, field by field, readable on a narrow terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from beast_dream_snow_loader.cli.wrapping import wrapped
from beast_dream_snow_loader.core.shown import shown

MARKS = {"create": "+", "update": "~", "heartbeat": "=", "retire": "-", "link": "+", "unlink": "-"}
_EDGES = ("link", "unlink")
_ELEMENT = 20
_LONGEST = 1000

Change = Mapping[str, Any]


def plan_lines(changes: Iterable[Change], width: int) -> Iterator[str]:
    """Lines of at most ``width`` terminal columns."""
    for change in changes:
        if change["change"] in _EDGES:
            yield from wrapped(_edge(change), width, indent=4)
            continue
        yield from wrapped(_headline(change), width, indent=4)
        yield from wrapped(f"    why: {change['reason']}", width, indent=9)
        for field in change["fields"]:
            yield from _field(field, width, plain=change["change"] == "create")


def _headline(change: Change) -> str:
    where = f" (sys_id {change['sys_id']})" if change["sys_id"] else ""
    return f"{_start(change)} {_safe(change['name'])} {change['record']} {change['class']}{where}"


def _edge(change: Change) -> str:
    """``+ link hq-sw-01 (device/…) Connects to::Connected by hq-gw (device/…): reason``."""
    (field,) = change["fields"]
    far = field["new"] or field["old"]
    ends = (_end(change["name"], change["record"]), _end(change["far_name"], far))
    return f"{_start(change)} {ends[0]} {_safe(field['field'])} {ends[1]}: {_safe(change['reason'])}"


def _start(change: Change) -> str:
    return f"{MARKS.get(change['change'], '?')} {change['change']}"


def _end(name: str, key: str) -> str:
    return f"{_safe(name)} ({key})" if name else key


def _field(field: Mapping[str, Any], width: int, *, plain: bool) -> Iterator[str]:
    value = _value(field["new"]) if field["old"] is None else f"{_value(field['old'])} → {_value(field['new'])}"
    means = f" = {_safe(field['means'])}" if field.get("means") else ""
    reason = "" if plain else f"  [{_safe(field['reason'])}]"
    start = f"    {field['field']:<{_ELEMENT}} "
    yield from wrapped(f"{start}{value}{means}{reason}", width, indent=len(start))


def _value(value: object) -> str:
    return "(none)" if value is None else _safe(str(value))


def _safe(text: str) -> str:
    return shown(text, _LONGEST)
