"""A stored value that does not read. Where it is found nobody knows in which database; who opened that adds it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from beast_dream_snow_loader.errors import StateDamaged

T = TypeVar("T")


class Unread(StateDamaged):
    """Damage whose database is not named yet (damage.py). The value itself is never shown."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what}.",
            next_step="Run `snowload health` to check the whole database, and restore the newest backup beside it.",
        )
        self.what = what


def from_table(table: str) -> Callable[[Callable[[Any], T]], Callable[[Any], T]]:
    """For a function that makes a value of one row of ``table``: what it cannot read is damage of that table."""

    def naming(make: Callable[[Any], T]) -> Callable[[Any], T]:
        @wraps(make)
        def made(row: Any) -> T:
            try:
                return make(row)
            except Unread as damage:
                raise Unread(f"{damage.what} (table {table})") from None
            except (ValueError, TypeError):
                raise Unread(f"a row of table {table} does not read") from None

        return made

    return naming
