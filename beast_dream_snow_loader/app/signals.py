"""SIGINT and SIGTERM: finish the batch in flight, save, say so. A second one ends at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from beast_dream_snow_loader.clock import SystemClock
from beast_dream_snow_loader.core.exit_codes import ExitCode

_AT_ONCE = b"Ended at once, as it was asked twice. What was under way is looked up by: snowload load --resume\n"


class Stop:
    """Whether the program was asked to end, and by which signal."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def __call__(self) -> bool:
        return self.signal is not None

    @property
    def exit_code(self) -> ExitCode | None:
        """What a shell expects of a program ended by that signal."""
        if self.signal is None:
            return None
        return ExitCode.TERMINATED if self.signal == signal.SIGTERM else ExitCode.INTERRUPTED


@contextmanager
def stop_on_signals(clock: SystemClock, stop: Stop | None = None) -> Iterator[Stop]:
    """Sleeping retries wake up. Outside the main thread nothing is caught. ``stop``: what was asked before counts."""
    stop = stop or Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def asked(number: int, _: FrameType | None) -> None:
        if stop.signal is not None:
            os.write(2, _AT_ONCE)
            raise SystemExit(128 + number)
        stop.signal = number
        clock.wake()

    before = {number: signal.signal(number, asked) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
