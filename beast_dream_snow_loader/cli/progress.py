"""A progress bar per step on a terminal, a heartbeat line a minute elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from beast_dream_snow_loader.core.events import Event, Listener, StepAdvanced, StepFinished, StepStarted, ignore

HEARTBEAT_SECONDS = 60.0


@contextmanager
def progress(*, quiet: bool) -> Iterator[Listener]:
    """A listener that shows how far the steps are, on stderr."""
    if quiet:
        yield ignore
    elif sys.stderr.isatty():
        with _bars() as listener:
            yield listener
    else:
        yield Heartbeat()


@contextmanager
def _bars() -> Iterator[Listener]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, int] = {}

        def listen(event: Event) -> None:
            if isinstance(event, StepStarted):
                tasks[event.step] = bars.add_task(event.step, total=event.total)
            elif isinstance(event, StepAdvanced) and event.step in tasks:
                bars.advance(tasks[event.step], event.by)  # type: ignore[arg-type]
            elif isinstance(event, StepFinished) and event.step in tasks:
                bars.update(tasks[event.step], total=event.records, completed=event.records)  # type: ignore[arg-type]

        yield listen


class Heartbeat:
    """One line a minute at most: which step, how many records so far."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._counts: dict[str, int] = {}

    def __call__(self, event: Event) -> None:
        if isinstance(event, StepAdvanced):
            self._counts[event.step] = self._counts.get(event.step, 0) + event.by
            self._beat(event.step)
        elif isinstance(event, StepStarted):
            self._beat(event.step)

    def _beat(self, step: str) -> None:
        now = time.monotonic()
        if now - self._last >= HEARTBEAT_SECONDS:
            self._last = now
            sys.stderr.write(f"snowload: {step}, {self._counts.get(step, 0)} records so far\n")
            sys.stderr.flush()
