"""Characters that nobody sees, and names that look alike.

A name made of them looks empty, and one of them in a name makes a second name that looks like the first.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

_DROPPED = frozenset(("Cc", "Cf", "Cs"))
_SEEN_FORMATS = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
"""Signs of numbers and verses: format characters by name only."""
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0")
"""Fillers and marks without a shape of their own."""
_JOINERS = frozenset("\u200c\u200d")
_SYMBOLS = frozenset(("So", "Sk", "Sm", "Me"))
_SELECTABLE = frozenset(("So", "Sk", "Sm", "Lo", "Po", "Pd", "Ps", "Pe"))
_BRAILLE_BLANK, _FLAG, _KEYCAP = "\u2800", "\U0001f3f4", "\u20e3"
_VIRAMA = 9


def seen(text: str) -> str:
    """The text in NFC without what shows nothing; joiners and selectors stay where they shape what is shown."""
    return unicodedata.normalize("NFC", "".join(_seen(unicodedata.normalize("NFC", text))))


def look(text: str) -> str:
    """What two texts have in common that look alike: without case, joiners and selectors."""
    if text.isascii():
        return text.casefold()
    return "".join(one for one in text.casefold() if one not in _JOINERS and not _selector(one))


def _seen(text: str) -> Iterator[str]:
    before = ""
    for at, character in enumerate(text):
        if character.isspace() or character == _BRAILLE_BLANK:
            kept = " "
        elif character.isascii() and character.isprintable():
            kept = character
        else:
            kept = character if _shows(character, before, text[at + 1 : at + 2]) else ""
        yield kept
        before = kept or before


def _shows(character: str, before: str, after: str) -> bool:
    if _selector(character):
        return bool(before) and (after == _KEYCAP or (not before.isascii() and _category(before) in _SELECTABLE))
    if character in _JOINERS:
        return bool(before and after) and _joins(before, after)
    if _tag(character):
        return before == _FLAG or _tag(before)
    if character in _BLANK:
        return False
    return character in _SEEN_FORMATS or _category(character) not in _DROPPED


def _joins(before: str, after: str) -> bool:
    """Between symbols, and in scripts whose letters change their shape by it."""
    if _category(after) in _SYMBOLS and not after.isascii():
        return _selector(before) or _tag(before) or (_category(before) in _SYMBOLS and not before.isascii())
    letters = _category(after).startswith(("L", "M"))
    return letters and (unicodedata.bidirectional(before) == "AL" or unicodedata.combining(before) == _VIRAMA)


def _selector(character: str) -> bool:
    return "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"


def _tag(character: str) -> bool:
    return "\U000e0020" <= character <= "\U000e007f"


def _category(character: str) -> str:
    return unicodedata.category(character)
