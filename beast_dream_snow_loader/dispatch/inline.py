"""Lanes of a run as threads of this process: the ``Spread`` that every run has by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from beast_dream_snow_loader.operations import spreading

T = TypeVar("T")
R = TypeVar("R")


def spread(work: Callable[[T], R], parts: Sequence[T], workers: int) -> list[R]:
    """``work`` over every lane, at most ``workers`` at once, as :func:`~.operations.spreading.spread`."""
    return spreading.spread(work, parts, workers, name="lane")
