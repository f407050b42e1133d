"""Text from a device or a server, made fit for a terminal, a log line or a report."""

from __future__ import annotations

import unicodedata

_BIDI = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u061c")


def shown(text: str, limit: int = 200) -> str:
    """Control characters, terminal escapes and bidirectional marks as visible ``\\x1b`` forms; cut to ``limit``."""
    plain = text.isascii() and text.isprintable()
    safe = text if plain else "".join(_escaped(c) if _hostile(c) else c for c in text)
    return safe if len(safe) <= limit else f"{safe[: limit - 1]}…"


def _hostile(character: str) -> bool:
    return character in _BIDI or unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
