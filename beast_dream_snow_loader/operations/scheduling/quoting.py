"""One value in a unit, written so that whoever reads the unit sees exactly that value and nothing besides.

Values are printable (:func:`refuse_odd`): no line end can begin a line of its own anywhere.
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass

Words = tuple[str, ...]
Value = str | Words
_BARE = re.compile(r"[A-Za-z0-9_@+:,./=-]+")


@dataclass(frozen=True, slots=True)
class Plain:
    """A text of our own making, which needs no quotes: a number, a name that was checked, a calendar expression."""

    text: str


def refuse_odd(name: str, value: str) -> None:
    """ValueError for what has no place in a file of settings of any kind: line ends, controls, marks nobody sees."""
    if not value or not value.isprintable():
        raise ValueError(f"{name} is empty, or has a character in it that cannot be printed: {value!r}")


def systemd(value: Value) -> str:
    """Words of ``ExecStart=``: neither a specifier (``%``) nor a variable (``$``)."""
    return " ".join(_of_systemd(word) for word in _words(value))


def cron(value: Value) -> str:
    """Words of a command in a crontab: for the shell, and past cron itself, which ends a line at ``%``."""
    return shlex.join(_words(value)).replace("%", "\\%")


def yaml(value: Value) -> str:
    """A string, or a list of strings: JSON is YAML."""
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)


def kubernetes(word: str) -> str:
    """An argument of a container, in which ``$(NAME)`` would be a variable."""
    return word.replace("$", "$$")


def _words(value: Value) -> Words:
    return value if isinstance(value, tuple) else (value,)


def _of_systemd(word: str) -> str:
    if _BARE.fullmatch(word):
        return word
    for special, written in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%"), ("$", "$$")):
        word = word.replace(special, written)
    return f'"{word}"'
