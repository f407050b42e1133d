"""UniFi's codes for what a client is, as the few words we have for it.

``dev_cat`` is a number; its meaning is in the console's own list of device types (unifi-api 3.3), which public projects
quote in part. The plain cases are here; a number that is not stays unknown, which costs a client its exact class only.
"""

from __future__ import annotations

_CODES: dict[str, tuple[int, ...]] = {
    "computer": (1, 25, 28, 46, 56),
    "handheld": (6, 29, 30, 32, 44),
    "printer": (11, 22, 171),
    "camera": (9, 57, 106, 147, 161),
    "tv": (31, 47, 50),
    "console": (17,),
    "media": (5, 20, 37, 52, 69, 73, 96, 186, 238, 242),
    "phone": (3, 26, 27),
    "iot": (35, 41, 42, 48, 51, 53, 63, 65, 66, 70, 71, 92, 93, 97, 100, 144, 153, 154),
}
_WORD = {code: word for word, codes in _CODES.items() for code in codes}


def category(code: int | None) -> str | None:
    """Our word for a ``dev_cat``; None for no code or one we do not know."""
    return None if code is None else _WORD.get(code)
