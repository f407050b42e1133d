"""Reading an answer's body within bounds, whatever the far side promises or sends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

_CHUNK = 65536


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """``body_bytes`` after decompression; ``total_seconds`` from sending to the last byte."""

    body_bytes: int = 256 * 1024 * 1024
    total_seconds: float = 60.0


class TooLarge(Exception):
    """More than ``Limits.body_bytes``."""


class Stream(Protocol):
    """urllib3's response: ``read1`` decompresses and gives what is there, at most so many bytes."""

    def read1(self, amt: int | None = None, decode_content: bool | None = None) -> bytes: ...


def read_body(stream: Stream, limit: int) -> bytes:
    """The whole body, decompressed. Raises TooLarge, and what urllib3 raises."""
    chunks: list[bytes] = []
    size = 0
    while chunk := stream.read1(_CHUNK, decode_content=True):
        size += len(chunk)
        if size > limit:
            raise TooLarge
        chunks.append(chunk)
    return b"".join(chunks)
