"""Reading an answer's body within bounds, whatever the far side promises or sends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

_CHUNK = 65536
_SUSPICIOUS_BYTES = 16 * 1024 * 1024
_RATIO = 200
"""Lists of records, alike as they are, pack to a tenth or a fiftieth; only what is made for it to a thousandth."""


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

    def tell(self) -> int:
        """Bytes that came over the wire so far."""


def read_body(stream: Stream, limit: int) -> bytes:
    """The whole body, decompressed. Raises TooLarge, also for what was packed to burst, and what urllib3 raises."""
    chunks: list[bytes] = []
    size = 0
    while chunk := stream.read1(_CHUNK, decode_content=True):
        size += len(chunk)
        if size > limit or (size > _SUSPICIOUS_BYTES and size > _RATIO * stream.tell()):
            raise TooLarge
        chunks.append(chunk)
    return b"".join(chunks)
