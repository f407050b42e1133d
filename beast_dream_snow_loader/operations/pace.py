"""What processes tell each other of a service's cool-downs and quotas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class CoolDown:
    """``seconds`` are left of it; ``streak`` refusals without a word came one after another."""

    seconds: float
    streak: int


class Pace(Protocol):
    """What processes tell each other. All but :meth:`stamp` raise StateError when the state is away."""

    def stamp(self) -> object:
        """Another value than last time when something may have been said since. Cheap: asked before every request."""

    def cool_down(self, service: str) -> CoolDown | None: ...

    def cool(self, service: str, seconds: float, streak: int) -> None:
        """Nobody is to ask for so many seconds; one that is under way is never shortened."""

    def portion(self, service: str, rule: str, limit: int, seconds: float, wanted: int) -> int:
        """So many of ``wanted`` requests are ours, of ``limit`` until the window ends in ``seconds``."""


class OwnPace:
    """For a process that shares its state with no other."""

    def __init__(self) -> None:
        self._used: dict[tuple[str, str], int] = {}

    def stamp(self) -> object:
        return None

    def cool_down(self, service: str) -> CoolDown | None:  # noqa: ARG002
        return None

    def cool(self, service: str, seconds: float, streak: int) -> None:
        """The governor keeps it itself."""

    def portion(self, service: str, rule: str, limit: int, seconds: float, wanted: int) -> int:  # noqa: ARG002
        return wanted
