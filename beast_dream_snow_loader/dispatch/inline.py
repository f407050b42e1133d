"""Work spread over threads of this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def spread(work: Callable[[T], R], parts: Sequence[T], workers: int) -> list[R]:
    """``work`` over every part, at most ``workers`` at once; results in the order of the parts. The caller's
    context (the run's correlation id) goes along.

    The first exception is raised after the parts already begun have ended; parts not begun are dropped.
    """
    if len(parts) <= 1 or workers <= 1:
        return [work(part) for part in parts]
    with ThreadPoolExecutor(max_workers=min(workers, len(parts)), thread_name_prefix="lane") as pool:
        futures = [pool.submit(copy_context().run, work, part) for part in parts]
        try:
            return [future.result() for future in futures]
        except BaseException:
            for future in futures:
                future.cancel()
            raise
