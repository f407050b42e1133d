"""What may be shown: a secret that cannot be formatted, and redaction by allow-list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

HIDDEN = "[hidden]"


class Secret:
    """A credential in memory. ``str``, ``repr`` and f-strings show ``[hidden]``; only :meth:`reveal` gives it out.

    It refuses to be pickled or compared, so that it does not travel by accident.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return HIDDEN

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return HIDDEN

    def __eq__(self, other: object) -> NoReturn:
        raise TypeError("secrets are not compared")

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> NoReturn:
        raise TypeError("secrets are not pickled")


def allow(value: Any, allowed: frozenset[str]) -> Any:
    """A copy of ``value`` in which only mapping entries named in ``allowed`` keep their text.

    Recursive; every other leaf becomes ``[hidden]``. Keys themselves are kept: they are names, not data.
    """
    if isinstance(value, Mapping):
        return {str(k): _allow_entry(str(k), v, allowed) for k, v in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [allow(item, allowed) for item in value]
    return value if value is None or isinstance(value, bool) else HIDDEN


def _allow_entry(key: str, value: Any, allowed: frozenset[str]) -> Any:
    if isinstance(value, Mapping) or (isinstance(value, Sequence) and not isinstance(value, (str, bytes))):
        return allow(value, allowed)
    return value if key in allowed or value is None else HIDDEN
