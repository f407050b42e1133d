"""One id from the command to the request header to the log, in W3C trace context form."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_HEX32 = re.compile(r"[0-9a-f]{32}")
_current: ContextVar[str] = ContextVar("correlation_id", default="")


def correlation_id() -> str:
    """The id of the work under way, empty when none is bound. A pool's threads see it only in a copied context."""
    return _current.get()


@contextmanager
def correlated(correlation: str) -> Iterator[None]:
    """Everything inside carries this id, the run's as a rule."""
    token = _current.set(correlation)
    try:
        yield
    finally:
        _current.reset(token)


def new_correlation_id() -> str:
    """Thirty-two hexadecimal digits."""
    return secrets.token_hex(16)


def traceparent(correlation: str) -> str:
    """The ``traceparent`` header (W3C Trace Context, version 00): the id as trace, a new span for this request.

    An id that is not a UUID is digested, so that the same id always gives the same trace.
    """
    trace = correlation.replace("-", "").lower()
    if not _HEX32.fullmatch(trace) or trace == "0" * 32:
        trace = hashlib.sha256(correlation.encode()).hexdigest()[:32]
    return f"00-{trace}-{secrets.token_hex(8)}-01"
