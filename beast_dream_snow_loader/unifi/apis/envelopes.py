"""The three envelopes, and what a body that is none of them means."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import orjson

from beast_dream_snow_loader.core.shown import shown
from beast_dream_snow_loader.errors import (
    NotAuthenticated,
    NotAuthorised,
    Rejected,
    SourceDataInvalid,
    SourceUnavailable,
)
from beast_dream_snow_loader.redaction import masked
from beast_dream_snow_loader.unifi.apis.fields import Json, text

_CHECK = "Check that the address is that of UniFi and nothing on the way changes its answers."
_GZIP = b"\x1f\x8b"
_LARGEST = 512 * 1024 * 1024


def decoded(body: bytes, place: str) -> object:
    """The JSON of a body. ``place`` names it in errors.

    Some consoles answer gzip bytes without saying so (unifi-api 1.7). Raises SourceUnavailable for an HTML page (the
    application is starting), SourceDataInvalid for anything else that is not JSON.
    """
    body = _plain(body, place)
    try:
        return _loaded(body)
    except orjson.JSONDecodeError as error:
        if body.lstrip()[:1] == b"<":
            raise SourceUnavailable(
                f"{place} answered with a web page: the UniFi application is starting or is not installed there.",
                next_step="Try again in a few minutes.",
            ) from None
        raise SourceDataInvalid(
            f"{place} is not valid JSON ({error.msg}, at character {error.pos} of {len(body)} bytes).",
            next_step="If it repeats, the answer is being cut on the way: check proxies and the console's load.",
            path=place,
        ) from None


def envelope(body: bytes, place: str) -> Json:
    """A body that must be one JSON object."""
    value = decoded(body, place)
    if not isinstance(value, Mapping):
        raise SourceDataInvalid(f"{place} holds no JSON object.", next_step=_CHECK, path=place)
    return value


def controller_data(body: bytes, place: str) -> list[object]:
    """The ``data`` of a controller answer; an error may come with HTTP 200 (unifi-api 3.2)."""
    value = envelope(body, place)
    meta = value.get("meta")
    outcome = meta if isinstance(meta, Mapping) else {}
    if text(outcome, "rc") != "ok":
        raise controller_error(text(outcome, "msg") or "no reason given", place)
    data = value.get("data")
    if not isinstance(data, list):
        raise SourceDataInvalid(f"{place} has no list under data.", next_step=_CHECK, path=f"{place}.data")
    return data


def controller_error(code: str, place: str) -> Rejected | NotAuthorised | NotAuthenticated:
    """Two codes are about the login and its rights; every other one is about the request."""
    if code == "api.err.LoginRequired":
        return NotAuthenticated(f"{place} was refused: the session is over ({code}).", next_step="Run it again.")
    if code == "api.err.NoPermission":
        return NotAuthorised(
            f"{place} was refused: {code}.",
            next_step="Give the UniFi account at least read-only rights on every site.",
            detail=code,
        )
    words = shown(masked(code))
    return Rejected(
        f"{place} was refused: {words}.", next_step="Check that the site still exists.", status=400, detail=words
    )


def _loaded(body: bytes) -> object:
    """One name in a wrong encoding must not cost a whole console (gotcha 12): its bad bytes become U+FFFD."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        mended = body.decode(errors="replace").encode()
        if mended == body:
            raise
        return orjson.loads(mended)


def _plain(body: bytes, place: str) -> bytes:
    if not body.startswith(_GZIP):
        return body
    try:
        plain = zlib.decompressobj(wbits=31).decompress(body, _LARGEST)
    except zlib.error:
        raise SourceDataInvalid(f"{place} is compressed and does not unpack.", next_step=_CHECK, path=place) from None
    return plain
