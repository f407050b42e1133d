"""One id from the command to the request header to the log, in W3C trace context form."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import TypeVar

R = TypeVar("R")

_HEX32 = re.compile(r"[0-9a-f]{32}")
_current: ContextVar[str] = ContextVar("correlation_id", default="")
_span: ContextVar[str] = ContextVar("span_id", default="")


def correlation_id() -> str:
    """The id of the work under way, empty when none is bound. Another thread sees it only by :func:`carried`."""
    return _current.get()


@contextmanager
def correlated(correlation: str) -> Iterator[None]:
    """Everything inside carries this id, the run's as a rule."""
    token = _current.set(correlation)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def spanning() -> Iterator[str]:
    """The id of the span of one request, sixteen hexadecimal digits: it goes out in ``traceparent``."""
    span = secrets.token_hex(8)
    token = _span.set(span)
    try:
        yield span
    finally:
        _span.reset(token)


def carried(work: Callable[..., R]) -> Callable[..., R]:
    """``work`` for other threads, any number at once, with the id of the thread that asks for it."""
    context = copy_context()

    def run(*arguments: object) -> R:
        return context.copy().run(work, *arguments)

    return run


def new_correlation_id() -> str:
    """Thirty-two hexadecimal digits."""
    return secrets.token_hex(16)


def trace_id(correlation: str) -> str:
    """The trace of W3C Trace Context: the id itself if it is a UUID, else its digest, the same for the same id."""
    trace = correlation.replace("-", "").lower()
    if not _HEX32.fullmatch(trace) or trace == "0" * 32:
        trace = hashlib.sha256(correlation.encode()).hexdigest()[:32]
    return trace


def traceparent(correlation: str) -> str:
    """The ``traceparent`` header (W3C Trace Context, version 00): the id as trace, the span of this request."""
    return f"00-{trace_id(correlation)}-{_span.get() or secrets.token_hex(8)}-01"
