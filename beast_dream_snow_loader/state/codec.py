"""Values of the core as JSON text and back, the same value on both sides.

pydantic reads the core's plain dataclasses as they stand (docs/decisions/0003-pydantic-in-the-state-codec.md). It is
imported at the first use, since ``--help`` needs none of it.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from beast_dream_snow_loader.core.changes import Change, ChangeType, ItemChange, LinkChange, UnlinkChange
from beast_dream_snow_loader.errors import StateDamaged, StateError
from beast_dream_snow_loader.state.unread import Unread

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")


_adapters: dict[type[Any], TypeAdapter[Any]] = {}
"""Made once per type: making one costs milliseconds, using it microseconds."""


def _adapter(kind: type[T]) -> TypeAdapter[T]:
    from pydantic import TypeAdapter

    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


def encode(kind: type[T], value: T) -> str:
    """``value`` as JSON text. StateError when it holds text that no JSON can carry (a lone surrogate)."""
    from pydantic_core import PydanticSerializationError

    try:
        return _adapter(kind).dump_json(value, fallback=_plain, warnings="none").decode()
    except (PydanticSerializationError, UnicodeError):
        raise StateError(
            f"A {kind.__name__} cannot be stored: a text in it is not valid Unicode, or a value has no JSON form.",
            next_step="Run `snowload validate` to find the record, and rename it in UniFi.",
        ) from None


def decode(kind: type[T], body: str | bytes) -> T:
    """The inverse of :func:`encode`. StateDamaged when the text does not make a ``kind``; the text is not shown."""
    from pydantic import ValidationError

    try:
        value: T = _adapter(kind).validate_json(body)
    except ValidationError as error:
        place = ".".join(str(step) for step in error.errors(include_input=False)[0]["loc"])
        raise _damaged(kind.__name__, place) from None
    return value


def encode_change(change: Change) -> str:
    kind: type[Any] = type(change)
    return encode(kind, change)


def decode_change(body: str, change_type: str) -> Change:
    """``change_type`` is a :class:`ChangeType` value: it says which of the three forms the text has."""
    if change_type == ChangeType.LINK:
        return decode(LinkChange, body)
    return decode(UnlinkChange, body) if change_type == ChangeType.UNLINK else decode(ItemChange, body)


def pack(kind: type[T], value: T) -> bytes:
    """:func:`encode`, compressed and with a checksum: for values of many megabytes."""
    return zlib.compress(encode(kind, value).encode(), level=1)


def unpack(kind: type[T], body: bytes) -> T:
    """The inverse of :func:`pack`. StateDamaged when the checksum or the text is wrong."""
    try:
        plain = zlib.decompress(body)
    except zlib.error:
        raise _damaged(kind.__name__, "") from None
    return decode(kind, plain)


def encode_document(document: Mapping[str, Any]) -> str:
    """A JSON object with keys in a stable order."""
    return orjson.dumps(document, default=_plain, option=orjson.OPT_SORT_KEYS).decode()


def decode_document(body: str) -> dict[str, Any]:
    """The inverse of :func:`encode_document`. StateDamaged when the text is no JSON object."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise _damaged("JSON document", "") from None
    if not isinstance(document, dict):
        raise _damaged("JSON document", "")
    return document


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(type(value).__name__)


def _damaged(kind: str, place: str) -> StateDamaged:
    at = f" at {place}" if place else ""
    return Unread(f"a stored {kind} does not read{at}")
