"""Work spread over threads of this process."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TypeVar

from beast_dream_snow_loader.operations.correlation import carried

T = TypeVar("T")
R = TypeVar("R")


def spread(work: Callable[[T], R], parts: Sequence[T], workers: int, name: str) -> list[R]:
    """``work`` over every part, at most ``workers`` at once; results in the order of the parts. The caller's
    context (the run's correlation id) goes along. ``name`` is what the threads are called.

    The first exception is raised after the parts already begun have ended; parts not begun are dropped. Whoever ends
    the program meanwhile waits for no part: a pool of ``concurrent.futures`` is waited for even when Python exits.
    """
    if len(parts) <= 1 or workers <= 1:
        return [work(part) for part in parts]
    todo: queue.SimpleQueue[tuple[Future[R], T]] = queue.SimpleQueue()
    futures: list[Future[R]] = [Future() for _ in parts]
    for turn in zip(futures, parts, strict=True):
        todo.put(turn)
    threads = [
        threading.Thread(target=_take, args=(carried(work), todo), name=f"{name}_{number}", daemon=True)
        for number in range(min(workers, len(parts)))
    ]
    try:
        return _results(threads, futures)
    finally:
        for future in futures:
            future.cancel()


def _results(threads: Sequence[threading.Thread], futures: Sequence[Future[R]]) -> list[R]:
    for thread in threads:
        thread.start()
    try:
        return [future.result() for future in futures]
    except Exception:
        for future in futures:
            future.cancel()
        for thread in threads:
            thread.join()
        raise


def _take(work: Callable[[T], R], todo: queue.SimpleQueue[tuple[Future[R], T]]) -> None:
    """One part after the other, until none is left."""
    while True:
        try:
            future, part = todo.get_nowait()
        except queue.Empty:
            return
        if not future.set_running_or_notify_cancel():
            continue
        try:
            future.set_result(work(part))
        except BaseException as error:  # noqa: BLE001 - not swallowed: raised again where it is awaited
            future.set_exception(error)
