"""Text from a device or a server, and ages, made fit for a terminal, a log line or a report."""

from __future__ import annotations

import unicodedata

_BIDI = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u061c")


def shown(text: str, limit: int = 200) -> str:
    """Control characters, terminal escapes and bidirectional marks as visible ``\\x1b`` forms; cut to ``limit``."""
    plain = text.isascii() and text.isprintable()
    safe = text if plain else "".join(_escaped(c) if _hostile(c) else c for c in text)
    return safe if len(safe) <= limit else f"{safe[: limit - 1]}…"


def age(seconds: float) -> str:
    """``35 seconds``, ``12 minutes``, ``3.5 hours``, ``4.2 days``: how old something is, for people."""
    for unit, length, upto in (("seconds", 1, 90), ("minutes", 60, 90 * 60), ("hours", 3600, 48 * 3600)):
        if seconds < upto:
            return f"{seconds / length:.{1 if unit == 'hours' else 0}f} {unit}"
    return f"{seconds / 86400:.1f} days"


def _hostile(character: str) -> bool:
    return character in _BIDI or unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
