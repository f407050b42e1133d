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

_ENDING = (signal.SIGINT, signal.SIGTERM)
_GRACE_SECONDS = 3.0
"""So long whoever was asked twice may take to leave; then it is inside something that lets Python hear no signal."""
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

    before = {number: signal.signal(number, asked) for number in _ENDING}
    try:
        with _forced(stop):
            yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _forced(stop: Stop) -> Iterator[None]:
    """A second signal ends the program also while SQLite waits for another writer, or the system for a name server:
    Python's handlers wait for them, but the number of each signal is written to a pipe, and a thread reads it."""
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    left = threading.Event()
    usual = signal.set_wakeup_fd(theirs, warn_on_full_buffer=False)
    watching = threading.Thread(target=_watch, args=(ours, 1 if stop() else 2, left), name="signals", daemon=True)
    watching.start()
    try:
        yield
    finally:
        left.set()
        signal.set_wakeup_fd(usual)
        os.close(theirs)  # which it hears at once
        watching.join()


def _watch(ours: int, patience: int, left: threading.Event) -> None:
    with open(ours, "rb", buffering=0) as told:
        while heard := told.read(1):
            patience -= heard[0] in _ENDING
            if patience <= 0 and not left.wait(_GRACE_SECONDS):
                os.write(2, _AT_ONCE)
                os._exit(128 + heard[0])
