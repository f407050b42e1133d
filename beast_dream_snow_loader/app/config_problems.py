"""What is wrong with a setting, in one sentence: which, from where, and what was expected (R7.5)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from beast_dream_snow_loader.app.canonical import VARIABLE
from beast_dream_snow_loader.app.variables import variable_of
from beast_dream_snow_loader.core.nearest import nearest

_UNKNOWN = "extra_forbidden"
_WORDS: Mapping[str, str] = {
    "missing": "is needed",
    "literal_error": "expected {expected}",
    "enum": "expected {expected}",
    "string_type": "expected a text",
    "string_pattern_mismatch": "expected a text of the form {pattern}",
    "less_than_equal": "expected {le} at most",
    "less_than": "expected less than {lt}",
    "greater_than_equal": "expected {ge} at least",
    "greater_than": "expected more than {gt}",
    "finite_number": "expected a finite number",
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float", "int_parsing_size"), "expected a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "expected a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "expected true or false"),
    **dict.fromkeys(("dict_type", "mapping_type", "model_type", "model_attributes_type"), "expected a table"),
    **dict.fromkeys(("list_type", "tuple_type"), "expected a list"),
    "path_type": "expected a path",
    "value_error": "{error}",
}


def sentences(
    details: Iterable[Mapping[str, Any]], where: Mapping[str, str], settings: Callable[[], Iterable[str]]
) -> Iterator[str]:
    """What pydantic found, in our words. ``where`` is the layer of each leaf that was set. A variable that names no
    setting is told as that by itself (:func:`~.variables.misspelt`)."""
    for detail in details:
        path = ".".join(str(part) for part in detail["loc"]).replace(".by_name", "", 1)
        if detail["type"] != _UNKNOWN or where.get(path) != VARIABLE:
            yield told(path, _expected(detail, path, settings()), where)


def told(path: str, wrong: str, where: Mapping[str, str]) -> str:
    return f"{path} ({source_of(path, where)}): {wrong}"


def source_of(path: str, where: Mapping[str, str]) -> str:
    """The file, or the variable by name. Of a table that is wrong as a whole, where its first leaf is from."""
    above = (layer for leaf, layer in where.items() if path.startswith(f"{leaf}."))
    below = (layer for leaf, layer in where.items() if leaf.startswith(f"{path}."))
    source = where.get(path) or next(above, "") or next(below, "default")
    return f"{VARIABLE} {variable_of(path, os.environ)}".rstrip() if source == VARIABLE else source


def _expected(detail: Mapping[str, Any], path: str, settings: Iterable[str]) -> str:
    if detail["type"] == _UNKNOWN:
        near = nearest(path, settings)
        return f"unknown setting{f'; did you mean {near}?' if near else ''}"
    words = _WORDS.get(detail["type"])
    return str(detail["msg"]) if words is None else words.format_map(detail.get("ctx", {}))
