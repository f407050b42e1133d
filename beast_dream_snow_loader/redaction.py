"""What may be shown: a secret that cannot be formatted, and redaction by allow-list."""

from __future__ import annotations

import base64
import html
import json
import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NoReturn
from urllib.parse import quote, quote_plus

HIDDEN = "[hidden]"


class Secret:
    """A credential in memory. ``str``, ``repr`` and f-strings show ``[hidden]``; only :meth:`reveal` gives it out.

    It refuses to be pickled or compared, so that it does not travel by accident. What it holds is known to
    :func:`masked` from then on.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value
        _known.add(value)

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


SHORTEST = 4
"""Characters. Shorter secrets are in every text by chance, and are not looked for."""


def disguises(secret: str) -> frozenset[bytes]:
    """The forms in which a secret may stand in a file: as it is, and escaped once or twice for URLs, HTML and JSON, as
    a server does that repeats what it was sent; each in base64, wherever it begins in what was encoded; and in hex."""
    if len(secret) < SHORTEST:
        return frozenset()
    once = {secret, *_escaped(secret)}
    twice = {form for one in once for form in _escaped(one)}
    plain = _bytes(secret)
    forms = {*map(_bytes, once | twice), plain.hex().encode(), plain.hex().upper().encode()}
    return frozenset(forms) | {
        form.translate(alphabet) for one in once for form in _base64(_bytes(one)) for alphabet in (None, _URL_SAFE)
    }


def _escaped(text: str) -> Iterator[str]:
    plain = _bytes(text)
    for quoted in (quote(plain), quote(plain, safe=""), quote_plus(plain)):
        yield quoted
        yield re.sub("%..", lambda found: found.group().lower(), quoted)
    yield html.escape(text)
    yield from (json.dumps(text, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False))


def _bytes(text: str) -> bytes:
    """Half a character, from a variable that is no UTF-8, is no reason to fail."""
    return text.encode("utf-8", "surrogatepass")


_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def _base64(plain: bytes) -> Iterable[bytes]:
    """The characters that depend on the secret alone, for each place it may have in a group of three bytes."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + plain).rstrip(b"=")
        ends = len(encoded) - (1 if (before + len(plain)) % 3 else 0)
        form = encoded[(0, 2, 3)[before] : ends]
        if len(form) >= SHORTEST:
            yield form


def hide(data: bytes, secrets: Iterable[str]) -> bytes:
    """``data`` with every form of the secrets replaced, the longest first."""
    forms = {form for secret in secrets for form in disguises(secret)}
    for form in sorted(forms, key=len, reverse=True):
        data = data.replace(form, HIDDEN.encode())
    return data


def holds_secret(data: bytes, secrets: Iterable[str]) -> bool:
    return any(form in data for secret in secrets for form in disguises(secret))


_BLANKS = re.compile(r"\s+")


class _Known:
    """The secrets this process has held, the newest :data:`_KNOWN_MAX` of them, with their forms, made when needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[str, None] = {}
        self._forms: tuple[str, ...] = ()

    def add(self, value: str) -> None:
        scheme, _, bare = value.partition(" ")
        said = (value, bare) if scheme in ("Bearer", "Basic") else (value,)
        new = [one for one in said if len(one) >= SHORTEST and not one.isspace()]
        with self._lock:
            if all(one in self._values for one in new):
                return
            values = {**self._values, **dict.fromkeys(new)}
            self._values = dict(list(values.items())[-_KNOWN_MAX:])
            self._forms = ()

    def holds(self, value: str) -> bool:
        return value in self._values

    def hide(self, text: str) -> str:
        """A form may also be broken up by line ends, as a wrapped line or a mail has it."""
        if not self._values or len(text) < SHORTEST:
            return text
        forms = self._forms or self._made()
        for form in forms:
            if form in text:
                text = text.replace(form, HIDDEN)
        if "\n" in text or "\r" in text:
            joined = _BLANKS.sub("", text)
            for form in forms:
                bare = _BLANKS.sub("", form)
                if len(bare) >= SHORTEST and bare in joined:
                    text = re.sub(r"\s*".join(map(re.escape, bare)), HIDDEN, text)
        return text

    def _made(self) -> tuple[str, ...]:
        """The longest first: a form may hold a shorter one."""
        with self._lock:
            forms = {form.decode("utf-8", "surrogatepass") for value in self._values for form in disguises(value)}
            self._forms = tuple(sorted(forms, key=lambda form: (-len(form), form)))
            return self._forms

    @contextmanager
    def within(self) -> Iterator[None]:
        before = self._values
        try:
            yield
        finally:
            with self._lock:
                self._values, self._forms = before, ()


_KNOWN_MAX = 1000
_known = _Known()


def held_within() -> AbstractContextManager[None]:
    """What is held from here on is forgotten at the end of the context, and hides no words of what comes after it."""
    return _known.within()


def masked(text: str) -> str:
    """``text`` with every form of every secret this process has held replaced: the last filter before a sink."""
    return _known.hide(text)


def masked_values(value: Any) -> Any:
    """A document with every text in it :func:`masked`; names of ours stay. The same one where none is held.

    Nearly always there is nothing to hide, and that is seen in the whole text at once.
    """
    whole = json.dumps(value, default=str, ensure_ascii=False)
    return value if _known.hide(whole) == whole else _masked_values(value)


def _masked_values(value: Any) -> Any:
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, Mapping):
        return {_masked_name(name): _masked_values(one) for name, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return [_masked_values(one) for one in value]
    return value if value is None or isinstance(value, (bool, int, float)) else masked(str(value))


_OURS = re.compile(r"[a-z][a-z0-9_.]*")
"""How entries of our documents are named. Others have the names of sites, consoles and the like."""


def _masked_name(name: Any) -> Any:
    return name if not isinstance(name, str) or _OURS.fullmatch(name) else masked(name)


def is_held(text: str) -> bool:
    """Whether ``text`` is, as a whole, a secret that this process holds."""
    return _known.holds(text)


def password_in(url: str) -> str:
    """The password some put into a URL, as it stands there; "" without one.

    Up to the last ``@``: in one that was not escaped, ``/``, ``?`` and ``#`` are no ends.
    """
    _, _, rest = url.partition("://")
    login, _, _ = rest.rpartition("@")
    return login.partition(":")[2]


def without_password(url: str) -> str:
    """A URL without the password some put into it."""
    password = password_in(url)
    return url.replace(f":{password}@", f":{HIDDEN}@") if password else url
