"""Sixty secrets of different shapes, and the search for any trace of one."""

from __future__ import annotations

import io
import json
import random
import re
import string
import zipfile
import zlib
from base64 import b32encode, b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote, quote_plus

CORE = 14
"""Characters of each that are drawn at random: no other text holds them."""
WINDOW = 10
"""So many characters in a row are a trace: whoever has them has most of it."""
_WRAPPED = re.compile(rb"[\s\xe2\x94\x82|]+")

_FRAMES: Sequence[str] = (
    "§", "§§", "§ with spaces §", '§"quoted"', "§'single'", "§\\back\\slash", "{§}", '{"k":"§"}',
    "[§]", "<b>§</b>", "&amp;§&lt;", "§%20%2f", "%s§%d", "${§}", "$(§)", "`§`", "§;rm -rf", "§|tee",
    "§&x=y", "?§=1", "#§", "§:§", ":§", "@§", "=cmd|'§'!A0", "-§", "+§", "--§", "~§", "^NQ§",
    "§^ORname=§", "javascript:§", "§,§", "§/§", "//§", "../§", "C:\\§", "ops_§§§", "ghp_§§",
    "xoxb-§-§", "eyJ§.§.§", "AKIA§", "Bearer§", "Basic§", "sk-§", "§==", "§+/§==", "op:/§",
    "true§", "null§", "0x§", "1e§", "§é", "§Ünïcödé", "§\u4e2d\u6587", "§\U0001f511", "§\u05d0\u05d1",
    "§" * 40, "§" * 150, "Tr0ub4dor&3§",
)  # fmt: skip
PLAIN = tuple(number for number, frame in enumerate(_FRAMES) if frame.replace("§", "").isascii() and len(frame) < 40)
"""Those that can stand in a header and in a URL's password: a key with an accent in it opens nothing."""
ODD = tuple(number for number in range(len(_FRAMES)) if number not in PLAIN)


def secrets(seed: int) -> list[str]:
    """One per shape."""
    drawn = random.Random(seed)
    return [_filled(frame, drawn) for frame in _FRAMES]


def _filled(frame: str, drawn: random.Random) -> str:
    def core() -> str:
        return "".join(drawn.choices(string.ascii_letters + string.digits, k=CORE))

    first, *others = frame.split("§")
    return first + "".join(core() + part for part in others)


WRITTEN: Sequence[Callable[[str], str]] = (
    str,
    quote,
    lambda text: quote(text, safe=""),
    lambda text: re.sub("%..", lambda found: found.group().lower(), quote(text, safe="")),
    quote_plus,
    lambda text: json.dumps(text)[1:-1],
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    escape,
    lambda text: text.encode().hex(),
)
"""Forms that servers, proxies and libraries write. Not the program's own list: what that forgets should be found."""
ENCODED: Sequence[Callable[[str], str]] = (
    *WRITTEN,
    *(lambda text, n=n: _inside(b64encode(b"." * n + text.encode()), n) for n in range(3)),  # type: ignore[misc]
    *(lambda text, n=n: _inside(urlsafe_b64encode(b"." * n + text.encode()), n) for n in range(3)),  # type: ignore[misc]
    lambda text: b32encode(text.encode()).decode().rstrip("=")[:-1],
    lambda text: text[::-1],
)
"""And base64 without what stands around the secret, and two forms that nobody is known to write."""


def _inside(encoded: bytes, before: int) -> str:
    """Without the characters that what stands around the secret has a part in."""
    return encoded.decode().rstrip("=")[(0, 2, 3)[before] : -1]


def _traces(secret: str) -> Iterator[bytes]:
    """Each form whole, and every window of the secret that is its own."""
    for encoded in ENCODED:
        yield encoded(secret).encode()
    for run in re.findall(rf"[A-Za-z0-9]{{{CORE},}}", secret):
        yield from (run[at : at + WINDOW].encode() for at in range(len(run) - WINDOW + 1))


class Search:
    """Looks for all of the secrets at once."""

    def __init__(self, sought: Iterable[str]) -> None:
        self._of = {trace: secret for secret in sought for trace in _traces(secret) if len(trace) >= WINDOW}
        self._pattern = re.compile(b"|".join(map(re.escape, sorted(self._of, key=len, reverse=True))))

    def found(self, data: bytes) -> str:
        """What of a secret is in ``data``, also broken up by line ends, blanks and the lines of a table."""
        for form in (data, _WRAPPED.sub(b"", data)):
            if match := self._pattern.search(form):
                at = match.start()
                return f"{self._of[match.group()]!r} as {form[max(0, at - 60) : match.end() + 20]!r}"
        return ""

    def in_files(self, folder: Path) -> Iterator[str]:
        """In every file below, raw; archives and what the database packs are opened."""
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            data = file.read_bytes()
            for part in (data, *_unpacked(data)):
                if trace := self.found(part):
                    yield f"{file.name}: {trace}"


def _unpacked(data: bytes) -> Iterator[bytes]:
    if data[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            yield from (archive.read(name) for name in archive.namelist())
    for start in re.finditer(rb"\x78[\x01\x9c\xda]", data):
        try:
            yield zlib.decompressobj().decompress(data[start.start() :], 10_000_000)
        except zlib.error:
            continue
