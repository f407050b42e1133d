"""HTTP/1.1 on a socket: read one request, put one answer in bytes (RFC 9112). Small and quick, for loopback only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import BinaryIO
from urllib.parse import parse_qsl, unquote

from beast_dream_snow_loader.sandbox.messages import HttpAnswer, HttpRequest

_MAX_HEAD = 65536
_MAX_BODY = 512 * 1024 * 1024


class Malformed(Exception):
    """What arrived is not a request we can read; the connection is answered 400 and closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A request with what the connection needs to know: whether to keep it, and the target as it was written."""

    request: HttpRequest
    keep_alive: bool
    target: str


def read_request(stream: BinaryIO, go_on: Callable[[], None]) -> Incoming | None:
    """The next request, None when the peer has closed. ``go_on`` is called when it waits for ``100 Continue``."""
    line = stream.readline(_MAX_HEAD)
    if line in (b"\r\n", b"\n"):
        line = stream.readline(_MAX_HEAD)
    if not line:
        return None
    parts = line.decode("latin-1").split()
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise Malformed("request line")
    method, target, version = parts
    headers = _read_headers(stream)
    if headers.get("expect", "").lower() == "100-continue":
        go_on()
    path, _, query = _without_origin(target).partition("?")
    request = HttpRequest(
        method=method,
        path=unquote(path),
        query=tuple(parse_qsl(query, keep_blank_values=True)) if query else (),
        headers=headers,
        body=_read_body(stream, headers),
    )
    return Incoming(request=request, keep_alive=_keeps(version, headers), target=path)


def _without_origin(target: str) -> str:
    if target.startswith("/"):
        return target
    _, _, rest = target.partition("://")
    return "/" + rest.partition("/")[2]


def _keeps(version: str, headers: Mapping[str, str]) -> bool:
    wish = headers.get("connection", "").lower()
    return wish != "close" if version == "HTTP/1.1" else wish == "keep-alive"


def _read_headers(stream: BinaryIO) -> dict[str, str]:
    headers: dict[str, str] = {}
    size = 0
    while (line := stream.readline(_MAX_HEAD)) not in (b"\r\n", b"\n", b""):
        size += len(line)
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or size > _MAX_HEAD:
            raise Malformed("headers")
        key, text = name.lower(), value.strip()
        headers[key] = f"{headers[key]}{'; ' if key == 'cookie' else ', '}{text}" if key in headers else text
    return headers


def _read_body(stream: BinaryIO, headers: Mapping[str, str]) -> bytes:
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return _read_chunks(stream)
    length = headers.get("content-length", "0")
    if not length.isdigit() or int(length) > _MAX_BODY:
        raise Malformed("content-length")
    return _exactly(stream, int(length))


def _read_chunks(stream: BinaryIO) -> bytes:
    chunks: list[bytes] = []
    while size := _chunk_size(stream.readline(_MAX_HEAD)):
        chunks.append(_exactly(stream, size))
        stream.readline(_MAX_HEAD)
    while stream.readline(_MAX_HEAD) not in (b"\r\n", b"\n", b""):
        pass
    return b"".join(chunks)


def _chunk_size(line: bytes) -> int:
    try:
        size = int(line.partition(b";")[0].strip(), 16)
    except ValueError:
        raise Malformed("chunk size") from None
    if not 0 <= size <= _MAX_BODY:
        raise Malformed("chunk size")
    return size


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size) if size else b""
    if len(data) < size:
        raise Malformed("the body ends early")
    return data


_REASONS = {status.value: status.phrase for status in HTTPStatus}
_BODILESS = frozenset((204, 304))


def head_of(answer: HttpAnswer, *, length: int, keep_alive: bool, date: str = "") -> bytes:
    """Status line and headers, with the blank line. No Content-Length where the status allows no body."""
    lines = [f"HTTP/1.1 {answer.status} {_REASONS.get(answer.status, 'Unknown')}"]
    lines.extend(f"{name}: {_one_line(value)}" for name, value in answer.headers)
    if date:
        lines.append(f"Date: {date}")
    if answer.status not in _BODILESS:
        lines.append(f"Content-Length: {length}")
    if not keep_alive:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def _one_line(value: str) -> str:
    return value.replace("\r", " ").replace("\n", " ")
