"""What all of a preparation does alike: take a step, ask an instance that may not answer, tell what was found."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeVar

from beast_dream_snow_loader.core.findings import Finding
from beast_dream_snow_loader.core.known import KnownState
from beast_dream_snow_loader.errors import SnowloadError, Stopped
from beast_dream_snow_loader.pipeline.guard import AWAY, UNREADABLE, Counted, Steps, reduced
from beast_dream_snow_loader.pipeline.outcome import LoadOutcome
from beast_dream_snow_loader.pipeline.world import World

T = TypeVar("T")


class Attempts:
    """What comes of them is in ``outcome``, what they met in ``steps``."""

    def __init__(self, world: World, outcome: LoadOutcome, steps: Steps) -> None:
        self._world, self._outcome, self._steps = world, outcome, steps

    @property
    def away(self) -> SnowloadError | None:
        """Why the instance cannot be worked with, as far as this run knows."""
        return self._outcome.away

    def gone_away(self, error: SnowloadError) -> None:
        self._outcome.away = error
        self._steps.met(error)

    def looked(self, read: Callable[[], KnownState]) -> KnownState | None:
        """None when the instance cannot be looked at; the run goes on without."""
        return self.attempt(read, "drift.unreadable", "Changes made by hand cannot be seen")

    def attempt(self, ask: Callable[[], T], rule: str = "", without: str = "") -> T | None:
        """What the instance answers; None, and the run goes on, when it is away or, where a ``rule`` says how that is
        told, will not let us read."""
        try:
            return ask()
        except AWAY as error:
            self.gone_away(error)
        except UNREADABLE as error:
            self._steps.met(error)
            if not rule:
                raise
            self.found(reduced(rule, f"{without}: {error.message}"))
        return None

    def step(self, name: str, total: int | None = None) -> AbstractContextManager[Counted]:
        """Reading a whole estate may take long: a run that was asked to end does not begin the next part of it."""
        if self._world.stopping():
            raise Stopped(
                f"It was asked to end before the step {name}; nothing was written since.",
                next_step="Run the same command again.",
            )
        return self._steps.step(name, total)

    def found(self, *findings: Finding) -> None:
        self._outcome.findings.extend(findings)
