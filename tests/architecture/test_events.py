"""The list of events is true: what is said is in it, and what is in it is said (R2.1)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import beast_dream_snow_loader
from beast_dream_snow_loader.operations.log_events import ENVELOPE, EVENTS

PACKAGE = Path(beast_dream_snow_loader.__file__).parent
SAYING = {"log_event", "_say"}


def calls() -> Iterator[tuple[str, ast.Call]]:
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                yield file.relative_to(PACKAGE).as_posix(), node


def said() -> dict[str, set[str]]:
    """Event → the names of values given with it, as far as they are written at the call. A name that is put together
    while the program runs cannot be checked: only the one door, which refuses what is not in the list, may pass one."""
    found: dict[str, set[str]] = {"library.spoke": set()}
    for file, call in calls():
        if isinstance(call.func, ast.Attribute) and call.func.attr in SAYING:
            name = call.args[0]
            if isinstance(name, ast.Constant):
                found.setdefault(str(name.value), set()).update(k.arg for k in call.keywords if k.arg)
            else:
                assert file == "operations/logger.py", f"{file}:{call.lineno} says an event that nobody can look up"
    return found


def test_every_event_that_is_said_is_in_the_list_and_the_other_way_round() -> None:
    assert set(said()) == set(EVENTS)


def test_every_value_given_with_an_event_is_listed_for_it() -> None:
    for event, values in said().items():
        assert values - {"level"} <= set(EVENTS[event].values), event


def test_events_are_named_noun_verb() -> None:
    assert all(len(name.split(".")) == 2 and name.replace(".", "").isalpha() for name in EVENTS)
    assert not {value for event in EVENTS.values() for value in event.values} & set(ENVELOPE)


def test_nobody_logs_by_another_door() -> None:
    """Lines in free words come from libraries only."""
    doors = {
        file
        for file, call in calls()
        if isinstance(call.func, ast.Attribute) and call.func.attr in ("getLogger", "get_logger", "wrap_logger")
    }
    assert doors == {"operations/logger.py", "operations/log_sinks.py", "app/ground.py"}
